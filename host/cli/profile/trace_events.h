// Writes a trace for Perfetto and chrome://tracing (the Trace Event Format), one event after the other, so that its
// length costs no memory. Times are nanoseconds from the trace's start.
#ifndef ENCL_CLI_TRACE_H
#define ENCL_CLI_TRACE_H

#include "host/cli/output.h"

typedef struct encl_trace {
    FILE *stream;
    bool any; // an event was written
} encl_trace;

// The object around the events. Takes `other`: what is to be known of the trace as a whole.
encl_status encl_trace_begin(encl_trace *trace, FILE *stream, encl_line *other);
encl_status encl_trace_end(encl_trace *trace);

// Processes and threads are shown by number, rising.
encl_status encl_trace_name_process(encl_trace *trace, int process, const char *name);
encl_status encl_trace_name_thread(encl_trace *trace, int process, int thread, const char *name);

// Begins an event that is not written yet. category: NULL where the phase has none.
void encl_trace_event(encl_line *event, const char *phase, const char *name, const char *category, int process,
                      int thread, int64_t ns);
// Each writes the event and frees it and its arguments (NULL: none), also on a failure.
encl_status encl_trace_write(encl_trace *trace, encl_line *event, encl_line *arguments);
// A span. Spans of one thread must nest or follow each other.
encl_status encl_trace_span(encl_trace *trace, encl_line *event, int64_t duration_ns, encl_line *arguments);
// A mark across the whole process.
encl_status encl_trace_mark(encl_trace *trace, encl_line *event, encl_line *arguments);
// One end of a flow: "s" in the span it comes from, "f" in the one it leads to. Ends meet by `id`.
encl_status encl_trace_flow(encl_trace *trace, const char *phase, int64_t id, int process, int thread, int64_t ns);

// A number of the arguments with three decimals; one that is not known is left out.
void encl_trace_figure(encl_line *arguments, const char *key, double value);

// A counter moves.
typedef struct encl_trace_step {
    int64_t ns;
    double by;
} encl_trace_step;
// Sorts the steps and writes the counter's value, which is 0 before them, after every time at which it moves. Nothing
// is written before *last, which moves on.
encl_status encl_trace_counter(encl_trace *trace, int process, const char *name, const char *unit,
                               encl_trace_step *steps, size_t count, int64_t *last);

#endif
