// encl bench peak: what the devices can do at best. The figures are kept as the denominators of every "% of peak".
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/bench.h"
#include "host/cli/options.h"

typedef struct peak_settings {
    encl_bench_options bench;
    bool quick;
    int64_t max_bytes;
} peak_settings;

enum { KEY_QUICK = ENCL_BENCH_KEYS_END, KEY_MAX_BYTES };

static const struct argp_option options[] = {
    {"quick", KEY_QUICK, NULL, 0, "Fewer sizes and shorter samples: a few seconds", 0},
    {"max-bytes", KEY_MAX_BYTES, "N", 0,
     "No buffer larger than N bytes (default 1 GiB, with --quick 256 MiB, never more than a sixteenth of the device's "
     "memory); the figures are not kept",
     0},
    ENCL_BENCH_OPTIONS,
    {0},
};

static encl_status take_option(void *settings, int key, const char *value) {
    peak_settings *peak = settings;
    switch (key) {
    case KEY_QUICK:
        peak->quick = true;
        return ENCL_OK;
    case KEY_MAX_BYTES:
        return encl_option_integer("--max-bytes", value, 32 << 10, (int64_t)1 << 40, &peak->max_bytes);
    default:
        return encl_bench_option(&peak->bench, key, value);
    }
}

static encl_status check(const encl_call *call) {
    const peak_settings *peak = call->settings;
    return encl_bench_options_check(&peak->bench);
}

// Dozens of figures: each gets a tenth of the time that a benchmark's case has by default.
static encl_sampling sampling_of(const peak_settings *peak) {
    encl_bench_options bench = peak->bench;
    if (bench.min_ms == 0 && bench.max_ms == 0) {
        bench.min_ms = peak->quick ? 10 : 100;
        bench.max_ms = peak->quick ? 50 : 1000;
    }
    return encl_bench_sampling(&bench);
}

// ---- Rows -------------------------------------------------------------------------------------------------

// "64 KiB": sizes are powers of two.
static void size_text(uint64_t bytes, char text[ENCL_BYTES_TEXT]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (unit + 1 < sizeof units / sizeof units[0] && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, ENCL_BYTES_TEXT, "%llu %s", (unsigned long long)bytes, units[unit]);
}

typedef struct teller {
    encl_bench *bench;
    const encl_device *device;
} teller;

static encl_status tell(void *context, const encl_peak_figure *figure) {
    const teller *to = context;
    encl_bench *bench = to->bench;
    char size[ENCL_BYTES_TEXT] = "";
    char case_id[96];
    if (figure->bytes > 0) {
        size_text(figure->bytes, size);
    }
    snprintf(case_id, sizeof case_id, "peak %s%s%s", figure->name, figure->bytes > 0 ? " " : "", size);
    const encl_status status = encl_bench_row(bench, to->device, case_id);
    if (status != ENCL_OK) {
        return status;
    }
    encl_bench_text(bench, "figure", figure->name);
    encl_bench_text(bench, "kernel", figure->kernel);
    encl_bench_text(bench, "variant", figure->variant);
    encl_bench_number(bench, "buffer_bytes", figure->bytes > 0 ? (double)figure->bytes : NAN);
    encl_bench_number(bench, "value", figure->value);
    encl_bench_text(bench, "unit", figure->unit);
    encl_bench_number(bench, "flops", figure->flops > 0.0 ? figure->flops : NAN);
    encl_bench_number(bench, "moved_bytes", figure->moved_bytes > 0.0 ? figure->moved_bytes : NAN);
    if (figure->samples != NULL) {
        const double p50 = figure->samples->statistics.p50;
        encl_bench_samples(bench, figure->samples, figure->inner, figure->timer);
        encl_bench_number(bench, "gflops", figure->flops > 0.0 && p50 > 0.0 ? figure->flops / p50 : NAN);
        encl_bench_number(bench, "gbs", figure->moved_bytes > 0.0 && p50 > 0.0 ? figure->moved_bytes / p50 : NAN);
    }
    if (strcmp(figure->status, "ok") != 0) {
        encl_bench_status(bench, figure->status, figure->reason);
    }
    return encl_bench_row_end(bench);
}

// ---- The command ------------------------------------------------------------------------------------------

// A device that cannot be opened costs the others nothing.
static encl_status tell_closed(encl_bench *bench, const encl_device *device) {
    char reason[512];
    snprintf(reason, sizeof reason, "%s", encl_status_detail());
    const encl_status status = encl_bench_row(bench, device, "peak");
    if (status != ENCL_OK) {
        return status;
    }
    encl_bench_status(bench, "error", reason);
    return encl_bench_row_end(bench);
}

static encl_status measure_device(const encl_device *device, const peak_settings *peak, encl_bench *bench, bool alone) {
    encl_status status = ENCL_OK;
    encl_peaks peaks;
    teller to = {bench, device};
    const encl_peak_options by = {
        .sampling = sampling_of(peak),
        .most_bytes = (uint64_t)peak->max_bytes,
        .quick = peak->quick,
        .told = tell,
        .told_context = &to,
    };
    status = encl_device_acquire(device);
    if (status != ENCL_OK) {
        return alone ? status : tell_closed(bench, device);
    }
    status = encl_peaks_measure(device, &by, &peaks);
    if (status == ENCL_OK && peak->max_bytes == 0) {
        encl_peaks_store(device, &peaks);
    }
    encl_device_release(device);
    return status;
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    const peak_settings *peak = call->settings;
    const encl_peak_options by = {.most_bytes = (uint64_t)peak->max_bytes, .quick = peak->quick};
    const encl_device **devices = NULL;
    encl_bench *bench = NULL;
    size_t count = 0;
    size_t figures = 0;
    ENCL_TRY(encl_bench_devices(call->globals, &devices, &count));
    ENCL_TRY(encl_bench_open(&peak->bench, call, ENCL_BENCH_PEAK, devices, NULL, count, &bench));
    for (size_t i = 0; i < count; i++) {
        figures += encl_peaks_count(devices[i], &by);
    }
    encl_bench_expect(bench, figures);
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(measure_device(devices[i], peak, bench, count == 1));
    }

cleanup:
    status = encl_bench_close(bench, status);
    free(devices);
    return status;
}

const encl_command encl_command_bench_peak = {
    .name = "bench peak",
    .summary = "Measure what the device can do at best",
    .arguments = "",
    .text = "Measure a device's arithmetic, its memory by the size of the buffer, what a launch costs, and the way to "
            "the host and back. --device may choose several. The figures are kept in the cache: every \"% of peak\" "
            "is of them.\v"
            "Example:\n  encl bench peak --quick --device all",
    .options = options,
    .settings_bytes = sizeof(peak_settings),
    .option = take_option,
    .check = check,
    .run = run,
};
