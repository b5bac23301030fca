#include "runtime/op/rehearsal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/process.h"
#include "runtime/device/cache.h"
#include "runtime/op/kernel.h"

#ifndef ENCL_INSTALLED_PROGRAM // defined by the build system
#define ENCL_INSTALLED_PROGRAM ""
#endif

static const char cache_kind[] = "rehearsals";
// Part of every key: raised when what a rehearsal does, or what is remembered of one, changes.
static const char cache_format[] = "encl rehearsal 1";

// A part, and what is known of it.
typedef struct trial {
    encl_rehearsal *part;
    char key[ENCL_HASH_TEXT];
    bool begun;   // by the child that runs
    bool settled; // nothing more is to be found out
} trial;

bool encl_rehearsal_is_due(const encl_kernel_row *row) {
    // The processor's instructions. What GPUs lack, their drivers' compilers refuse.
    return strncmp(row->needs, "pocl", strlen("pocl")) == 0;
}

void encl_rehearsal_free(encl_rehearsal *parts, size_t count) {
    for (size_t i = 0; parts != NULL && i < count; i++) {
        free(parts[i].failure);
        parts[i].failure = NULL;
    }
}

encl_status encl_rehearsal_write(const encl_kernel_row *row, const encl_shape *shape, char **text) {
    encl_string written = {0};
    const encl_status status =
        encl_string_format(&written, "%s:%d:%d:%d:%d:%d", row->name, (int)shape->activation, (int)shape->residual,
                           (int)shape->head_size, (int)shape->pooling, (int)shape->top_k);
    *text = written.text;
    return status;
}

encl_status encl_rehearsal_key(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                               char key[ENCL_HASH_TEXT]) {
    encl_status status = ENCL_OK;
    char *options = NULL;
    char program[ENCL_HASH_TEXT];
    encl_hash hash;
    key[0] = '\0';
    ENCL_TRY(encl_kernel_options(row, shape, &options));
    ENCL_TRY(encl_program_key(device, row->file, options, program));
    encl_hash_start(&hash);
    encl_hash_add_text(&hash, cache_format);
    encl_hash_add_text(&hash, program);
    encl_hash_add_text(&hash, row->name);
    encl_hash_finish(&hash, key);
cleanup:
    free(options);
    return status;
}

// ---- What is remembered -----------------------------------------------------------------------------------

static const char passed[] = "passed ";
static const char failed[] = "failed ";

