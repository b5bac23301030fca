// What a trace must be like, so that Perfetto and chrome://tracing show it as it is meant: see encl_trace in
// host/cli/trace.h. Times are compared in nanoseconds.
#ifndef ENCL_TEST_TRACE_CHECK_H
#define ENCL_TEST_TRACE_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "test.h"

enum { TRACE_THREADS = 64, TRACE_DEPTH = 8, TRACE_FAULT = 512 };

typedef struct trace_thread {
    int process, thread;
    bool named;
    int64_t last;              // start of its last span
    int64_t ends[TRACE_DEPTH]; // of the spans that are open there
    size_t depth;
} trace_thread;

// Both ends of what ids join.
typedef struct trace_pair {
    const cJSON *first, *second;
} trace_pair;

typedef struct trace_check {
    trace_thread threads[TRACE_THREADS];
    size_t thread_count;
    trace_pair *pairs; // by id
    size_t pair_count;
    size_t spans, commands, enqueues, flows, waits, counters, marks;
    double counter_last[2]; // of the two counters
    int64_t counter_time[2];
    char fault[TRACE_FAULT]; // "": none
} trace_check;

static inline void trace_fault(trace_check *check, const cJSON *event, const char *what) {
    if (check->fault[0] == '\0') {
        char *text = event != NULL ? cJSON_PrintUnformatted(event) : NULL;
        snprintf(check->fault, sizeof check->fault, "%s: %s", what, text != NULL ? text : "");
        free(text);
    }
}

static inline const char *trace_text(const cJSON *event, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

// A time in nanoseconds; −1 where there is none, or it has more decimals.
static inline int64_t trace_ns(const cJSON *event, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, key);
    const double ns = cJSON_IsNumber(item) ? 1e3 * item->valuedouble : -1;
    return ns >= 0 && fabs(ns - round(ns)) < 0.01 ? (int64_t)llround(ns) : -1;
}

static inline int trace_number(const cJSON *event, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, key);
    return cJSON_IsNumber(item) ? item->valueint : -1;
}

static inline trace_thread *trace_thread_of(trace_check *check, int process, int thread) {
    for (size_t i = 0; i < check->thread_count; i++) {
        if (check->threads[i].process == process && check->threads[i].thread == thread) {
            return &check->threads[i];
        }
    }
    assert_true(check->thread_count < TRACE_THREADS);
    check->threads[check->thread_count] = (trace_thread){.process = process, .thread = thread};
    return &check->threads[check->thread_count++];
}

static inline void check_span(trace_check *check, const cJSON *event, trace_thread *thread) {
    const int64_t start = trace_ns(event, "ts");
    const int64_t duration = trace_ns(event, "dur");
    if (duration < 0) {
        trace_fault(check, event, "no duration");
        return;
    }
    if (start < thread->last) {
        trace_fault(check, event, "starts before the span before it");
    }
    while (thread->depth > 0 && thread->ends[thread->depth - 1] <= start) {
        thread->depth--;
    }
    if (thread->depth > 0 && thread->ends[thread->depth - 1] < start + duration) {
        trace_fault(check, event, "does not end within the span that it starts in");
    }
    if (thread->depth == TRACE_DEPTH) {
        trace_fault(check, event, "nested too deep");
        return;
    }
    thread->ends[thread->depth++] = start + duration;
    thread->last = start;
    check->spans++;
    check->commands += strcmp(trace_text(event, "cat"), "cl.exec") == 0 ? 1 : 0;
    check->enqueues += strcmp(trace_text(event, "cat"), "enqueue") == 0 ? 1 : 0;
}

static inline void check_pair(trace_check *check, const cJSON *event, bool first) {
    const int id = trace_number(event, "id");
    if (id < 0 || (size_t)id >= check->pair_count) {
        trace_fault(check, event, "no usable id");
        return;
    }
    const cJSON **end = first ? &check->pairs[id].first : &check->pairs[id].second;
    if (*end != NULL) {
        trace_fault(check, event, "its id has such an end already");
    }
    *end = event;
}

// A flow's ends must lie in spans, which come before them in the file.
static inline void check_flow(trace_check *check, const cJSON *event, const trace_thread *thread) {
    const int64_t ns = trace_ns(event, "ts");
    const bool inside = thread->depth > 0 && thread->last <= ns && ns <= thread->ends[thread->depth - 1];
    if (!inside) {
        trace_fault(check, event, "a flow's end outside of every span");
    }
    if (strcmp(trace_text(event, "ph"), "f") == 0 && strcmp(trace_text(event, "bp"), "e") != 0) {
        trace_fault(check, event, "a flow's end that binds to the next span");
    }
    check->flows++;
}

