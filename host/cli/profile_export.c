// A profile as files: a spreadsheet of all commands, and a trace for Chrome's and Perfetto's viewers.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile.h"

// ---- CSV --------------------------------------------------------------------------------------------------

// What is not known stays an empty cell.
static const char csv_columns[] =
    "case_id,seq_no,layer,op,kernel,variant,why,dtype,shape,fused,status,calls,queued_us,submit_us,exec_us,exec_p50_us,"
    "host_gap_us,queue_gap_us,launch_gap_us,pct_wall,cum_pct,flops,bytes,gflops,gbs,ai,roof_pct,bound\n";

encl_status encl_profile_csv_header(FILE *stream) {
    return fputs(csv_columns, stream) >= 0 ? ENCL_OK : encl_fail(ENCL_IO, "csv: cannot write: %s", strerror(errno));
}

static double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

static void shape_text(const encl_profile_record *record, char text[40]) {
    int used = snprintf(text, 40, "%dx%d", record->rows, record->columns);
    if (record->depth > 0) {
        snprintf(text + used, (size_t)(40 - used), "x%d", record->depth);
    }
}

static void write_row(FILE *stream, const char *name, size_t number, const encl_profile_row *row, double wall,
                      double cumulative) {
    const encl_profile_record *record = &row->record;
    char shape[40];
    shape_text(record, shape);
    fprintf(stream, "\"%s\",%zu,%d,%s,%s,,,,%s,,EXECUTED,1,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,", name, number,
            record->layer, record->op, record->kernel, shape, row->queued / 1e3, row->submitted / 1e3, row->exec / 1e3,
            row->exec_median / 1e3, row->host_gap / 1e3, row->queue_gap / 1e3, row->launch_gap / 1e3,
            100 * ratio(row->exec, wall), 100 * ratio(cumulative, wall));
    fprintf(stream, "%.0f,%.0f,%.3f,%.3f,%.3f,,\n", record->flops, record->bytes, ratio(record->flops, row->exec),
            ratio(record->bytes, row->exec), ratio(record->flops, record->bytes));
}

static void write_subtotal(FILE *stream, const char *name, const encl_profile_group *group, bool by_layer,
                           double wall) {
    char layer[16] = "";
    if (by_layer) {
        snprintf(layer, sizeof layer, "%d", group->layer);
    }
    fprintf(stream, "\"%s\",,%s,%s,%s,,,,,,SUBTOTAL,%lld,,,%.3f,,,,,%.3f,,%.0f,%.0f,%.3f,%.3f,%.3f,,\n", name, layer,
            by_layer ? "" : group->op, by_layer ? "" : group->kernel, (long long)group->calls, group->exec / 1e3,
            100 * ratio(group->exec, wall), group->flops, group->bytes, ratio(group->flops, group->exec),
            ratio(group->bytes, group->exec), ratio(group->flops, group->bytes));
}

static encl_status write_subtotals(FILE *stream, const char *name, const encl_profile_result *result, bool by_layer) {
    encl_profile_group *groups = NULL;
    size_t count = 0;
    encl_status status = encl_profile_group_rows(result, by_layer, &groups, &count);
    for (size_t i = 0; i < count; i++) {
        write_subtotal(stream, name, &groups[i], by_layer, result->wall);
    }
    free(groups);
    return status;
}

encl_status encl_profile_csv(FILE *stream, const encl_profile_case *measured, const encl_profile_result *result) {
    double cumulative = 0;
    for (size_t i = 0; i < result->row_count; i++) {
        cumulative += result->rows[i].exec;
        write_row(stream, measured->name, i, &result->rows[i], result->wall, cumulative);
    }
    encl_status status = write_subtotals(stream, measured->name, result, true);
    if (status == ENCL_OK) {
        status = write_subtotals(stream, measured->name, result, false);
    }
    const struct {
        const char *name;
        double ns;
    } rest[] = {{"lead", result->parts.lead},
                {"tail", result->parts.tail},
                {"residual", result->parts.residual},
                {"TOTAL=wall", result->wall}};
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        fprintf(stream, "\"%s\",,,%s,,,,,,,TOTAL,,,,%.3f,,,,,%.3f,,,,,,,,\n", measured->name, rest[i].name,
                rest[i].ns / 1e3, 100 * ratio(rest[i].ns, result->wall));
    }
    if (status == ENCL_OK && ferror(stream)) {
        status = encl_fail(ENCL_IO, "csv: cannot write: %s", strerror(errno));
    }
    return status;
}

// ---- Trace ------------------------------------------------------------------------------------------------

enum { HOST_PROCESS = 1, DEVICE_PROCESS = 100, QUEUE_THREAD = 1, LAYER_THREAD = 2 };

static void start_event(encl_line *event, const char *phase, const char *name, int process, int thread) {
    encl_line_start(event);
    encl_line_text(event, "ph", phase);
    encl_line_text(event, "name", name);
    encl_line_number(event, "pid", process);
    encl_line_number(event, "tid", thread);
}

static bool add_span(cJSON *events, encl_line *event, const char *category, double start_us, double duration_us) {
    encl_line_text(event, "cat", category);
    encl_line_number(event, "ts", start_us);
    encl_line_number(event, "dur", duration_us > 0 ? duration_us : 0);
    return encl_array_add(events, encl_line_take(event));
}