static bool begins(const char *text, size_t length, const char *with) {
    return length >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static encl_status recall(trial *t) {
    encl_status status = ENCL_OK;
    void *bytes = NULL;
    size_t length = 0;
    if (encl_cache_load(cache_kind, t->key, &bytes, &length) != ENCL_OK) {
        return ENCL_OK;
    }
    if (begins(bytes, length, failed)) {
        const size_t head = strlen(failed);
        ENCL_TRY(encl_copy_text((const char *)bytes + head, length - head, &t->part->failure));
    }
    t->settled = begins(bytes, length, failed) || begins(bytes, length, passed);
cleanup:
    free(bytes);
    return status;
}

static void remember(const trial *t) {
    encl_string text = {0};
    const char *failure = t->part->failure;
    if (encl_string_format(&text, "%s%s", failure == NULL ? passed : failed, failure == NULL ? "" : failure) ==
        ENCL_OK) {
        encl_cache_store(cache_kind, t->key, text.text, text.length);
    }
    encl_string_free(&text);
}

static encl_status settle(trial *t, const char *failure, size_t length, bool lasting) {
    const encl_status status = failure == NULL ? ENCL_OK : encl_copy_text(failure, length, &t->part->failure);
    t->settled = true;
    if (status == ENCL_OK && lasting) {
        remember(t);
    }
    return status;
}

// ---- The program ------------------------------------------------------------------------------------------

static bool is_encl(const char *path) {
    const char *slash = strrchr(path, '/');
    return strcmp(slash != NULL ? slash + 1 : path, "encl") == 0;
}

// *path is NULL where there is none; caller frees.
static encl_status find_program(char **path) {
    const char *named = secure_getenv("ENCL_PROGRAM");
    const char *installed = ENCL_INSTALLED_PROGRAM;
    *path = NULL;
    if (named != NULL) {
        return *named == '\0' ? ENCL_OK : encl_copy_text(named, strlen(named), path);
    }
    if (encl_process_self(path) == ENCL_OK) {
        if (is_encl(*path)) {
            return ENCL_OK;
        }
        free(*path);
        *path = NULL;
    }
    return access(installed, X_OK) == 0 ? encl_copy_text(installed, strlen(installed), path) : ENCL_OK;
}

static int64_t patience_seconds(void) {
    enum { USUAL = 60, MOST = 86400 };
    const char *text = getenv("ENCL_REHEARSAL_SECONDS");
    char *end = NULL;
    if (text == NULL || *text == '\0') {
        return USUAL;
    }
    const long seconds = strtol(text, &end, 10);
    if (*end != '\0' || seconds < 1 || seconds > MOST) {
        encl_warn("ENCL_REHEARSAL_SECONDS is '%s', expected a whole number from 1 to %d; ignored", text, MOST);
        return USUAL;
    }
    return seconds;
}

// ---- A child ----------------------------------------------------------------------------------------------

// A line of the child's. What is none, as where it died within one, says nothing.
static encl_status take_line(trial *const *trials, size_t count, const char *line, size_t length) {
    enum { KEY = ENCL_HASH_TEXT - 1 };
    const char *blank = memchr(line, ' ', length);
    const char *key = blank != NULL ? blank + 1 : line;
    const size_t rest = length - (size_t)(key - line);
    for (size_t i = 0; blank != NULL && rest >= KEY && i < count; i++) {
        trial *t = trials[i];
        if (memcmp(key, t->key, KEY) != 0 || t->settled) {
            continue;
        }
        if (begins(line, length, "begin ")) {
            t->begun = true;
        } else if (begins(line, length, passed)) {
            return settle(t, NULL, 0, true);
        } else if (begins(line, length, failed) && rest > KEY) {
            return settle(t, key + KEY + 1, rest - KEY - 1, true);
        } else if (begins(line, length, "skipped ")) {
            return settle(t, NULL, 0, false);
        }
    }
    return ENCL_OK;
}

static encl_status take_lines(trial *const *trials, size_t count, const encl_string *text) {
    encl_status status = ENCL_OK;
    const char *line = text->text;
    while (status == ENCL_OK && line != NULL) {
        const char *end = strchr(line, '\n'); // a last line without one is not whole
        status = end != NULL ? take_line(trials, count, line, (size_t)(end - line)) : ENCL_OK;
        line = end != NULL ? end + 1 : NULL;
    }
    return status;
}

// Of the only kernel of a child that began and said no more. The system kills processes where memory is short, so that
// this happened is not remembered.
static encl_status take_end(trial *t, const encl_process_result *ended, int64_t seconds) {
    encl_status status = ENCL_OK;
    encl_string text = {0};
    if (ended->timed_out) {
        ENCL_TRY(encl_string_format(&text, "its check in a child process hung: no answer for %d s", (int)seconds));
    } else if (ended->signal != 0) {
        ENCL_TRY(encl_string_format(&text, "its check in a child process died (%s)",
                                    encl_process_signal_name(ended->signal)));
    } else {
        ENCL_TRY(encl_string_format(&text, "its check in a child process ended with exit code %d", ended->exit_code));
    }
    ENCL_TRY(settle(t, text.text, text.length, ended->signal != SIGKILL || ended->timed_out));
cleanup:
    encl_string_free(&text);
    return status;
}

// "encl --device 0 rehearse PART…"; caller frees the parts and the list.
static encl_status make_arguments(trial *const *trials, size_t count, char *index, char ***arguments) {
    static char name[] = "encl";
    static char device[] = "--device";
    static char command[] = "rehearse";
    encl_status status = ENCL_OK;
    void *memory = NULL;
    *arguments = NULL;
    ENCL_TRY(encl_allocate(count + 5, sizeof(char *), &memory));
    *arguments = memory;
    (*arguments)[0] = name;
    (*arguments)[1] = device;
    (*arguments)[2] = index;
    (*arguments)[3] = command;
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(encl_rehearsal_write(trials[i]->part->row, trials[i]->part->shape, &(*arguments)[4 + i]));
    }
cleanup:
    return status;
}

static bool was_interrupted(const encl_process_result *ended) {
    return !ended->timed_out && (ended->signal == SIGINT || ended->signal == SIGTERM || ended->signal == SIGHUP);
}

