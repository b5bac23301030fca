// encl bench: the group of commands, and what their options mean.
#include "host/cli/bench/bench.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "runtime/base/memory.h"
#include "runtime/base/random.h"

enum { MS_LIMIT = 3600000, SAMPLES_LIMIT = 1000000 };
static const int64_t ms = 1000000; // nanoseconds

static encl_status take_format(const char *value, encl_bench_options *options) {
    static const char *const names[] = {[ENCL_BENCH_MD] = "md", [ENCL_BENCH_CSV] = "csv", [ENCL_BENCH_JSONL] = "jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], value) == 0) {
            options->format = (encl_bench_format)i;
            options->format_given = true;
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_INVALID, "--output: found '%s', expected md, csv or jsonl", value);
}

encl_status encl_bench_option(encl_bench_options *options, int key, const char *value) {
    switch (key) {
    case 'o':
        return take_format(value, options);
    case ENCL_BENCH_KEY_CSV:
        options->csv = value;
        return ENCL_OK;
    case ENCL_BENCH_KEY_JSONL:
        options->jsonl = value;
        return ENCL_OK;
    case ENCL_BENCH_KEY_MIN_MS:
        return encl_option_integer("--min-ms", value, 1, MS_LIMIT, &options->min_ms);
    case ENCL_BENCH_KEY_MAX_MS:
        return encl_option_integer("--max-ms", value, 1, MS_LIMIT, &options->max_ms);
    case ENCL_BENCH_KEY_SAMPLES:
        return encl_option_integer("--samples", value, 1, SAMPLES_LIMIT, &options->most_samples);
    case ENCL_BENCH_KEY_SEED:
        return encl_option_integer("--seed", value, 1, INT64_MAX, &options->seed);
    case ENCL_BENCH_KEY_HOT:
        options->hot = true;
        return ENCL_OK;
    default:
        return encl_fail(ENCL_INTERNAL, "bench: found option key %d, expected one of its own", key);
    }
}

encl_status encl_bench_options_check(const encl_bench_options *options) {
    if (options->max_ms > 0 && options->min_ms > options->max_ms) {
        return encl_fail(ENCL_INVALID, "--min-ms: found %lld, expected at most --max-ms, which is %lld",
                         (long long)options->min_ms, (long long)options->max_ms);
    }
    if (options->csv != NULL && options->jsonl != NULL && strcmp(options->csv, options->jsonl) == 0) {
        return encl_fail(ENCL_INVALID, "--jsonl: found %s, which --csv writes too, expected another file",
                         options->jsonl);
    }
    return ENCL_OK;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// Who asks for less time gets a shorter warm-up too, in proportion.
encl_sampling encl_bench_sampling(const encl_bench_options *options) {
    encl_sampling sampling = encl_sampling_default();
    const int64_t warm_share = sampling.warm_most_ns / sampling.warm_ns;
    if (options->max_ms > 0) {
        sampling.most_ns = options->max_ms * ms;
        sampling.least_ns = smaller(sampling.least_ns, sampling.most_ns);
    }
    if (options->min_ms > 0) {
        sampling.least_ns = options->min_ms * ms;
        sampling.most_ns = sampling.most_ns > sampling.least_ns ? sampling.most_ns : sampling.least_ns;
    }
    sampling.warm_ns = smaller(sampling.warm_ns, sampling.least_ns);
    sampling.warm_most_ns = smaller(sampling.warm_ns * warm_share, sampling.most_ns);
    if (options->most_samples > 0) {
        sampling.most_count = (int32_t)options->most_samples;
        sampling.least_count = (int32_t)smaller(sampling.least_count, options->most_samples);
    }
    sampling.check = encl_interrupt_asked;
    return sampling;
}

uint64_t encl_bench_seed(const encl_bench_options *options) {
    return options->seed > 0 ? (uint64_t)options->seed : 1;
}

encl_status encl_bench_devices(const encl_globals *globals, const encl_device ***devices, size_t *count) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    const encl_device *const *all = NULL;
    size_t capacity = 0;
    size_t chosen = 0;
    encl_executable_options computes;
    *devices = NULL;
    *count = 0;
    ENCL_TRY(encl_globals_executable(globals, &computes)); // for its errors
    ENCL_TRY(encl_devices(&all, &capacity));
    ENCL_TRY(encl_allocate(capacity, sizeof *all, &memory));
    ENCL_TRY(encl_device_select(globals->device, memory, capacity, &chosen));
    *devices = memory;
    *count = chosen;
    memory = NULL;
cleanup:
    free(memory);
    return status;
}

// Fisher and Yates' shuffle.
encl_status encl_bench_order(size_t count, uint64_t seed, size_t **order) {
    void *memory = NULL;
    *order = NULL;
    const encl_status status = encl_allocate(count, sizeof(size_t), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    size_t *places = memory;
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++) {
        const size_t other = (size_t)(encl_random_next(&state) % (i + 1));
        places[i] = places[other];
        places[other] = i;
    }
    *order = places;
    return ENCL_OK;
}

static const encl_command *const commands[] = {
    &encl_command_bench_peak,      &encl_command_bench_kernels, &encl_command_bench_gemm, &encl_command_bench_model,
    &encl_command_bench_tokenizer, &encl_command_bench_compare, &encl_command_bench_ab,   NULL};

const encl_command encl_command_bench = {
    .name = "bench",
    .summary = "Measure kernels, models and the device's limits",
    .arguments = "COMMAND",
    .text = "Measure how fast this device is, how near kernels and models come to that, and what a change does to it.",
    .commands = commands,
};
