// A profile as a trace for Chrome's and Perfetto's viewers.
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile.h"

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
    char shape[ENCL_PROFILE_SHAPE_TEXT];
    double duration = (double)(record->end_ns - record->start_ns);
    start_event(&event, "X", record->op, DEVICE_PROCESS, QUEUE_THREAD);
    encl_line_start(&arguments);
    encl_line_text(&arguments, "op", record->op);
    encl_line_text(&arguments, "kernel", record->kernel);
    encl_line_number(&arguments, "layer", record->layer);
    encl_line_text(&arguments, "shape", encl_profile_shape(record, shape));
    encl_line_number(&arguments, "gflops", encl_profile_rate(record->flops, duration));
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
static bool add_layers(cJSON *events, const encl_run_profile *run, int64_t origin, double start_us) {
    bool complete = true;
    for (size_t i = 0; i < run->count && complete;) {
        const encl_profile_record *first = &run->records[i];
        size_t last = i;
        while (last + 1 < run->count && run->records[last + 1].layer == first->layer) {
            last++;
        }
        char name[32];
        encl_line event;
        snprintf(name, sizeof name, "layer %d", first->layer);
        start_event(&event, "X", name, DEVICE_PROCESS, LAYER_THREAD);
        complete = add_span(events, &event, "layer", start_us + (double)(first->start_ns - origin) / 1e3,
                            (double)(run->records[last].end_ns - first->start_ns) / 1e3);
        i = last + 1;
    }
    return complete;
}

// Appends a run, *start_us after the trace's start, and moves it on.
static bool add_run(cJSON *events, const char *name, const encl_run_profile *run, double *start_us) {
    const double wall_us = (double)(run->end_ns - run->begin_ns) / 1e3;
    const size_t number = (size_t)cJSON_GetArraySize(events); // ids of waits differ between cases
    encl_line call;
    start_event(&call, "X", name, HOST_PROCESS, 1);
    bool complete = add_span(events, &call, "run", *start_us, wall_us);
    // The clocks are not aligned: the call and the first command's QUEUED are drawn at the same place.
    const int64_t origin = run->count > 0 ? run->records[0].queued_ns : 0;
    for (size_t i = 0; i < run->count && complete; i++) {
        const encl_profile_record *record = &run->records[i];
        const double queued = *start_us + (double)(record->queued_ns - origin) / 1e3;
        const double started = *start_us + (double)(record->start_ns - origin) / 1e3;
        complete = add_command(events, record, started);
        if (complete && started > queued) {
            complete =
                add_wait(events, "b", record, number + i, queued) && add_wait(events, "e", record, number + i, started);
        }
    }
    complete = complete && add_layers(events, run, origin, *start_us);
    *start_us += wall_us;
    return complete;
}

encl_status encl_profile_write_trace(const char *path, const encl_profile *profile) {
    encl_status status = ENCL_OK;
    encl_output output = {0};
    encl_line trace;
    encl_line other;
    const char *device = profile->device != NULL ? profile->device->name : "";
    double start_us = 0;
    cJSON *events = cJSON_CreateArray();
    bool complete = events != NULL;
    for (size_t i = 0; i < profile->case_count && complete; i++) {
        for (size_t j = 0; j < profile->cases[i].timeline_count && complete; j++) {
            complete = add_run(events, profile->cases[i].name, &profile->cases[i].timeline[j].run, &start_us);
        }
    }
    complete = complete && add_name(events, HOST_PROCESS, 0, "host") && add_name(events, HOST_PROCESS, 1, "calls") &&
               add_name(events, DEVICE_PROCESS, 0, device) && add_name(events, DEVICE_PROCESS, QUEUE_THREAD, "queue") &&
               add_name(events, DEVICE_PROCESS, LAYER_THREAD, "layers");
    encl_line_start(&other);
    encl_line_text(&other, "schema", "encl.profile/1");
    encl_line_text(&other, "version", encl_version());
    encl_line_text(&other, "device", device);
    encl_line_text(&other, "clock", "unaligned");
    encl_line_start(&trace);
    encl_line_text(&trace, "displayTimeUnit", "ns");
    encl_line_item(&trace, "otherData", encl_line_take(&other));
    encl_line_item(&trace, "traceEvents", events);
    trace.incomplete = trace.incomplete || !complete;
    ENCL_TRY(encl_result_open(path, &output));
    ENCL_TRY(encl_line_print(&trace, output.stream));
    status = encl_output_commit(&output);
    output = (encl_output){0};
cleanup:
    encl_line_free(&trace);
    encl_output_abandon(&output);
    return status;
}
