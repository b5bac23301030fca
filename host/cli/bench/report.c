// A run of a bench command: takes the values of each row and hands them to its writers.
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/write.h"
#include "host/cli/device_block.h"
#include "host/cli/provenance.h"
#include "runtime/base/log.h"
#include "runtime/base/progress.h"

enum { WRITERS = 3, DETAIL_TEXT = 256 };
static const double noise_limit_pct = 5;

struct encl_bench {
    const encl_bench_column *columns;
    size_t column_count;
    encl_bench_cell *cells; // of the row, one a column
    size_t place;
    int32_t device;   // of the row: its place in devices
    int64_t *samples; // of the row, NULL: none
    size_t sample_count;
    double spread_pct, roof_pct; // of the row; NAN: not known
    encl_status failed;          // of the row: the first value that could not be taken
    char detail[DETAIL_TEXT];

    const encl_device **devices;
    size_t device_count;
    encl_line header;
    cJSON *written_header; // once the first row is written
    encl_bench_writer *writers[WRITERS];
    size_t writer_count;

    encl_progress progress;
    char *label;                          // of the progress: the row's case
    size_t expected, rows, noisy, cached; // noisy, cached: rows of more spread, of more than the roof
    double noisiest_pct;
    encl_string notes;
};

// ---- Opening ----------------------------------------------------------------------------------------------

static cJSON *settings_block(const encl_bench_options *options, const encl_globals *globals) {
    static const char *const gemms[] = {"auto", "tile", "clblast"};
    static const char *const same_bits[] = {"auto", "on", "off"};
    const encl_sampling sampling = encl_bench_sampling(options);
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "device", globals->device);
    encl_line_text(&line, "precision", globals->precision);
    encl_line_text(&line, "gemm", gemms[globals->gemm]);
    encl_line_text(&line, "same_bits", same_bits[globals->same_bits]);
    encl_line_number(&line, "min_ms", (double)sampling.least_ns / 1e6);
    encl_line_number(&line, "max_ms", (double)sampling.most_ns / 1e6);
    encl_line_number(&line, "most_samples", sampling.most_count);
    encl_line_number(&line, "seed", (double)encl_bench_seed(options));
    encl_line_bool(&line, "hot", options->hot);
    return encl_line_take(&line);
}

static cJSON *run_block(const encl_bench_options *options, const encl_globals *globals) {
    cJSON *run = encl_run_block(globals);
    cJSON *settings = settings_block(options, globals);
    if (run == NULL || settings == NULL || !cJSON_AddItemToObject(run, "settings", settings)) {
        cJSON_Delete(settings);
        cJSON_Delete(run);
        return NULL;
    }
    return run;
}

static void make_header(encl_bench *bench, const encl_bench_options *options, const encl_call *call,
                        encl_bench_kind kind, const encl_peaks *const *peaks) {
    encl_line *line = &bench->header;
    encl_line_start(line);
    encl_line_text(line, "schema", kind == ENCL_BENCH_COMPARE ? "encl.compare/1" : "encl.bench/1");
    encl_line_text(line, "kind", encl_bench_kind_name(kind));
    encl_line_item(line, "encl", encl_build_block());
    encl_line_item(line, "run", run_block(options, call->globals));
    encl_line_item(line, "host", encl_host_block());
    cJSON *devices = encl_line_array(line, "devices");
    for (size_t i = 0; i < bench->device_count; i++) {
        encl_line_add(line, devices, encl_device_block(bench->devices[i], true));
    }
    cJSON *best = encl_line_array(line, "peaks");
    for (size_t i = 0; i < bench->device_count; i++) {
        encl_line_add(line, best, encl_peaks_block(peaks != NULL ? peaks[i] : NULL));
    }
}

static encl_status add_writer(encl_bench *bench, encl_bench_format format, const char *path, encl_bench_kind kind) {
    encl_status status = encl_bench_writer_open(format, path, kind, &bench->writers[bench->writer_count]);
    bench->writer_count += status == ENCL_OK ? 1 : 0;
    return status;
}

