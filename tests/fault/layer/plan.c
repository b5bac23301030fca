#include "tests/fault/layer/plan.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RULES = 16, NAME_BYTES = 64 };

static const char *const call_names[CALL_COUNT] = {
#define CALL(class, name, parameters, arguments) #name,
#define COMMAND(name, parameters, arguments) #name,
#define MAKING(type, name, parameters, arguments) #name,
    ENCL_FAULT_STATUS_CALLS(CALL) ENCL_FAULT_COMMANDS(COMMAND) ENCL_FAULT_MAKING_CALLS(MAKING)
#undef CALL
#undef COMMAND
#undef MAKING
        "callback"};

// Calls `first` to `last` of one entry point fail with a code.
typedef struct rule {
    fault_call call;
    unsigned long first, last;
    cl_int code;
} rule;

static struct {
    fault_plan plan;
    rule rules[MOST_RULES];
    size_t rule_count;
    bool may_be_lost, comes_back;
    rule lost;
    const char *counts_file;
} settings = {.plan = {.delayed = CALL_COUNT}};

static atomic_ulong counts[CALL_COUNT];
static atomic_ulong happened;
static atomic_bool lost_for_now;
static atomic_bool lost_once;

// ---- Reading ----------------------------------------------------------------------------------------------

static bool refuse(const char *variable, const char *text) {
    fprintf(stderr, "fault layer: %s is '%s', see docs/contributing.md\n", variable, text);
    return false;
}

static bool find_call(const char *name, size_t length, fault_call *call) {
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (strlen(call_names[i]) == length && memcmp(call_names[i], name, length) == 0) {
            *call = (fault_call)i;
            return true;
        }
    }
    return false;
}

// "clFinish:3:-5", "clFinish:3+:-5", "clFinish:3-7:-5". *end is what follows.
static bool read_rule(const char *text, rule *made, const char **end) {
    const size_t length = strcspn(text, ":");
    char *at = NULL;
    if (text[length] != ':' || !find_call(text, length, &made->call)) {
        return false;
    }
    made->first = strtoul(text + length + 1, &at, 10);
    made->last = made->first;
    if (*at == '+') {
        made->last = (unsigned long)-1;
        at++;
    } else if (*at == '-') {
        made->last = strtoul(at + 1, &at, 10);
    }
    if (*at != ':' || made->first == 0) {
        return false;
    }
    const char *number = at + 1;
    made->code = (cl_int)strtol(number, &at, 10);
    *end = at;
    return at != number && made->code < 0;
}

static bool read_failures(void) {
    const char *text = getenv("ENCL_FAULT_FAIL");
    for (const char *at = text; at != NULL && *at != '\0';) {
        if (settings.rule_count == MOST_RULES || !read_rule(at, &settings.rules[settings.rule_count], &at) ||
            (*at != ',' && *at != '\0')) {
            return refuse("ENCL_FAULT_FAIL", text);
        }
        settings.rule_count++;
        at += *at == ',';
    }
    return true;
}

static bool read_lost(void) {
    const char *text = getenv("ENCL_FAULT_LOST");
    const char *end = NULL;
    if (text == NULL || *text == '\0') {
        return true;
    }
    settings.comes_back = read_rule(text, &settings.lost, &end) && strcmp(end, ":until-context") == 0;
    if (end == NULL || (*end != '\0' && !settings.comes_back)) {
        return refuse("ENCL_FAULT_LOST", text);
    }
    settings.may_be_lost = true;
    return true;
}

static bool read_bytes(const char *variable, uint64_t *bytes, const char **end) {
    const char *text = getenv(variable);
    char *at = NULL;
    *end = "";
    if (text == NULL || *text == '\0') {
        return true;
    }
    *bytes = strtoull(text, &at, 10);
    *end = at;
    return *bytes > 0 ? true : refuse(variable, text);
}

