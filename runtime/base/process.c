#include "runtime/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"

enum { OUTPUT_LIMIT = 1 << 28, PIECE = 65536 };
static const int64_t grace_ns = 3000000000; // between asking a program to end and ending it

// ---- Starting ---------------------------------------------------------------------------------------------

static size_t name_length(const char *assignment) {
    return strcspn(assignment, "=");
}

static bool is_replaced(const char *assignment, char *const *by) {
    const size_t length = name_length(assignment);
    for (; by != NULL && *by != NULL; by++) {
        if (name_length(*by) == length && memcmp(*by, assignment, length) == 0) {
            return true;
        }
    }
    return false;
}

// This process's environment with some of it replaced. The texts are not copied; caller frees the list.
static encl_status merge_environment(char *const *added, char ***merged) {
    size_t count = 0;
    void *memory = NULL;
    *merged = NULL;
    for (char *const *at = environ; *at != NULL; at++) {
        count++;
    }
    for (char *const *at = added; at != NULL && *at != NULL; at++) {
        count++;
    }
    const encl_status status = encl_allocate(count + 1, sizeof(char *), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    char **list = memory;
    *merged = list;
    for (char *const *at = environ; *at != NULL; at++) {
        if (!is_replaced(*at, added)) {
            *list++ = *at;
        }
    }
    for (char *const *at = added; at != NULL && *at != NULL; at++) {
        *list++ = *at;
    }
    return ENCL_OK;
}

static void close_both(int ends[2]) {
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
        ends[i] = -1;
    }
}

static encl_status open_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return encl_fail(ENCL_IO, "cannot open a pipe: %s", strerror(errno));
    }
    return ENCL_OK;
}

static int spawn(const char *path, char *const *arguments, char *const *environment, bool own_group, int out, int err,
                 pid_t *id) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    error = posix_spawnattr_setflags(&attributes, own_group ? POSIX_SPAWN_SETPGROUP : 0); // a group of its own id
    error = error != 0 ? error : posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    error = error != 0 ? error : posix_spawn(id, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

encl_status encl_process_start(const char *path, char *const *arguments, char *const *environment, bool own_group,
                               encl_process *process) {
    encl_status status = ENCL_OK;
    char **merged = NULL;
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    *process = (encl_process){.id = -1, .out = -1, .err = -1};
    ENCL_TRY(merge_environment(environment, &merged));
    ENCL_TRY(open_pipe(out));
    ENCL_TRY(open_pipe(err));
    const int64_t start_ns = encl_clock_ns();
    pid_t id = -1;
    const int error = spawn(path, arguments, merged, own_group, out[1], err[1], &id);
    if (error != 0) {
        status = encl_fail(error == ENOENT ? ENCL_NOT_FOUND : ENCL_IO, "%s: cannot start: %s", path, strerror(error));
        goto cleanup;
    }
    *process = (encl_process){.id = id, .out = out[0], .err = err[0], .start_ns = start_ns};
    out[0] = err[0] = -1;
cleanup:
    close_both(out);
    close_both(err);
    free(merged);
    return status;
}

static bool reap(encl_process *process, int flags) {
    int ended = 0;
    pid_t found = 0;
    do {
        found = waitpid(process->id, &ended, flags);
    } while (found < 0 && errno == EINTR);
    if (found > 0) {
        process->exit_code = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
        process->signal = WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
    }
    return found != 0;
}

static void close_pipes(encl_process *process) {
    int ends[] = {process->out, process->err};
    close_both(ends);
    process->out = process->err = -1;
}

void encl_process_wait(encl_process *process) {
    close_pipes(process);
    reap(process, 0);
}

// ---- Reading ----------------------------------------------------------------------------------------------

// Appends what can be read at once; closes the descriptor at its end.
static encl_status read_some(int *descriptor, encl_string *text) {
    char piece[PIECE];
    const ssize_t count = read(*descriptor, piece, sizeof piece);
    if (count > 0 && text->length + (size_t)count > OUTPUT_LIMIT) {
        return encl_fail(ENCL_FORMAT, "found more than %d bytes of output, expected less", OUTPUT_LIMIT);
    }
    if (count > 0) {
        return encl_string_append(text, piece, (size_t)count);
    }
    if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(*descriptor);
        *descriptor = -1;
    }
    return ENCL_OK;
}

