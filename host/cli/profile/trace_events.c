#include "host/cli/profile/trace_events.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MICROSECONDS_TEXT = 32 };

static encl_status put(const encl_trace *trace, const char *text) {
    return fputs(text, trace->stream) >= 0 ? ENCL_OK : encl_fail(ENCL_IO, "cannot write: %s", strerror(errno));
}

encl_status encl_trace_begin(encl_trace *trace, FILE *stream, encl_line *other) {
    *trace = (encl_trace){.stream = stream};
    encl_status status = put(trace, "{\"displayTimeUnit\":\"ns\",\"otherData\":");
    if (status != ENCL_OK) {
        encl_line_free(other);
        return status;
    }
    status = encl_line_print(other, stream);
    return status == ENCL_OK ? put(trace, ",\"traceEvents\":[\n") : status;
}

encl_status encl_trace_end(encl_trace *trace) {
    return put(trace, "]}\n");
}

// ---- Events -----------------------------------------------------------------------------------------------

// Microseconds with three decimals, whatever the locale: nanoseconds stay exact, so that nesting does.
static cJSON *microseconds(int64_t ns) {
    char text[MICROSECONDS_TEXT];
    snprintf(text, sizeof text, "%" PRId64 ".%03d", ns / 1000, (int)(ns % 1000));
    return cJSON_CreateRaw(text);
}

static void start_event(encl_line *event, const char *phase, const char *name, int process, int thread) {
    encl_line_start(event);
    encl_line_text(event, "ph", phase);
    encl_line_text(event, "name", name);
    encl_line_number(event, "pid", process);
    encl_line_number(event, "tid", thread);
}

void encl_trace_event(encl_line *event, const char *phase, const char *name, const char *category, int process,
                      int thread, int64_t ns) {
    start_event(event, phase, name, process, thread);
    if (category != NULL) {
        encl_line_text(event, "cat", category);
    }
    encl_line_item(event, "ts", microseconds(ns));
}

encl_status encl_trace_write(encl_trace *trace, encl_line *event, encl_line *arguments) {
    if (arguments != NULL) {
        encl_line_item(event, "args", encl_line_take(arguments));
    }
    const encl_status status = trace->any ? put(trace, ",") : ENCL_OK;
    if (status != ENCL_OK) {
        encl_line_free(event);
        return status;
    }
    trace->any = true;
    return encl_line_print(event, trace->stream);
}

encl_status encl_trace_span(encl_trace *trace, encl_line *event, int64_t duration_ns, encl_line *arguments) {
    encl_line_item(event, "dur", microseconds(duration_ns));
    return encl_trace_write(trace, event, arguments);
}

encl_status encl_trace_mark(encl_trace *trace, encl_line *event, encl_line *arguments) {
    encl_line_text(event, "s", "p");
    return encl_trace_write(trace, event, arguments);
}

encl_status encl_trace_flow(encl_trace *trace, const char *phase, int64_t id, int process, int thread, int64_t ns) {
    encl_line event;
    encl_trace_event(&event, phase, "enqueue", "cl.enqueue", process, thread, ns); // name and category match too
    encl_line_number(&event, "id", (double)id);
    if (phase[0] == 'f') {
        encl_line_text(&event, "bp", "e"); // to the span that encloses it, not to the next one
    }
    return encl_trace_write(trace, &event, NULL);
}

void encl_trace_figure(encl_line *arguments, const char *key, double value) {
    if (isfinite(value)) {
        encl_line_number(arguments, key, round(1e3 * value) / 1e3);
    }
}

// ---- Names ------------------------------------------------------------------------------------------------

// Names something, or says where it stands among its like (name NULL).
static encl_status write_metadata(encl_trace *trace, const char *what, int process, int thread, const char *name,
                                  int place) {
    encl_line event;
    encl_line arguments;
    start_event(&event, "M", what, process, thread);
    encl_line_start(&arguments);
    if (name != NULL) {
        encl_line_text(&arguments, "name", name);
    } else {
        encl_line_number(&arguments, "sort_index", place);
    }
    return encl_trace_write(trace, &event, &arguments);
}

encl_status encl_trace_name_process(encl_trace *trace, int process, const char *name) {
    const encl_status status = write_metadata(trace, "process_name", process, 0, name, 0);
    return status == ENCL_OK ? write_metadata(trace, "process_sort_index", process, 0, NULL, process) : status;
}

encl_status encl_trace_name_thread(encl_trace *trace, int process, int thread, const char *name) {
    const encl_status status = write_metadata(trace, "thread_name", process, thread, name, 0);
    return status == ENCL_OK ? write_metadata(trace, "thread_sort_index", process, thread, NULL, thread) : status;
}

// ---- Counters ---------------------------------------------------------------------------------------------

static int compare_steps(const void *a, const void *b) {
    const encl_trace_step *left = a;
    const encl_trace_step *right = b;
    return left->ns < right->ns ? -1 : left->ns > right->ns;
}

static encl_status write_value(encl_trace *trace, int process, const char *name, const char *unit, int64_t ns,
                               double value) {
    encl_line event;
    encl_line arguments;
    encl_trace_event(&event, "C", name, NULL, process, 0, ns);
    encl_line_start(&arguments);
    encl_line_number(&arguments, unit, value);
    return encl_trace_write(trace, &event, &arguments);
}

encl_status encl_trace_counter(encl_trace *trace, int process, const char *name, const char *unit,
                               encl_trace_step *steps, size_t count, int64_t *last) {
    encl_status status = ENCL_OK;
    double value = 0;
    if (count > 0) {
        qsort(steps, count, sizeof *steps, compare_steps);
    }
    for (size_t i = 0; i < count && status == ENCL_OK;) {
        const int64_t ns = steps[i].ns;
        double by = 0;
        for (; i < count && steps[i].ns == ns; i++) {
            by += steps[i].by;
        }
        value += by;
        *last = ns > *last ? ns : *last;
        if (by != 0) {
            status = write_value(trace, process, name, unit, *last, value);
        }
    }
    return status;
}