encl_status encl_bench_open(const encl_bench_options *options, const encl_call *call, encl_bench_kind kind,
                            const encl_device *const *devices, const encl_peaks *const *peaks, size_t device_count,
                            encl_bench **bench) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    encl_bench *fresh = NULL;
    *bench = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *fresh, &memory));
    fresh = memory;
    fresh->columns = encl_bench_columns(kind, &fresh->column_count);
    ENCL_TRY(encl_allocate(fresh->column_count, sizeof *fresh->cells, &memory));
    fresh->cells = memory;
    ENCL_TRY(encl_allocate(device_count, sizeof *devices, &memory));
    fresh->devices = memory;
    for (size_t i = 0; i < device_count; i++) {
        fresh->devices[i] = devices[i];
    }
    fresh->device_count = device_count;
    const encl_bench_format format = options->format_given || !call->globals->json ? options->format : ENCL_BENCH_JSONL;
    ENCL_TRY(add_writer(fresh, format, NULL, kind));
    if (options->csv != NULL) {
        ENCL_TRY(add_writer(fresh, ENCL_BENCH_CSV, options->csv, kind));
    }
    if (options->jsonl != NULL) {
        ENCL_TRY(add_writer(fresh, ENCL_BENCH_JSONL, options->jsonl, kind));
    }
    make_header(fresh, options, call, kind, peaks);
    *bench = fresh;
    fresh = NULL;
cleanup:
    encl_bench_abandon(fresh);
    return status;
}

void encl_bench_header(encl_bench *bench, const char *key, cJSON *item) {
    encl_line_item(&bench->header, key, item);
}

void encl_bench_expect(encl_bench *bench, size_t rows) {
    bench->expected = rows;
}

static encl_status begin_writers(encl_bench *bench) {
    encl_status status = ENCL_OK;
    if (bench->written_header != NULL) {
        return ENCL_OK;
    }
    bench->written_header = encl_line_take(&bench->header);
    if (bench->written_header == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the header of the results");
    }
    for (size_t i = 0; i < bench->writer_count && status == ENCL_OK; i++) {
        status = encl_bench_writer_begin(bench->writers[i], bench->written_header);
    }
    return status;
}

// ---- Values -----------------------------------------------------------------------------------------------

static void remember(encl_bench *bench, encl_status status) {
    if (bench->failed == ENCL_OK && status != ENCL_OK) {
        bench->failed = status;
        snprintf(bench->detail, sizeof bench->detail, "%s", encl_status_detail());
    }
}

static void clear_row(encl_bench *bench) {
    for (size_t i = 0; i < bench->column_count; i++) {
        free(bench->cells[i].text);
        bench->cells[i] = (encl_bench_cell){.number = NAN};
    }
    free(bench->samples);
    bench->samples = NULL;
    bench->sample_count = 0;
    bench->spread_pct = bench->roof_pct = NAN;
    bench->failed = ENCL_OK;
}

static encl_bench_cell *find_cell(const encl_bench *bench, const char *column, encl_bench_type *type) {
    for (size_t i = 0; i < bench->column_count; i++) {
        if (strcmp(bench->columns[i].name, column) == 0) {
            *type = bench->columns[i].type;
            return &bench->cells[i];
        }
    }
    return NULL;
}

const char *encl_bench_dtype(encl_precision precision) {
    static const char *const names[] = {"f32", "bf16", "int8"};
    return names[precision];
}

void encl_bench_text(encl_bench *bench, const char *column, const char *value) {
    encl_bench_type type;
    encl_bench_cell *cell = find_cell(bench, column, &type);
    if (cell == NULL || type != ENCL_BENCH_TEXT) {
        remember(bench, encl_fail(ENCL_INTERNAL, "bench: found a text for '%s', expected a column of texts", column));
        return;
    }
    free(cell->text);
    cell->text = NULL;
    if (value != NULL) {
        remember(bench, encl_copy_text(value, strlen(value), &cell->text));
    }
}

void encl_bench_number(encl_bench *bench, const char *column, double value) {
    encl_bench_type type;
    encl_bench_cell *cell = find_cell(bench, column, &type);
    if (cell == NULL || type == ENCL_BENCH_TEXT) {
        remember(bench,
                 encl_fail(ENCL_INTERNAL, "bench: found a number for '%s', expected a column of numbers", column));
        return;
    }
    cell->number = isfinite(value) ? value : NAN;
}

void encl_bench_place(encl_bench *bench, size_t place) {
    bench->place = place;
}