static bool read_memory(void) {
    static const char *const ways[] = {"", ":lazy", ":event"};
    const char *end = NULL;
    if (!read_bytes("ENCL_FAULT_MEMORY_SAID", &settings.plan.memory_said, &end) || *end != '\0' ||
        !read_bytes("ENCL_FAULT_MEMORY", &settings.plan.memory_limit, &end)) {
        return refuse("ENCL_FAULT_MEMORY", end);
    }
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(end, ways[i]) == 0) {
            settings.plan.memory_way = (fault_memory)i;
            return true;
        }
    }
    return refuse("ENCL_FAULT_MEMORY", end);
}

static bool read_delay(void) {
    const char *text = getenv("ENCL_FAULT_DELAY");
    if (text == NULL || *text == '\0') {
        return true;
    }
    const size_t length = strcspn(text, ":");
    if (text[length] != ':' || !find_call(text, length, &settings.plan.delayed)) {
        return refuse("ENCL_FAULT_DELAY", text);
    }
    settings.plan.delay_ms = (unsigned)strtoul(text + length + 1, NULL, 10);
    return true;
}

static bool read_corruption(void) {
    static char name[NAME_BYTES];
    const char *text = getenv("ENCL_FAULT_CORRUPT");
    if (text == NULL || *text == '\0') {
        return true;
    }
    const size_t length = strcspn(text, ":");
    if (text[length] != ':' || length >= sizeof name) {
        return refuse("ENCL_FAULT_CORRUPT", text);
    }
    memcpy(name, text, length);
    settings.plan.corrupt_kernel = name;
    settings.plan.corrupt_argument = (cl_uint)strtoul(text + length + 1, NULL, 10);
    return true;
}

bool fault_plan_read(void) {
    const char *build = getenv("ENCL_FAULT_BUILD");
    settings.plan.build_text = build != NULL && *build != '\0' ? build : NULL;
    settings.plan.gpu = getenv("ENCL_FAULT_GPU") != NULL;
    settings.plan.mute = getenv("ENCL_FAULT_MUTE") != NULL;
    settings.counts_file = getenv("ENCL_FAULT_COUNTS");
    return read_failures() && read_lost() && read_memory() && read_delay() && read_corruption();
}

const fault_plan *fault_plan_get(void) {
    return &settings.plan;
}

// ---- Counting ---------------------------------------------------------------------------------------------

static bool hits(const rule *r, fault_call call, unsigned long number) {
    return r->call == call && number >= r->first && number <= r->last;
}

bool fault_lost(cl_int *code) {
    *code = settings.lost.code;
    return atomic_load(&lost_for_now);
}

bool fault_counts(fault_call call, bool work, cl_int *code, bool *lost_now) {
    const unsigned long number = atomic_fetch_add(&counts[call], 1) + 1;
    *lost_now = false;
    for (size_t i = 0; i < settings.rule_count; i++) {
        if (hits(&settings.rules[i], call, number)) {
            *code = settings.rules[i].code;
            atomic_fetch_add(&happened, 1);
            return true;
        }
    }
    if (settings.may_be_lost && hits(&settings.lost, call, number) && !atomic_exchange(&lost_once, true)) {
        atomic_store(&lost_for_now, true);
        atomic_fetch_add(&happened, 1);
        *lost_now = true;
    }
    return fault_lost(code) && work;
}

void fault_new_context(void) {
    if (settings.comes_back) {
        atomic_store(&lost_for_now, false);
    }
}

void fault_happened(void) {
    atomic_fetch_add(&happened, 1);
}

void fault_write_counts(void) {
    FILE *file = settings.counts_file == NULL ? NULL : fopen(settings.counts_file, "w");
    if (file == NULL) {
        return;
    }
    fprintf(file, "faults %lu\n", atomic_load(&happened));
    for (size_t i = 0; i < CALL_COUNT; i++) {
        fprintf(file, "%s %lu\n", call_names[i], atomic_load(&counts[i]));
    }
    fclose(file);
}
