// encl bench tokenizer: how fast one thread turns texts into tokens.
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/bench.h"
#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/text_run.h"
#include "host/text/tokenizer.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

typedef struct tokenizer_settings {
    encl_bench_options bench;
    encl_text_options texts;
} tokenizer_settings;

static const struct argp_option options[] = {
    ENCL_TEXT_OPTIONS_IN,
    {"max-length", ENCL_TEXT_KEY_MAX_LENGTH, "N", 0, "Truncate to N tokens, special tokens included (default: never)",
     0},
    ENCL_BENCH_OPTIONS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    tokenizer_settings *chosen = taken;
    const bool of_texts = key == 'i' || (key >= ENCL_TEXT_KEY_COLUMN && key < ENCL_TEXT_KEYS_END);
    return of_texts ? encl_text_option(&chosen->texts, key, value) : encl_bench_option(&chosen->bench, key, value);
}

static encl_status check(const encl_call *call) {
    const tokenizer_settings *chosen = call->settings;
    const encl_status status = encl_input_check(&chosen->texts.input, call->argument_count - 1);
    return status == ENCL_OK ? encl_bench_options_check(&chosen->bench) : status;
}

// ---- Texts ------------------------------------------------------------------------------------------------

// All texts, in memory: reading files is not what is timed.
typedef struct text_list {
    encl_string bytes; // one behind the other
    void *ends;        // size_t[count]: where each ends in `bytes`
    size_t count, capacity;
} text_list;

static encl_status read_texts(const tokenizer_settings *chosen, const encl_call *call, text_list *list) {
    encl_status status = ENCL_OK;
    encl_input *input = NULL;
    ENCL_TRY(encl_input_open(&chosen->texts.input, call->arguments + 1, call->argument_count - 1, &input));
    for (;;) {
        encl_text text;
        ENCL_TRY(encl_input_next(input, &text));
        if (text.text == NULL) {
            break;
        }
        ENCL_TRY(encl_string_append(&list->bytes, text.text, text.length));
        ENCL_TRY(encl_reserve(&list->ends, &list->capacity, list->count + 1, sizeof(size_t)));
        ((size_t *)list->ends)[list->count++] = list->bytes.length;
        ENCL_TRY(encl_interrupt_check());
    }
    if (list->count == 0) {
        status = encl_fail(ENCL_INVALID, "texts: found none, expected at least one");
    }
cleanup:
    encl_input_close(input);
    return status;
}

// ---- The measurement --------------------------------------------------------------------------------------

typedef struct tokenizer_run {
    const encl_tokenizer *tokenizer;
    const text_list *list;
    size_t max_length;
    size_t tokens; // of the last pass
    encl_encoding encoding;
} tokenizer_run;

// One pass over all texts.
static encl_status encode_all(void *context, int64_t *ns) {
    tokenizer_run *run = context;
    const size_t *ends = run->list->ends;
    encl_status status = ENCL_OK;
    size_t begin = 0;
    run->tokens = 0;
    const int64_t start = encl_clock_ns();
    for (size_t i = 0; i < run->list->count; i++) {
        ENCL_TRY(encl_tokenizer_encode(run->tokenizer, run->list->bytes.text + begin, ends[i] - begin, NULL, 0,
                                       run->max_length, &run->encoding));
        run->tokens += run->encoding.count;
        begin = ends[i];
    }
    *ns = encl_clock_ns() - start;
cleanup:
    return status;
}

static encl_status measure(const tokenizer_settings *chosen, const char *path, tokenizer_run *run, encl_bench *bench) {
    encl_status status = ENCL_OK;
    encl_samples samples = {0};
    const encl_sampling sampling = encl_bench_sampling(&chosen->bench);
    const char *last = strrchr(path, '/');
    char case_id[128];
    ENCL_TRY(encl_sample(&sampling, encode_all, run, &samples));
    const double seconds = samples.statistics.p50 / 1e9;
    snprintf(case_id, sizeof case_id, "tokenizer %zu texts", run->list->count);
    ENCL_TRY(encl_bench_row(bench, NULL, case_id));
    encl_bench_text(bench, "model", last != NULL && last[1] != '\0' ? last + 1 : path);
    encl_bench_number(bench, "texts", (double)run->list->count);
    encl_bench_number(bench, "real_tokens", (double)run->tokens);
    encl_bench_number(bench, "text_bytes", (double)run->list->bytes.length);
    encl_bench_samples(bench, &samples, 1, "wall");
    encl_bench_number(bench, "tokens_per_s", (double)run->tokens / seconds);
    encl_bench_number(bench, "texts_per_s", (double)run->list->count / seconds);
    encl_bench_number(bench, "bytes_per_s", (double)run->list->bytes.length / seconds);
    ENCL_TRY(encl_bench_row_end(bench));
cleanup:
    encl_samples_free(&samples);
    return status;
}

static encl_status bench_tokenizer(encl_call *call) {
    const tokenizer_settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_tokenizer *tokenizer = NULL;
    encl_bench *bench = NULL;
    text_list list = {0};
    tokenizer_run run = {.list = &list, .max_length = (size_t)chosen->texts.max_length};
    ENCL_TRY(encl_tokenizer_open(call->arguments[0], &tokenizer));
    run.tokenizer = tokenizer;
    ENCL_TRY(read_texts(chosen, call, &list));
    ENCL_TRY(encl_bench_open(&chosen->bench, call, ENCL_BENCH_TOKENIZER, NULL, NULL, 0, &bench));
    encl_bench_expect(bench, 1);
    ENCL_TRY(measure(chosen, call->arguments[0], &run, bench));
cleanup:
    status = encl_bench_close(bench, status);
    encl_encoding_free(&run.encoding);
    encl_string_free(&list.bytes);
    free(list.ends);
    encl_tokenizer_close(tokenizer);
    return status;
}

const encl_command encl_command_bench_tokenizer = {
    .name = "bench tokenizer",
    .summary = "How fast one thread turns texts into tokens",
    .arguments = "MODEL [TEXT...]",
    .text = "Turn every TEXT, line of standard input or text of a file into tokens, again and again, on one thread.\v"
            "Example:\n  encl bench tokenizer ./rbt3 --input reviews.tsv --column text_a --max-length 256",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(tokenizer_settings),
    .option = take_option,
    .check = check,
    .run = bench_tokenizer,
};