void encl_bench_samples(encl_bench *bench, const encl_samples *samples, int64_t inner, const char *timer) {
    const encl_statistics *found = &samples->statistics;
    const struct {
        const char *column;
        double ns;
    } times[] = {
        {"first_us", (double)samples->first_ns},
        {"min_us", found->min},
        {"p50_us", found->p50},
        {"mean_us", found->mean},
        {"sd_us", found->sd},
        {"ci_lo_us", found->ci_lo},
        {"ci_hi_us", found->ci_hi},
        {"p90_us", found->p90},
        {"p95_us", found->p95},
        {"p99_us", found->p99},
        {"max_us", found->max},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        encl_bench_number(bench, times[i].column, times[i].ns / 1e3);
    }
    encl_bench_number(bench, "n", (double)samples->count);
    encl_bench_number(bench, "inner", (double)inner);
    encl_bench_number(bench, "warmup", samples->warmup);
    encl_bench_number(bench, "riqr_pct", found->riqr_pct);
    encl_bench_number(bench, "outliers", (double)found->outliers);
    encl_bench_text(bench, "stop", samples->stop);
    encl_bench_text(bench, "timer", timer);
    void *memory = NULL;
    const encl_status status = encl_allocate(samples->count, sizeof(int64_t), &memory);
    remember(bench, status);
    if (status == ENCL_OK) {
        free(bench->samples);
        bench->samples = memory;
        bench->sample_count = samples->count;
        memcpy(memory, samples->ns, samples->count * sizeof(int64_t));
    }
    bench->spread_pct = found->riqr_pct;
}

void encl_bench_roof(encl_bench *bench, const encl_peaks *peaks, double flops, double bytes, double ns) {
    const encl_roof roof = encl_roof_of(peaks, flops, bytes, ns);
    encl_bench_number(bench, "flops", flops);
    encl_bench_number(bench, "bytes", bytes);
    encl_bench_number(bench, "gflops", flops > 0 ? flops / ns : NAN);
    encl_bench_number(bench, "gbs", bytes > 0 ? bytes / ns : NAN);
    encl_bench_number(bench, "ai", roof.intensity);
    encl_bench_number(bench, "roof_pct", roof.roof_pct);
    encl_bench_text(bench, "bound", roof.bound);
    bench->roof_pct = roof.roof_pct;
}

void encl_bench_status(encl_bench *bench, const char *status, const char *reason) {
    encl_bench_text(bench, "status", status);
    encl_bench_text(bench, "reason", reason);
}

// ---- Rows -------------------------------------------------------------------------------------------------

static encl_status show_progress(encl_bench *bench, const char *case_id) {
    free(bench->label);
    bench->label = NULL;
    const encl_status status = encl_copy_text(case_id, strlen(case_id), &bench->label);
    if (status != ENCL_OK) {
        return status;
    }
    if (bench->rows == 0) {
        encl_progress_start(&bench->progress, bench->label, "cases", (int64_t)bench->expected);
    }
    bench->progress.label = bench->label;
    encl_progress_update(&bench->progress, (int64_t)bench->rows);
    return ENCL_OK;
}

// Where no bar is drawn, a line says what was measured.
static void tell_row(const encl_bench *bench) {
    encl_bench_type type;
    if (bench->progress.active || !encl_log_enabled(ENCL_LOG_ERROR)) {
        return;
    }
    const encl_bench_cell *status = find_cell(bench, "status", &type);
    const encl_bench_cell *reason = find_cell(bench, "reason", &type);
    const encl_bench_cell *p50 = find_cell(bench, "p50_us", &type);
    if (status == NULL || status->text == NULL || p50 == NULL) {
        return; // a comparison: nothing took time
    }
    fprintf(stderr, "%s: ", bench->label);
    if (isfinite(p50->number)) {
        fprintf(stderr, "%.3f us\n", p50->number);
    } else {
        fprintf(stderr, "%s%s%s\n", status->text, reason->text != NULL ? ": " : "",
                reason->text != NULL ? reason->text : "");
    }
}