static inline void check_counter(trace_check *check, const cJSON *event) {
    const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(event, "args");
    const size_t which = strcmp(trace_text(event, "name"), "device bytes") == 0 ? 1 : 0;
    const int64_t ns = trace_ns(event, "ts");
    if (arguments == NULL || !cJSON_IsNumber(arguments->child) || arguments->child->valuedouble < 0) {
        trace_fault(check, event, "a counter without a value");
        return;
    }
    if (ns < check->counter_time[which]) {
        trace_fault(check, event, "a counter that goes back in time");
    }
    check->counter_time[which] = ns;
    check->counter_last[which] = arguments->child->valuedouble;
    check->counters++;
}

static inline void check_event(trace_check *check, const cJSON *event) {
    const char *phase = trace_text(event, "ph");
    const int process = trace_number(event, "pid");
    const int thread_number = trace_number(event, "tid");
    if (process < 0 || thread_number < 0 || trace_text(event, "name")[0] == '\0' || strlen(phase) != 1) {
        trace_fault(check, event, "not an event");
        return;
    }
    trace_thread *thread = trace_thread_of(check, process, thread_number);
    if (phase[0] == 'M') {
        const char *name = trace_text(event, "name");
        const bool names = strcmp(name, "process_name") == 0 || strcmp(name, "thread_name") == 0;
        const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(event, "args");
        thread->named = thread->named || (names && trace_text(arguments, "name")[0] != '\0');
        return;
    }
    if (trace_ns(event, "ts") < 0) {
        trace_fault(check, event, "no time");
        return;
    }
    switch (phase[0]) {
    case 'X':
        check_span(check, event, thread);
        break;
    case 'b':
    case 'e':
        check_pair(check, event, phase[0] == 'b');
        check->waits++;
        break;
    case 's':
    case 'f':
        check_pair(check, event, phase[0] == 's');
        check_flow(check, event, thread);
        break;
    case 'C':
        check_counter(check, event);
        break;
    case 'i':
        if (trace_text(event, "s")[0] == '\0') {
            trace_fault(check, event, "a mark without a scope");
        }
        check->marks++;
        break;
    default:
        trace_fault(check, event, "an unknown phase");
        break;
    }
}

static inline void check_pairs(trace_check *check) {
    static const char *const same[] = {"name", "cat"};
    for (size_t i = 0; i < check->pair_count; i++) {
        const trace_pair *pair = &check->pairs[i];
        if ((pair->first == NULL) != (pair->second == NULL)) {
            trace_fault(check, pair->first != NULL ? pair->first : pair->second, "its other end is missing");
        }
        if (pair->first == NULL || pair->second == NULL) {
            continue;
        }
        const char phases[] = {trace_text(pair->first, "ph")[0], trace_text(pair->second, "ph")[0], '\0'};
        if (strcmp(phases, "be") != 0 && strcmp(phases, "sf") != 0) {
            trace_fault(check, pair->first, "its other end is of another kind");
        }
        if (trace_ns(pair->first, "ts") > trace_ns(pair->second, "ts")) {
            trace_fault(check, pair->first, "its other end comes before it");
        }
        for (size_t k = 0; k < sizeof same / sizeof same[0]; k++) {
            if (strcmp(trace_text(pair->first, same[k]), trace_text(pair->second, same[k])) != 0) {
                trace_fault(check, pair->first, "its other end has another name");
            }
        }
    }
}

// Counts what a trace holds; fault says what is wrong.
static inline trace_check check_trace(const cJSON *trace) {
    trace_check check = {0};
    const cJSON *events = cJSON_GetObjectItemCaseSensitive(trace, "traceEvents");
    const cJSON *event = NULL;
    if (!cJSON_IsArray(events) || strcmp(trace_text(trace, "displayTimeUnit"), "ns") != 0) {
        trace_fault(&check, NULL, "not a trace");
        return check;
    }
    check.pair_count = (size_t)cJSON_GetArraySize(events) + 1;
    check.pairs = calloc(check.pair_count, sizeof *check.pairs);
    assert_non_null(check.pairs);
    cJSON_ArrayForEach(event, events) {
        check_event(&check, event);
    }
    check_pairs(&check);
    for (size_t i = 0; i < check.thread_count; i++) {
        const trace_thread *thread = &check.threads[i];
        if (!thread->named || !trace_thread_of(&check, thread->process, 0)->named) {
            trace_fault(&check, NULL, "a process or thread without a name");
        }
    }
    if (check.counter_last[0] != 0 || check.counter_last[1] != 0) {
        trace_fault(&check, NULL, "a counter that does not return to 0");
    }
    free(check.pairs);
    check.pairs = NULL;
    return check;
}

#endif
