// Child processes of `encl doctor`: this very program again, whose lines are read from a pipe. One that crashes or is
// silent for too long ends, and the parent goes on.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/doctor/doctor.h"
#include "host/cli/interrupt.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/process.h"

enum {
    LINE_LIMIT = 1 << 20,
    READ_BYTES = 4096,
    REDRAW_MS = 200,
};

// ---- Starting one -----------------------------------------------------------------------------------------

typedef struct child {
    encl_process process;
    encl_string text;  // of its lines, as far as it came
    encl_string words; // of what was said beside them: the last line
} child;

// Its standard output is the pipe for its lines; before it calls a driver, it makes that another descriptor (see
// doctor.c), because drivers write what they like to standard output and error. Both go to `err`.
static encl_status start_child(const encl_doctor *doctor, const char *task, const char *vendors, child *started) {
    const char *level = doctor->globals->level >= ENCL_LOG_INFO ? "-v" : "-q";
    const char *arguments[16] = {"encl", level, "doctor", "--child"};
    size_t count = 4;
    encl_string marked = {0}; // a task of nobody else's
    encl_string folder = {0};
    encl_status status = ENCL_OK;
    *started = (child){0};
    ENCL_TRY(encl_string_format(&marked, "%ld/%s", (long)getpid(), task));
    if (vendors != NULL) {
        ENCL_TRY(encl_string_format(&folder, "OCL_ICD_VENDORS=%s", vendors));
    }
    arguments[count++] = marked.text;
    if (doctor->globals->device != NULL) {
        arguments[count++] = "--device";
        arguments[count++] = doctor->globals->device;
    }
    if (doctor->settings->quick) {
        arguments[count++] = "--quick";
    }
    // In a group of its own: with the compilers that drivers start, it can be killed at once.
    ENCL_TRY(encl_process_start("/proc/self/exe", (char *const *)arguments, (char *const[]){folder.text, NULL}, true,
                                &started->process));
    fcntl(started->process.err, F_SETFL, O_NONBLOCK);
cleanup:
    encl_string_free(&marked);
    encl_string_free(&folder);
    return status;
}

// ---- Listening --------------------------------------------------------------------------------------------