encl_status encl_bench_row(encl_bench *bench, const encl_device *device, const char *case_id) {
    encl_bench_type type;
    encl_status status = ENCL_OK;
    clear_row(bench);
    bench->place = bench->rows;
    bench->device = -1;
    for (size_t i = 0; i < bench->device_count; i++) {
        bench->device = bench->devices[i] == device ? (int32_t)i : bench->device;
    }
    encl_bench_text(bench, "case_id", case_id);
    if (find_cell(bench, "device_id", &type) != NULL && device != NULL) {
        encl_bench_number(bench, "device_id", encl_device_get_info(device)->index);
    }
    if (find_cell(bench, "status", &type) != NULL) {
        encl_bench_text(bench, "status", "ok");
    }
    ENCL_TRY(show_progress(bench, case_id));
cleanup:
    return status;
}

encl_status encl_bench_row_end(encl_bench *bench) {
    encl_status status = ENCL_OK;
    if (bench->failed != ENCL_OK) {
        encl_status_set_detail(bench->detail);
        status = bench->failed;
        goto cleanup;
    }
    ENCL_TRY(begin_writers(bench));
    const encl_bench_result result = {.cells = bench->cells,
                                      .samples_ns = bench->samples,
                                      .sample_count = bench->sample_count,
                                      .device = bench->device,
                                      .place = bench->place};
    for (size_t i = 0; i < bench->writer_count; i++) {
        ENCL_TRY(encl_bench_writer_row(bench->writers[i], &result));
    }
    bench->rows++;
    bench->noisy += bench->spread_pct > noise_limit_pct ? 1 : 0;
    bench->noisiest_pct = fmax(bench->noisiest_pct, bench->spread_pct);
    bench->cached += bench->roof_pct > 100 ? 1 : 0;
    tell_row(bench);
    encl_progress_update(&bench->progress, (int64_t)bench->rows);
cleanup:
    clear_row(bench);
    return status;
}

encl_status encl_bench_note(encl_bench *bench, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a note");
    }
    const encl_status status = encl_string_format(&bench->notes, "%s%s", bench->notes.length > 0 ? "\n" : "", text);
    free(text);
    return status;
}

// ---- The end ----------------------------------------------------------------------------------------------

encl_status encl_bench_finish(encl_bench *bench, bool complete) {
    encl_progress_finish(&bench->progress);
    encl_status status = begin_writers(bench); // where there was no row
    if (bench->noisy > 0) {
        encl_warn("in %zu of %zu cases the middle half of the samples spreads over more than %.0f %% of the median (at "
                  "worst %.0f %%): other work or a changing clock disturbs the measurement",
                  bench->noisy, bench->rows, noise_limit_pct, bench->noisiest_pct);
    }
    if (status == ENCL_OK && bench->cached > 0) {
        status = encl_bench_note(
            bench,
            "- %zu of %zu cases reach more than 100 %% of the roof: caches feed them faster than memory could, or "
            "other work ran when the peaks were measured",
            bench->cached, bench->rows);
    }
    for (size_t i = 0; i < bench->writer_count; i++) {
        encl_bench_writer *writer = bench->writers[i];
        bench->writers[i] = NULL;
        if (status == ENCL_OK) {
            status = encl_bench_writer_finish(writer, complete, bench->notes.text);
        } else {
            encl_bench_writer_abandon(writer);
        }
    }
    encl_bench_abandon(bench);
    return status;
}

void encl_bench_abandon(encl_bench *bench) {
    if (bench == NULL) {
        return;
    }
    encl_progress_finish(&bench->progress);
    for (size_t i = 0; i < bench->writer_count; i++) {
        encl_bench_writer_abandon(bench->writers[i]);
    }
    if (bench->cells != NULL) {
        clear_row(bench);
    }
    free(bench->cells);
    free(bench->devices);
    free(bench->label);
    encl_string_free(&bench->notes);
    cJSON_Delete(bench->written_header);
    encl_line_free(&bench->header);
    free(bench);
}

encl_status encl_bench_close(encl_bench *bench, encl_status status) {
    char detail[1024];
    if (bench == NULL) {
        return status;
    }
    snprintf(detail, sizeof detail, "%s", encl_status_detail());
    const encl_status finished = encl_bench_finish(bench, status == ENCL_OK);
    if (status != ENCL_OK) {
        encl_status_set_detail(detail); // the first failure is the one to tell
    }
    return status != ENCL_OK ? status : finished;
}
