// A profile as a trace for Perfetto and chrome://tracing: the host and the device are processes, queues are threads,
// and a flow leads from the call that enqueued a command to the command. Events go to the file as they are made.
#include <stdlib.h>

#include "host/cli/profile/place.h"
#include "host/cli/profile/profile.h"
#include "host/cli/profile/trace_events.h"

enum { HOST = 1, FIRST_DEVICE = 100 };          // processes
enum { CASES = 1, EXECUTABLES = 2, CALLS = 3 }; // threads of the host
enum { LAYERS = 1, QUEUE = 2 };                 // threads of the device: layers, then queues
enum { NAME_TEXT = 64 };

typedef struct drawing {
    encl_trace trace;
    const encl_profile *profile;
    int device;     // its process
    int64_t origin; // what is drawn as 0, by the host's clock
    int64_t id;     // of the last flow or wait
    // Where the last span of each thread ends; commands that overlap have threads of their own.
    int64_t cases_end, executables_end, calls_end, layers_end;
    encl_lanes queues;
    int64_t depth_time; // of the counter's last value
} drawing;

// A time of the trace; before its start is its start.
static int64_t since_origin(const drawing *to, int64_t host_ns) {
    const int64_t ns = encl_ns_between(to->origin, host_ns);
    return ns > 0 ? ns : 0;
}

// ---- Commands ---------------------------------------------------------------------------------------------

// The run's commands, by the trace's clock.
static encl_status place(const drawing *to, const encl_profile_timeline *drawn, encl_placed **commands) {
    const encl_status status = encl_profile_place(drawn, commands);
    for (size_t i = 0; status == ENCL_OK && i < drawn->run.count; i++) {
        encl_placed *command = &(*commands)[i];
        command->queued = since_origin(to, command->queued);
        command->start = since_origin(to, command->start);
        command->end = since_origin(to, command->end);
    }
    return status;
}

// The queue that the command is drawn in; names it when it is new.
static encl_status take_queue(drawing *to, int64_t *start, int64_t *end, int *thread) {
    const int known = to->queues.count;
    const int queue = encl_lanes_take(&to->queues, start, end);
    char name[NAME_TEXT] = "queue";
    *thread = QUEUE + queue;
    if (queue < known) {
        return ENCL_OK;
    }
    if (queue > 0) {
        snprintf(name, sizeof name, "queue, at the same time (%d)", queue + 1);
    }
    return encl_trace_name_thread(&to->trace, to->device, *thread, name);
}

static void describe(const drawing *to, const encl_profile_record *record, int64_t duration, encl_line *arguments) {
    char shape[ENCL_PROFILE_SHAPE_TEXT];
    char layer[16];
    const encl_roof roof = encl_profile_roof(to->profile, 1, record->flops, record->bytes, (double)duration);
    encl_line_start(arguments);
    encl_line_text(arguments, "op", record->op);
    encl_line_text(arguments, "kernel", record->kernel);
    encl_line_text(arguments, "why", record->why);
    encl_line_text(arguments, "fused", record->fused);
    encl_line_text(arguments, "layer", encl_profile_layer(record->layer, to->profile->layers, layer));
    encl_line_text(arguments, "shape", encl_profile_shape(record, shape));
    if (duration > 0) {
        encl_trace_figure(arguments, "gflops", record->flops / (double)duration);
        encl_trace_figure(arguments, "gbs", record->bytes / (double)duration);
        encl_trace_figure(arguments, "roof_pct", roof.roof_pct);
    }
}

// A wait from QUEUED to START. Waits overlap, so they are asynchronous events.
static encl_status write_wait(drawing *to, const encl_profile_record *record, int64_t queued, int64_t start) {
    encl_status status = ENCL_OK;
    const int64_t id = ++to->id;
    for (int end = 0; end < 2; end++) {
        encl_line event;
        encl_trace_event(&event, end == 0 ? "b" : "e", record->op, "cl.wait", to->device, QUEUE,
                         end == 0 ? queued : start);
        encl_line_number(&event, "id", (double)id);
        ENCL_TRY(encl_trace_write(&to->trace, &event, NULL));
    }
cleanup:
    return status;
}