// Names a process (thread 0) or one of its threads.
static bool add_name(cJSON *events, int process, int thread, const char *name) {
    encl_line event;
    encl_line arguments;
    start_event(&event, "M", thread == 0 ? "process_name" : "thread_name", process, thread);
    encl_line_start(&arguments);
    encl_line_text(&arguments, "name", name);
    encl_line_item(&event, "args", encl_line_take(&arguments));
    return encl_array_add(events, encl_line_take(&event));
}

static bool add_command(cJSON *events, const encl_profile_record *record, double start_us) {
    encl_line event;
    encl_line arguments;
    char shape[40];
    double duration = (double)(record->end_ns - record->start_ns);
    shape_text(record, shape);
    start_event(&event, "X", record->op, DEVICE_PROCESS, QUEUE_THREAD);
    encl_line_start(&arguments);
    encl_line_text(&arguments, "op", record->op);
    encl_line_text(&arguments, "kernel", record->kernel);
    encl_line_number(&arguments, "layer", record->layer);
    encl_line_text(&arguments, "shape", shape);
    encl_line_number(&arguments, "gflops", ratio(record->flops, duration));
    encl_line_item(&event, "args", encl_line_take(&arguments));
    return add_span(events, &event, "cl.exec", start_us, duration / 1e3);
}

// Waits overlap, so they are asynchronous events: begin at QUEUED, end at START.
static bool add_wait(cJSON *events, const char *phase, const encl_profile_record *record, size_t number,
                     double time_us) {
    encl_line event;
    start_event(&event, phase, record->op, DEVICE_PROCESS, QUEUE_THREAD);
    encl_line_text(&event, "cat", "cl.wait");
    encl_line_number(&event, "id", (double)number);
    encl_line_number(&event, "ts", time_us);
    return encl_array_add(events, encl_line_take(&event));
}

// A span for every stretch of commands of one layer.
static bool add_layers(cJSON *events, const encl_profile_result *result, int64_t origin, double start_us) {
    bool complete = true;
    for (size_t i = 0; i < result->row_count && complete;) {
        const encl_profile_record *first = &result->rows[i].record;
        size_t last = i;
        while (last + 1 < result->row_count && result->rows[last + 1].record.layer == first->layer) {
            last++;
        }
        char name[32];
        encl_line event;
        snprintf(name, sizeof name, "layer %d", first->layer);
        start_event(&event, "X", name, DEVICE_PROCESS, LAYER_THREAD);
        complete = add_span(events, &event, "layer", start_us + (double)(first->start_ns - origin) / 1e3,
                            (double)(result->rows[last].record.end_ns - first->start_ns) / 1e3);
        i = last + 1;
    }
    return complete;
}

encl_status encl_profile_trace(cJSON *events, const encl_profile_case *measured, const encl_profile_result *result,
                               double *start_us) {
    double wall_us = (double)result->profiled[result->repeat - 1] / 1e3;
    size_t number = (size_t)cJSON_GetArraySize(events); // ids of waits differ between cases
    encl_line run;
    start_event(&run, "X", measured->name, HOST_PROCESS, 1);
    bool complete = add_span(events, &run, "run", *start_us, wall_us);
    // The clocks are not aligned: the call and the first command's QUEUED are drawn at the same place.
    int64_t origin = result->row_count > 0 ? result->rows[0].record.queued_ns : 0;
    for (size_t i = 0; i < result->row_count && complete; i++) {
        const encl_profile_record *record = &result->rows[i].record;
        double queued = *start_us + (double)(record->queued_ns - origin) / 1e3;
        double started = *start_us + (double)(record->start_ns - origin) / 1e3;
        complete = add_command(events, record, started);
        if (complete && started > queued) {
            complete =
                add_wait(events, "b", record, number + i, queued) && add_wait(events, "e", record, number + i, started);
        }
    }
    complete = complete && add_layers(events, result, origin, *start_us);
    *start_us += wall_us;
    return complete ? ENCL_OK
                    : encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a trace of %zu commands", result->row_count);
}

// Takes the events in any case.
encl_status encl_profile_trace_write(const char *path, cJSON *events, const encl_device_info *device) {
    encl_status status = ENCL_OK;
    encl_output output = {0};
    encl_line trace;
    encl_line other;
    bool named = add_name(events, HOST_PROCESS, 0, "host") && add_name(events, HOST_PROCESS, 1, "calls") &&
                 add_name(events, DEVICE_PROCESS, 0, device->name) &&
                 add_name(events, DEVICE_PROCESS, QUEUE_THREAD, "queue") &&
                 add_name(events, DEVICE_PROCESS, LAYER_THREAD, "layers");
    encl_line_start(&other);
    encl_line_text(&other, "schema", "encl.profile/1");
    encl_line_text(&other, "version", encl_version());
    encl_line_text(&other, "device", device->name);
    encl_line_text(&other, "clock", "unaligned");
    encl_line_start(&trace);
    encl_line_text(&trace, "displayTimeUnit", "ns");
    encl_line_item(&trace, "otherData", encl_line_take(&other));
    encl_line_item(&trace, "traceEvents", events);
    trace.incomplete = trace.incomplete || !named;
    ENCL_TRY(encl_result_open(path, &output));
    ENCL_TRY(encl_line_print(&trace, output.stream));
    status = encl_output_commit(&output);
    output = (encl_output){0};
cleanup:
    encl_line_free(&trace);
    encl_output_abandon(&output);
    return status;
}