// Rehearses these in one child. Its environment is this process's, so that it sees the same device.
static encl_status run_child(const encl_device *device, const char *program, trial *const *trials, size_t count) {
    encl_status status = ENCL_OK;
    encl_process_result ended = {0};
    const int64_t seconds = patience_seconds();
    const encl_process_watch watch = {.descriptor = -1, .silence_ns = seconds * 1000000000};
    const int64_t start = encl_clock_ns();
    char index[16];
    char **arguments = NULL;
    snprintf(index, sizeof index, "%d", (int)encl_device_get_info(device)->index);
    for (size_t i = 0; i < count; i++) {
        trials[i]->begun = false;
    }
    ENCL_TRY(make_arguments(trials, count, index, &arguments));
    status = encl_process_run(program, arguments, NULL, &watch, &ended);
    if (status == ENCL_NOT_FOUND || status == ENCL_IO) {
        encl_info("no rehearsal of kernels: %s", encl_status_detail());
        status = ENCL_OK;
        goto cleanup;
    }
    ENCL_TRY(status);
    ENCL_TRY(take_lines(trials, count, &ended.out));
    encl_info("kernels rehearsed in a child process: %zu, in %.2f s", count, (double)(encl_clock_ns() - start) * 1e-9);
    if (ended.err.text != NULL) {
        encl_debug("the child process said:\n%s", ended.err.text);
    }
    if (was_interrupted(&ended)) {
        status = encl_fail(ENCL_INTERRUPTED, "interrupted (%s) while kernels were rehearsed",
                           encl_process_signal_name(ended.signal));
    } else if (count == 1 && trials[0]->begun && !trials[0]->settled) {
        status = take_end(trials[0], &ended, seconds);
    }
cleanup:
    for (size_t i = 0; arguments != NULL && i < count; i++) {
        free(arguments[4 + i]);
    }
    free(arguments);
    encl_process_free(&ended);
    return status;
}

// ---- All of them ------------------------------------------------------------------------------------------

// A row that fails with some options is not tried with others: it is not used at all.
static encl_status spread_failures(trial *trials, size_t count) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < count; i++) {
        const char *failure = trials[i].part->failure;
        for (size_t j = 0; failure != NULL && j < count; j++) {
            if (!trials[j].settled && trials[j].part->row == trials[i].part->row) {
                ENCL_TRY(settle(&trials[j], failure, strlen(failure), false));
            }
        }
    }
cleanup:
    return status;
}

// Those of which nothing is known yet; returns how many.
static size_t list_open(trial *trials, size_t count, trial **open) {
    size_t open_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!trials[i].settled) {
            open[open_count++] = &trials[i];
        }
    }
    return open_count;
}

// All that are open at once, as compiling them takes a while; then those that are still open one by one, because it is
// not known which of them ended the child.
static encl_status run_children(const encl_device *device, const char *program, trial *trials, size_t count,
                                trial **open) {
    encl_status status = ENCL_OK;
    const size_t open_count = list_open(trials, count, open);
    bool any = false;
    ENCL_TRY(run_child(device, program, open, open_count));
    for (size_t i = 0; i < open_count; i++) {
        any = any || open[i]->begun;
    }
    if (!any) {
        encl_info("kernels are used without a rehearsal: '%s' tried none of them", program);
        return ENCL_OK;
    }
    for (size_t i = 0; i < open_count; i++) {
        ENCL_TRY(spread_failures(trials, count));
        if (!open[i]->settled) {
            ENCL_TRY(run_child(device, program, &open[i], 1));
        }
    }
    ENCL_TRY(spread_failures(trials, count));
cleanup:
    return status;
}

encl_status encl_rehearse(const encl_device *device, encl_rehearsal *parts, size_t count) {
    encl_status status = ENCL_OK;
    trial *trials = NULL;
    trial **open = NULL;
    char *program = NULL;
    if (count == 0) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_allocate(count, sizeof *trials, (void **)&trials));
    ENCL_TRY(encl_allocate(count, sizeof *open, (void **)&open));
    for (size_t i = 0; i < count; i++) {
        trials[i].part = &parts[i];
        ENCL_TRY(encl_rehearsal_key(device, parts[i].row, parts[i].shape, trials[i].key));
        ENCL_TRY(recall(&trials[i]));
    }
    ENCL_TRY(spread_failures(trials, count));
    if (list_open(trials, count, open) > 0) {
        ENCL_TRY(find_program(&program));
        if (program == NULL) {
            encl_info("kernels are used without a rehearsal: no program encl was found (ENCL_PROGRAM)");
        } else {
            ENCL_TRY(run_children(device, program, trials, count, open));
        }
    }
cleanup:
    free(program);
    free(open);
    free(trials);
    return status;
}

encl_status encl_rehearse_one(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape) {
    encl_rehearsal part = {.row = row, .shape = shape};
    encl_status status = encl_rehearsal_is_due(row) ? encl_rehearse(device, &part, 1) : ENCL_OK;
    if (status == ENCL_OK && part.failure != NULL) {
        status = encl_fail(ENCL_BUILD, "kernel %s: %s", row->name, part.failure);
    }
    encl_rehearsal_free(&part, 1);
    return status;
}
