// What the child process of a rehearsal does.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "runtime/op/kernel_make.h"
#include "runtime/op/rehearsal.h"

typedef struct part {
    const encl_kernel_row *row;
    encl_shape shape;
    char key[ENCL_HASH_TEXT];
    encl_status status; // OUT_OF_MEMORY, IO: nothing more can be told
} part;

typedef struct stage {
    const encl_device *device;
    part *parts;
    FILE *pipe;
    encl_mutex mutex; // of the pipe
} stage;

// ---- Parts ------------------------------------------------------------------------------------------------

static encl_status fail_part(const char *text) {
    return encl_fail(ENCL_INVALID, "found '%s', expected row:activation:residual:head size:pooling:top k", text);
}

static encl_status read_number(const char **text, int most, int *value) {
    char *end = NULL;
    const char *digits = *text + 1;
    const long number = **text == ':' && *digits >= '0' && *digits <= '9' ? strtol(digits, &end, 10) : -1;
    if (number < 0 || number > most) {
        return ENCL_INVALID;
    }
    *text = end;
    *value = (int)number;
    return ENCL_OK;
}

static const encl_kernel_row *find_row(const char *name, size_t length) {
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (strlen(encl_kernel_rows[i].name) == length && memcmp(encl_kernel_rows[i].name, name, length) == 0) {
            return &encl_kernel_rows[i];
        }
    }
    return NULL;
}

static encl_status read_part(const encl_device *device, const char *text, part *read) {
    enum { ACTIVATION, RESIDUAL, HEAD_SIZE, POOLING, TOP_K, NUMBERS };
    static const int most[NUMBERS] = {ENCL_ACTIVATION_TANH, 1, 4096, ENCL_POOLING_POOLER, 4096};
    const char *at = text + strcspn(text, ":");
    int numbers[NUMBERS];
    read->row = find_row(text, (size_t)(at - text));
    for (size_t i = 0; i < NUMBERS; i++) {
        if (read_number(&at, most[i], &numbers[i]) != ENCL_OK) {
            return fail_part(text);
        }
    }
    if (read->row == NULL || *at != '\0') {
        return fail_part(text);
    }
    read->shape = (encl_shape){.activation = (encl_activation)numbers[ACTIVATION],
                               .residual = numbers[RESIDUAL] != 0,
                               .head_size = numbers[HEAD_SIZE],
                               .pooling = (encl_pooling)numbers[POOLING],
                               .top_k = numbers[TOP_K]};
    return encl_rehearsal_key(device, read->row, &read->shape, read->key);
}

// ---- Lines ------------------------------------------------------------------------------------------------

static encl_status say(stage *s, const char *verdict, const char *key, const char *why) {
    encl_string line = {0};
    encl_status status = encl_string_format(&line, "%s %s %s", verdict, key, why);
    for (char *end = line.text; status == ENCL_OK && (end = strchr(end, '\n')) != NULL;) {
        *end = ' '; // it is one line
    }
    encl_mutex_lock(&s->mutex);
    if (status == ENCL_OK && (fprintf(s->pipe, "%s\n", line.text) < 0 || fflush(s->pipe) != 0)) {
        status = encl_fail(ENCL_IO, "the pipe of a rehearsal is closed");
    }
    encl_mutex_unlock(&s->mutex);
    encl_string_free(&line);
    return status;
}

// ---- Faults, for tests ------------------------------------------------------------------------------------

static const char *fault_of(const encl_kernel_row *row) {
    const char *asked = getenv("ENCL_REHEARSAL_FAULT");
    const char *colon = asked != NULL ? strrchr(asked, ':') : NULL;
    return colon != NULL && strncmp(row->name, asked, (size_t)(colon - asked)) == 0 ? colon + 1 : "";
}

static encl_status have_fault(const encl_kernel_row *row) {
    const char *fault = fault_of(row);
    if (strcmp(fault, "kill") == 0) {
        signal(SIGILL, SIG_DFL);
        raise(SIGILL);
    }
    while (strcmp(fault, "hang") == 0) {
        pause();
    }
    return strcmp(fault, "wrong") == 0
               ? encl_fail(ENCL_BUILD, "its self-check failed, as ENCL_REHEARSAL_FAULT asks for")
               : ENCL_OK;
}

// ---- The rehearsal ----------------------------------------------------------------------------------------

static void perform_one(void *context, size_t i) {
    stage *s = context;
    part *p = &s->parts[i];
    encl_kernel kernel = {0};
    p->status = say(s, "begin", p->key, p->row->name);
    if (p->status != ENCL_OK) {
        return;
    }
    encl_status made = have_fault(p->row);
    made = made == ENCL_OK ? encl_kernel_make(s->device, p->row, &p->shape, &kernel) : made;
    if (made == ENCL_OK) {
        p->status = say(s, "passed", p->key, p->row->name);
    } else {
        // What the compiler or the check said is so; anything else may be otherwise the next time.
        p->status = say(s, made == ENCL_BUILD ? "failed" : "skipped", p->key, encl_status_detail());
    }
    encl_kernel_close(&kernel);
}

encl_status encl_rehearsal_perform(const encl_device *device, char *const *parts, size_t count, FILE *pipe) {
    encl_status status = ENCL_OK;
    stage s = {.device = device, .pipe = pipe, .mutex = ENCL_MUTEX_INIT};
    ENCL_TRY(encl_allocate(count, sizeof *s.parts, (void **)&s.parts));
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(read_part(device, parts[i], &s.parts[i]));
    }
    encl_parallel(count, encl_device_takes_threads(device) ? encl_machine_threads() : 1, perform_one, &s);
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(s.parts[i].status);
    }
cleanup:
    free(s.parts);
    return status;
}