// One command. flow: the id of the flow that ends in it; 0: none.
static encl_status write_command(drawing *to, const encl_profile_record *record, const encl_placed *command,
                                 int64_t flow) {
    encl_status status = ENCL_OK;
    int64_t start = command->start;
    int64_t end = command->end;
    int thread = 0;
    encl_line event;
    encl_line arguments;
    if (command->queued < start) {
        ENCL_TRY(write_wait(to, record, command->queued, start));
    }
    ENCL_TRY(take_queue(to, &start, &end, &thread));
    encl_trace_event(&event, "X", record->op, "cl.exec", to->device, thread, start);
    describe(to, record, command->end - command->start, &arguments);
    ENCL_TRY(encl_trace_span(&to->trace, &event, end - start, &arguments));
    if (flow != 0) {
        ENCL_TRY(encl_trace_flow(&to->trace, "f", flow, to->device, thread, start));
    }
cleanup:
    return status;
}

// A span for every stretch of commands of one layer.
static encl_status write_layers(drawing *to, const encl_run_profile *run, const encl_placed *commands) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < run->count;) {
        const int32_t layer = run->records[commands[i].index].layer;
        int64_t start = commands[i].start;
        int64_t end = start;
        for (; i < run->count && run->records[commands[i].index].layer == layer; i++) {
            end = commands[i].end > end ? commands[i].end : end;
        }
        char name[16];
        char text[NAME_TEXT];
        encl_line event;
        encl_line arguments;
        const char *shown = encl_profile_layer(layer, to->profile->layers, name);
        snprintf(text, sizeof text, "%s%s", shown == name ? "layer " : "", shown);
        encl_span_after(&to->layers_end, &start, &end);
        encl_trace_event(&event, "X", text, "layer", to->device, LAYERS, start);
        encl_line_start(&arguments);
        ENCL_TRY(encl_trace_span(&to->trace, &event, end - start, &arguments));
    }
cleanup:
    return status;
}

// ---- Counters ---------------------------------------------------------------------------------------------

// Commands that are enqueued and not over.
static encl_status write_depth(drawing *to, const encl_placed *commands, size_t count) {
    void *memory = NULL;
    encl_status status = encl_allocate(2 * count, sizeof(encl_trace_step), &memory);
    encl_trace_step *steps = memory;
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        const encl_placed *command = &commands[i];
        steps[2 * i] =
            (encl_trace_step){.ns = command->queued < command->end ? command->queued : command->end, .by = 1};
        steps[2 * i + 1] = (encl_trace_step){.ns = command->end, .by = -1};
    }
    status = encl_trace_counter(&to->trace, to->device, "queue depth", "commands", steps, 2 * count, &to->depth_time);
    free(steps);
    return status;
}

// When the executable's last run that is drawn ended; 0 where it has none.
static int64_t last_use(const encl_profile_case *of, size_t executable) {
    int64_t last = 0;
    for (size_t i = 0; i < of->timeline_count; i++) {
        const encl_profile_timeline *drawn = &of->timeline[i];
        if (drawn->executable == (int32_t)executable && drawn->run.end_ns > last) {
            last = drawn->run.end_ns;
        }
    }
    return last;
}