// Keeps the last line that holds something.
static encl_status hear(child *c) {
    char bytes[READ_BYTES];
    const int said = c->process.err;
    for (ssize_t length = read(said, bytes, sizeof bytes); length > 0; length = read(said, bytes, sizeof bytes)) {
        if (encl_log_enabled(ENCL_LOG_INFO)) {
            fwrite(bytes, 1, (size_t)length, stderr);
        }
        if (c->words.length > (size_t)READ_BYTES) {
            c->words.length = 0;
        }
        const encl_status status = encl_string_append(&c->words, bytes, (size_t)length);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

static void last_words(const child *c, char said[sizeof((encl_doctor_child_end *)0)->said]) {
    size_t end = c->words.length;
    while (end > 0 && (c->words.text[end - 1] == '\n' || c->words.text[end - 1] == ' ')) {
        end--;
    }
    size_t start = end;
    while (start > 0 && c->words.text[start - 1] != '\n') {
        start--;
    }
    const size_t most = sizeof((encl_doctor_child_end *)0)->said - 1;
    const size_t length = end - start < most ? end - start : most;
    if (length > 0) {
        memcpy(said, c->words.text + start, length);
    }
    said[length] = '\0';
    encl_utf8_make_printable(said, length);
}

// {"begin": check} and {"over": true} are for this file, all else for the caller.
static encl_status take_line(encl_doctor *doctor, const char *text, size_t length, encl_doctor_child_end *end,
                             encl_status (*line)(void *context, cJSON *line), void *context) {
    cJSON *object = NULL;
    const char *begun = NULL;
    bool over = false;
    int64_t number = -1;
    encl_status status = encl_json_parse_object("child process", text, length, &object);
    if (status != ENCL_OK) {
        return status;
    }
    ENCL_TRY(encl_json_get_text("child process", object, "begin", &begun));
    ENCL_TRY(encl_json_get_int("child process", object, "number", -1, INT32_MAX, &number));
    ENCL_TRY(encl_json_get_bool("child process", object, "over", &over));
    if (begun != NULL) {
        snprintf(end->current, sizeof end->current, "%s", begun);
        end->number = (int32_t)number;
        doctor->progress.label = end->current;
        encl_progress_update(&doctor->progress, cJSON_GetArraySize(doctor->findings));
    } else if (over) {
        end->over = true;
        end->current[0] = '\0';
    } else {
        cJSON *given = object;
        object = NULL;
        ENCL_TRY(line(context, given));
    }
cleanup:
    cJSON_Delete(object);
    return status;
}

// Reads once; *open becomes false at the end of the pipe.
static encl_status read_lines(encl_doctor *doctor, child *c, encl_doctor_child_end *end, bool *open,
                              encl_status (*line)(void *context, cJSON *line), void *context) {
    encl_status status = ENCL_OK;
    char bytes[READ_BYTES];
    const ssize_t length = read(c->process.out, bytes, sizeof bytes);
    *open = length > 0 || (length < 0 && errno == EINTR);
    if (length <= 0) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_string_append(&c->text, bytes, (size_t)length));
    size_t start = 0;
    for (const char *newline = memchr(c->text.text, '\n', c->text.length); newline != NULL;
         newline = memchr(c->text.text + start, '\n', c->text.length - start)) {
        ENCL_TRY(take_line(doctor, c->text.text + start, (size_t)(newline - c->text.text) - start, end, line, context));
        start = (size_t)(newline - c->text.text) + 1;
    }
    memmove(c->text.text, c->text.text + start, c->text.length - start);
    c->text.length -= start;
    if (c->text.length > LINE_LIMIT) {
        status = encl_fail(ENCL_FORMAT, "child process: found a line of more than %d bytes", LINE_LIMIT);
    }
cleanup:
    return status;
}

// Until the child's end of the pipe is closed, which it is when the process is gone.
static encl_status listen_to(encl_doctor *doctor, child *c, encl_doctor_child_end *end,
                             encl_status (*line)(void *context, cJSON *line), void *context) {
    const int64_t patience = doctor->settings->timeout_s * 1000000000;
    int64_t deadline = encl_clock_ns() + patience;
    bool open = true;
    while (open) {
        struct pollfd sources[] = {{.fd = c->process.out, .events = POLLIN},
                                   {.fd = c->process.err, .events = POLLIN},
                                   {.fd = encl_interrupt_descriptor(), .events = POLLIN}};
        const int ready = poll(sources, sizeof sources / sizeof sources[0], REDRAW_MS);
        encl_status status = encl_interrupt_check();
        if (status == ENCL_OK && ready > 0 && sources[1].revents != 0) {
            status = hear(c);
        }
        if (status == ENCL_OK && ready > 0 && sources[0].revents != 0) {
            status = read_lines(doctor, c, end, &open, line, context);
            deadline = encl_clock_ns() + patience;
        }
        if (status != ENCL_OK) {
            return status;
        }
        if (open && encl_clock_ns() > deadline) {
            end->timed_out = true;
            return ENCL_OK;
        }
        encl_progress_update(&doctor->progress, cJSON_GetArraySize(doctor->findings));
    }
    return hear(c);
}

encl_status encl_doctor_child_run(encl_doctor *doctor, const char *task, const char *vendors,
                                  encl_status (*line)(void *context, cJSON *line), void *context,
                                  encl_doctor_child_end *end) {
    child c;
    *end = (encl_doctor_child_end){.number = -1};
    encl_status status = start_child(doctor, task, vendors, &c);
    if (status != ENCL_OK) {
        return status;
    }
    doctor->progress.label = "checking";
    status = listen_to(doctor, &c, end, line, context);
    if (status != ENCL_OK || end->timed_out) {
        kill(-c.process.id, SIGKILL);
    }
    encl_process_wait(&c.process);
    doctor->progress.label = "checking";
    if (!end->timed_out) {
        end->signal = c.process.signal;
        end->exit_code = c.process.signal != 0 ? 0 : c.process.exit_code;
    }
    last_words(&c, end->said);
    encl_string_free(&c.text);
    encl_string_free(&c.words);
    return status;
}

encl_status encl_doctor_child_end_text(const encl_doctor_child_end *end, int64_t timeout_s, char **text) {
    encl_status status = ENCL_OK;
    encl_string words = {0};
    *text = NULL;
    if (end->timed_out) {
        ENCL_TRY(encl_string_format(&words, "hung: no answer for %lld s", (long long)timeout_s));
    } else if (end->signal != 0) {
        ENCL_TRY(encl_string_format(&words, "crashed (%s)", encl_process_signal_name(end->signal)));
    } else {
        ENCL_TRY(encl_string_format(&words, "ended with exit code %d", end->exit_code));
    }
    if (end->over) {
        ENCL_TRY(encl_string_format(&words, ", at the end of the process"));
    }
    if (end->said[0] != '\0') {
        ENCL_TRY(encl_string_format(&words, "; its last words: %s", end->said));
    }
    *text = words.text;
    words = (encl_string){0};
cleanup:
    encl_string_free(&words);
    return status;
}

// ---- Being one --------------------------------------------------------------------------------------------

encl_status encl_doctor_child_begin(FILE *pipe, const char *check, int32_t number) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "begin", check);
    encl_line_number(&line, "number", number);
    encl_status status = encl_line_print(&line, pipe);
    return status == ENCL_OK && fflush(pipe) != 0 ? encl_fail(ENCL_IO, "doctor's pipe is closed") : status;
}