static encl_status read_ready(encl_process *process, const struct pollfd *waited, encl_process_result *result) {
    encl_status status = ENCL_OK;
    if (waited[0].revents != 0) {
        const int64_t now = encl_clock_ns();
        status = read_some(&process->out, &result->out);
        if (result->first_ns < 0 && result->out.length > 0) {
            result->first_ns = now - process->start_ns;
        }
    }
    if (status == ENCL_OK && waited[1].revents != 0) {
        status = read_some(&process->err, &result->err);
    }
    return status;
}

// How long poll() may wait, in whole milliseconds and not too short; −1: for ever.
static int patience(const encl_process_watch *watch, int64_t heard_ns) {
    if (watch->silence_ns == 0) {
        return -1;
    }
    const int64_t left_ms = (heard_ns + watch->silence_ns - encl_clock_ns()) / 1000000 + 1;
    return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

// Until both pipes are closed, or the program was silent for too long.
static encl_status read_all(encl_process *process, const encl_process_watch *watch, encl_process_result *result) {
    encl_status status = ENCL_OK;
    int64_t heard_ns = encl_clock_ns();
    while (status == ENCL_OK && !result->timed_out && (process->out >= 0 || process->err >= 0)) {
        struct pollfd waited[3] = {
            {.fd = process->out, .events = POLLIN},
            {.fd = process->err, .events = POLLIN},
            {.fd = watch->descriptor, .events = POLLIN},
        };
        if (poll(waited, 3, patience(watch, heard_ns)) > 0) {
            status = read_ready(process, waited, result);
        }
        const int64_t now = encl_clock_ns();
        heard_ns = waited[0].revents != 0 ? now : heard_ns;
        result->timed_out = watch->silence_ns != 0 && now - heard_ns >= watch->silence_ns;
        status = status == ENCL_OK && watch->check != NULL ? watch->check() : status;
    }
    return status;
}

// Asks the program to end, then makes it. Nobody reads its pipes any more, so they are closed: it cannot block on them.
static void end(encl_process *process) {
    const struct timespec step = {.tv_nsec = 10000000};
    const int64_t asked_ns = encl_clock_ns();
    bool reaped = false;
    close_pipes(process);
    kill(process->id, SIGTERM);
    for (reaped = reap(process, WNOHANG); !reaped && encl_clock_ns() - asked_ns < grace_ns;
         reaped = reap(process, WNOHANG)) {
        nanosleep(&step, NULL);
    }
    if (!reaped) {
        kill(process->id, SIGKILL);
        reap(process, 0);
    }
}

encl_status encl_process_run(const char *path, char *const *arguments, char *const *environment,
                             const encl_process_watch *watch, encl_process_result *result) {
    encl_process process;
    *result = (encl_process_result){.exit_code = -1, .first_ns = -1};
    encl_status status = watch->check != NULL ? watch->check() : ENCL_OK;
    if (status == ENCL_OK) {
        status = encl_process_start(path, arguments, environment, false, &process);
    }
    if (status != ENCL_OK) {
        return status;
    }
    status = read_all(&process, watch, result);
    if (status == ENCL_OK && !result->timed_out) {
        encl_process_wait(&process);
    } else {
        end(&process);
    }
    result->exit_code = process.exit_code;
    result->signal = process.signal;
    return status;
}

void encl_process_free(encl_process_result *result) {
    encl_string_free(&result->out);
    encl_string_free(&result->err);
}

encl_status encl_process_self(char **path) {
    *path = realpath("/proc/self/exe", NULL);
    return *path != NULL ? ENCL_OK : encl_fail(ENCL_IO, "/proc/self/exe: cannot read: %s", strerror(errno));
}

const char *encl_process_signal_name(int number) {
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGABRT, "SIGABRT"}, {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
                 {SIGILL, "SIGILL"},   {SIGKILL, "SIGKILL"}, {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"},
                 {SIGTERM, "SIGTERM"}, {SIGPIPE, "SIGPIPE"}, {SIGXCPU, "SIGXCPU"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return strsignal(number);
}