// Memory of the executables, each from its making to its last run.
static encl_status write_memory(drawing *to) {
    const encl_profile *profile = to->profile;
    size_t count = 0;
    size_t used = 0;
    void *memory = NULL;
    int64_t last = 0;
    for (size_t i = 0; i < profile->case_count; i++) {
        count += profile->cases[i].executable_count;
    }
    encl_status status = encl_allocate(2 * count, sizeof(encl_trace_step), &memory);
    encl_trace_step *steps = memory;
    if (status != ENCL_OK) {
        return status;
    }
    for (size_t i = 0; i < profile->case_count; i++) {
        const encl_profile_case *of = &profile->cases[i];
        for (size_t k = 0; k < of->executable_count; k++) {
            const encl_executable_info *info = &of->executables[k].info;
            const int64_t end = last_use(of, k);
            if (end > info->created_ns) {
                const double bytes = (double)info->device_bytes;
                steps[used++] = (encl_trace_step){.ns = since_origin(to, info->created_ns), .by = bytes};
                steps[used++] = (encl_trace_step){.ns = since_origin(to, end), .by = -bytes};
            }
        }
    }
    status = encl_trace_counter(&to->trace, to->device, "device bytes", "bytes", steps, used, &last);
    free(steps);
    return status;
}

// ---- The host ---------------------------------------------------------------------------------------------

static encl_status write_instant(drawing *to, const char *name, const char *category, int64_t ns,
                                 encl_line *arguments) {
    encl_line event;
    encl_trace_event(&event, "i", name, category, HOST, EXECUTABLES, ns);
    encl_line_text(&event, "s", "p"); // a mark across the process
    return encl_trace_write(&to->trace, &event, arguments);
}

// The making of an executable: a span where its time is known, and marks of what happened in it.
static encl_status write_executable(drawing *to, const encl_executable_info *info, int64_t create_ns) {
    encl_status status = ENCL_OK;
    char name[NAME_TEXT];
    encl_line arguments;
    int64_t start = since_origin(to, info->created_ns);
    int64_t end = encl_ns_after(start, create_ns);
    const int misses = info->programs - info->programs_from_cache;
    encl_span_after(&to->executables_end, &start, &end);
    if (create_ns > 0) {
        encl_line event;
        encl_trace_event(&event, "X", "make executable", "create", HOST, EXECUTABLES, start);
        encl_line_start(&arguments);
        encl_line_number(&arguments, "weight_bytes", (double)info->weight_bytes);
        encl_line_number(&arguments, "arena_bytes", (double)info->arena_bytes);
        encl_line_number(&arguments, "device_bytes", (double)info->device_bytes);
        encl_line_number(&arguments, "upload_us", (double)info->upload_ns / 1e3);
        encl_line_text(&arguments, "gemm", info->gemm);
        encl_line_precision(&arguments, info);
        ENCL_TRY(encl_trace_span(&to->trace, &event, end - start, &arguments));
    }
    snprintf(name, sizeof name, "build: %d programs", info->programs);
    encl_line_start(&arguments);
    encl_line_number(&arguments, "programs", info->programs);
    encl_line_number(&arguments, "programs_from_cache", info->programs_from_cache);
    encl_line_number(&arguments, "build_us", (double)info->build_ns / 1e3);
    ENCL_TRY(write_instant(to, name, "build", start, &arguments));
    if (misses > 0) {
        snprintf(name, sizeof name, "cache misses: %d programs", misses);
        encl_line_start(&arguments);
        encl_line_number(&arguments, "programs", misses);
        ENCL_TRY(write_instant(to, name, "cache", start, &arguments));
    }
    if (info->quarantined > 0) {
        snprintf(name, sizeof name, "quarantine: %d kernel rows", info->quarantined);
        encl_line_start(&arguments);
        encl_line_number(&arguments, "rows", info->quarantined);
        ENCL_TRY(write_instant(to, name, "quarantine", start, &arguments));
    }
cleanup:
    return status;
}

static int64_t within(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

// The call, and in it the calls that enqueue. flows[i]: the flow that begins in the one of record i.
static encl_status write_calls(drawing *to, const encl_profile_timeline *drawn, const char *name, int64_t *flows) {
    encl_status status = ENCL_OK;
    const encl_run_profile *run = &drawn->run;
    int64_t start = since_origin(to, run->begin_ns);
    int64_t end = since_origin(to, run->end_ns);
    encl_line event;
    encl_line arguments;
    encl_span_after(&to->calls_end, &start, &end);
    encl_trace_event(&event, "X", name, "run", HOST, CALLS, start);
    encl_line_start(&arguments);
    encl_line_number(&arguments, "tokens", run->tokens);
    encl_line_number(&arguments, "sequences", run->sequences);
    encl_line_number(&arguments, "selected", run->selected);
    ENCL_TRY(encl_trace_span(&to->trace, &event, end - start, &arguments));
    for (size_t i = 0; i < run->count; i++) {
        const encl_profile_record *record = &run->records[i];
        const int64_t begin = within(since_origin(to, record->enqueue_begin_ns), start, end);
        const int64_t stop = within(since_origin(to, record->enqueue_end_ns), begin, end);
        start = stop; // of what is left for the next
        encl_trace_event(&event, "X", record->op, "enqueue", HOST, CALLS, begin);
        encl_line_start(&arguments);
        encl_line_text(&arguments, "kernel", record->kernel);
        ENCL_TRY(encl_trace_span(&to->trace, &event, stop - begin, &arguments));
        if (begin <= since_origin(to, encl_clock_map_host(&drawn->clock, record->start_ns))) { // as it should be
            flows[i] = ++to->id;
            ENCL_TRY(encl_trace_flow(&to->trace, "s", flows[i], HOST, CALLS, begin));
        }
    }
cleanup:
    return status;
}

// ---- All of it --------------------------------------------------------------------------------------------

static encl_status write_run(drawing *to, const encl_profile_timeline *drawn, const char *name) {
    encl_status status = ENCL_OK;
    const encl_run_profile *run = &drawn->run;
    encl_placed *commands = NULL;
    void *flows = NULL; // int64_t of every record; 0: none
    ENCL_TRY(place(to, drawn, &commands));
    ENCL_TRY(encl_allocate(run->count, sizeof(int64_t), &flows));
    if (drawn->clock.aligned) { // else nobody knows where the host stood
        ENCL_TRY(write_calls(to, drawn, name, flows));
    }
    for (size_t i = 0; i < run->count; i++) {
        const size_t index = commands[i].index;
        ENCL_TRY(write_command(to, &run->records[index], &commands[i], ((int64_t *)flows)[index]));
    }
    ENCL_TRY(write_layers(to, run, commands));
    ENCL_TRY(write_depth(to, commands, run->count));
cleanup:
    free(flows);
    free(commands);
    return status;
}

// From the making of its first executable to the end of its last run; false where it has neither.
static bool case_extent(const encl_profile_case *of, int64_t *begin, int64_t *end) {
    *begin = INT64_MAX;
    *end = INT64_MIN;
    for (size_t i = 0; i < of->executable_count; i++) {
        const int64_t created = of->executables[i].info.created_ns;
        *begin = created < *begin ? created : *begin;
        *end = created > *end ? created : *end;
    }
    for (size_t i = 0; i < of->timeline_count; i++) {
        const encl_run_profile *run = &of->timeline[i].run;
        *begin = run->begin_ns < *begin ? run->begin_ns : *begin;
        *end = run->end_ns > *end ? run->end_ns : *end;
    }
    return *begin <= *end;
}

static encl_status write_case(drawing *to, const encl_profile_case *of) {
    encl_status status = ENCL_OK;
    int64_t begin = 0;
    int64_t end = 0;
    encl_line event;
    encl_line arguments;
    if (!case_extent(of, &begin, &end)) {
        return ENCL_OK;
    }
    begin = since_origin(to, begin);
    end = since_origin(to, end);
    encl_span_after(&to->cases_end, &begin, &end);
    encl_trace_event(&event, "X", of->name, "case", HOST, CASES, begin);
    encl_line_start(&arguments);
    encl_line_number(&arguments, "runs", (double)of->runs);
    encl_line_number(&arguments, "runs_left_out", (double)of->timeline_left_out);
    ENCL_TRY(encl_trace_span(&to->trace, &event, end - begin, &arguments));
    for (size_t i = 0; i < of->executable_count; i++) {
        ENCL_TRY(write_executable(to, &of->executables[i].info, of->executable_count == 1 ? of->create_ns : 0));
    }
    for (size_t i = 0; i < of->timeline_count; i++) {
        ENCL_TRY(write_run(to, &of->timeline[i], of->name));
    }
cleanup:
    return status;
}

static int64_t first_time(const encl_profile *profile) {
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < profile->case_count; i++) {
        int64_t begin = 0;
        int64_t end = 0;
        if (case_extent(&profile->cases[i], &begin, &end) && begin < first) {
            first = begin;
        }
    }
    return first != INT64_MAX ? first : 0;
}

// "aligned": every run's clocks are; "unaligned": none; "mixed".
static const char *clock_state(const encl_profile *profile) {
    size_t aligned = 0;
    size_t runs = 0;
    for (size_t i = 0; i < profile->case_count; i++) {
        for (size_t k = 0; k < profile->cases[i].timeline_count; k++) {
            aligned += profile->cases[i].timeline[k].clock.aligned ? 1 : 0;
            runs++;
        }
    }
    return aligned == 0 ? "unaligned" : aligned == runs ? "aligned" : "mixed";
}

static encl_status write_head(drawing *to, FILE *stream) {
    const encl_device_info *device = to->profile->device;
    encl_status status = ENCL_OK;
    encl_line other;
    encl_line_start(&other);
    encl_line_text(&other, "schema", "encl.profile/1");
    encl_line_text(&other, "version", encl_version());
    encl_line_text(&other, "commit", encl_commit());
    encl_line_text(&other, "command", to->profile->command);
    encl_line_text(&other, "device", device != NULL ? device->name : NULL);
    encl_line_text(&other, "platform", device != NULL ? device->platform : NULL);
    encl_line_text(&other, "driver", device != NULL ? device->driver : NULL);
    encl_line_text(&other, "clock", clock_state(to->profile));
    ENCL_TRY(encl_trace_begin(&to->trace, stream, &other));
    ENCL_TRY(encl_trace_name_process(&to->trace, HOST, "host"));
    ENCL_TRY(encl_trace_name_thread(&to->trace, HOST, CASES, "cases"));
    ENCL_TRY(encl_trace_name_thread(&to->trace, HOST, EXECUTABLES, "executables"));
    ENCL_TRY(encl_trace_name_thread(&to->trace, HOST, CALLS, "calls"));
    if (device != NULL) {
        ENCL_TRY(encl_trace_name_process(&to->trace, to->device, device->name));
        ENCL_TRY(encl_trace_name_thread(&to->trace, to->device, LAYERS, "layers"));
    }
cleanup:
    return status;
}

static encl_status write_all(drawing *to, FILE *stream) {
    encl_status status = ENCL_OK;
    ENCL_TRY(write_head(to, stream));
    for (size_t i = 0; i < to->profile->case_count; i++) {
        ENCL_TRY(write_case(to, &to->profile->cases[i]));
    }
    ENCL_TRY(write_memory(to));
    ENCL_TRY(encl_trace_end(&to->trace));
cleanup:
    return status;
}

encl_status encl_profile_write_trace(const char *path, const encl_profile *profile) {
    encl_output output = {0};
    drawing to = {.profile = profile, .device = FIRST_DEVICE, .origin = first_time(profile)};
    to.device += profile->device != NULL ? profile->device->index : 0;
    encl_status status = encl_result_open(path, &output);
    if (status != ENCL_OK) {
        return status;
    }
    status = write_all(&to, output.stream);
    if (status != ENCL_OK) {
        encl_output_abandon(&output);
        return encl_fail_context(status, "%s", path);
    }
    return encl_output_commit(&output);
}
