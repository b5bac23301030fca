// Runs the built program under the fault layer, several at a time, each with its own faults and a limit of time.
#ifndef ENCL_FAULT_RUNNER_H
#define ENCL_FAULT_RUNNER_H

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/program.h"
#include "runtime/base/clock.h"

enum { FAULT_SETTINGS = 4, FAULT_TEXT = 256, FAULT_SECONDS = 60, FAULT_WIDTH = 2 };

// One run of the program. `settings` are "NAME=VALUE" for its environment; a relative path is of the test's folder.
typedef struct fault_job {
    char settings[FAULT_SETTINGS][FAULT_TEXT];
    const char *const *arguments;
    const char *cache; // folder of its cache; NULL: an empty one
    pid_t child;
    int64_t deadline;
    bool timed_out;
    outcome result;
    char name[32]; // of its files
} fault_job;

static inline void fault_set(fault_job *job, size_t at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(job->settings[at], FAULT_TEXT, format, arguments);
    va_end(arguments);
    assert_in_range(length, 1, FAULT_TEXT - 1);
}

static inline void fault_path(const fault_job *job, const char *ending, char path[PATH_LENGTH]) {
    snprintf(path, PATH_LENGTH, "%s/%s.%s", folder, job->name, ending);
}

// In the child: never returns.
static inline void fault_execute(const fault_job *job) {
    char *argv[ARGUMENT_LIMIT + 2] = {"encl"};
    char path[PATH_LENGTH];
    for (size_t i = 0; i < ARGUMENT_LIMIT && job->arguments[i] != NULL; i++) {
        argv[i + 1] = (char *)job->arguments[i];
    }
    setenv("OPENCL_LAYERS", ENCL_FAULT_LAYER, 1);
    fault_path(job, "counts", path);
    setenv("ENCL_FAULT_COUNTS", path, 1);
    fault_path(job, "cache", path);
    setenv("ENCL_CACHE_DIR", job->cache != NULL ? job->cache : path, 1);
    for (size_t i = 0; i < FAULT_SETTINGS && job->settings[i][0] != '\0'; i++) {
        putenv((char *)job->settings[i]);
    }
    redirect("/dev/null", O_RDONLY, STDIN_FILENO);
    fault_path(job, "out", path);
    redirect(path, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    fault_path(job, "err", path);
    redirect(path, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    execv(program_path(), argv);
    _exit(127);
}

static inline void fault_start(fault_job *job) {
    static unsigned number = 0;
    snprintf(job->name, sizeof job->name, "job-%u", number++);
    job->deadline = encl_clock_ns() + (int64_t)FAULT_SECONDS * 1000000000;
    job->child = fork();
    if (job->child == 0) {
        fault_execute(job);
    }
    assert_true(job->child > 0);
}

static inline void fault_finish(fault_job *job, int status) {
    char path[PATH_LENGTH];
    size_t length = 0;
    job->child = 0;
    job->result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    fault_path(job, "out", path);
    assert_ok(encl_file_read(path, 1 << 26, &job->result.out, &job->result.out_length));
    remove(path);
    fault_path(job, "err", path);
    assert_ok(encl_file_read(path, 1 << 26, &job->result.err, &length));
    remove(path);
}

// True where it is over.
static inline bool fault_look(fault_job *job) {
    int status = 0;
    if (encl_clock_ns() > job->deadline && !job->timed_out) {
        job->timed_out = true;
        kill(job->child, SIGKILL);
    }
    if (waitpid(job->child, &status, WNOHANG) != job->child) {
        return false;
    }
    fault_finish(job, status);
    return true;
}

// Runs all jobs, FAULT_WIDTH at a time; their results are the caller's to free.
static inline void fault_run_all(fault_job *jobs, size_t count) {
    size_t first = 0; // of those that are not over
    size_t next = 0;
    size_t running = 0;
    while (first < count) {
        while (running < FAULT_WIDTH && next < count) {
            fault_start(&jobs[next++]);
            running++;
        }
        for (size_t i = first; i < next; i++) {
            running -= jobs[i].child > 0 && fault_look(&jobs[i]);
        }
        while (first < next && jobs[first].child == 0) {
            first++;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

// How often a call was made in a job ("faults": faults that happened); -1 where the layer was not loaded.
static inline long fault_count(const fault_job *job, const char *call) {
    char path[PATH_LENGTH];
    char *text = NULL;
    size_t length = 0;
    long count = -1;
    fault_path(job, "counts", path);
    if (encl_file_read(path, 1 << 20, &text, &length) != ENCL_OK) {
        return -1;
    }
    for (const char *line = text; line != NULL && count < 0; line = strchr(line, '\n')) {
        line += *line == '\n';
        const size_t name = strcspn(line, " ");
        if (strlen(call) == name && memcmp(line, call, name) == 0) {
            count = strtol(line + name, NULL, 10);
        }
    }
    free(text);
    return count;
}

static inline void fault_free(fault_job *job) {
    char path[PATH_LENGTH];
    fault_path(job, "counts", path);
    remove(path);
    fault_path(job, "cache", path);
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free_outcome(&job->result);
}

// Lets the loader see PoCL only, which has no faults of its own. False where it is not there.
static inline bool fault_use_pocl(void) {
    const char *vendors = getenv("OCL_ICD_VENDORS");
    char path[PATH_LENGTH];
    char *text = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/pocl.icd", vendors != NULL && *vendors != '\0' ? vendors : "/etc/OpenCL/vendors");
    if (encl_file_read(path, PATH_LENGTH, &text, &length) != ENCL_OK) {
        return false;
    }
    assert_int_equal(mkdir(in_folder("vendors"), 0700), 0);
    assert_ok(encl_file_write(in_folder("vendors/pocl.icd"), text, length));
    free(text);
    return setenv("OCL_ICD_VENDORS", in_folder("vendors"), 1) == 0;
}

// Skips where there is no PoCL, or where the loader knows no layers.
static inline void fault_need_layer(void) {
    static const char *const arguments[] = {"devices", NULL};
    static int pocl = -1;
    static int loaded = -1;
    pocl = pocl < 0 ? fault_use_pocl() : pocl;
    if (!pocl) {
        print_message("PoCL is not there\n");
        skip();
    }
    need_device();
    if (loaded < 0) {
        fault_job job = {.arguments = arguments};
        fault_run_all(&job, 1);
        loaded = fault_count(&job, "clGetPlatformIDs") > 0;
        fault_free(&job);
    }
    if (!loaded) {
        print_message("the OpenCL loader loads no layers (ocl-icd does from 2.3)\n");
        skip();
    }
}

// What is wrong with a result's standard error: every line is encl's or CLBlast's, nothing more than warnings on
// success, exactly one error else. NULL where nothing is.
static inline const char *fault_bad_messages(const fault_job *job) {
    size_t errors = 0;
    for (const char *line = job->result.err; *line != '\0'; line = strchr(line, '\n') + 1) {
        const bool warning = strncmp(line, "encl: warning: ", strlen("encl: warning: ")) == 0;
        const bool error = strncmp(line, "encl: error: ", strlen("encl: error: ")) == 0;
        const bool library = strncmp(line, "CLBlast: ", strlen("CLBlast: ")) == 0;
        if ((!warning && !error && !library) || strchr(line, '\n') == NULL) {
            return "a line that is neither a warning nor an error";
        }
        errors += error;
    }
    if (job->timed_out) {
        return "it hangs";
    }
    if (job->result.exit_code != 0 && job->result.exit_code != 1) {
        return "an exit code other than 0 and 1";
    }
    return errors == (job->result.exit_code == 0 ? 0 : 1) ? NULL : "the number of errors";
}

static inline bool fault_has_warning(const fault_job *job) {
    return strstr(job->result.err, "encl: warning: ") != NULL;
}

// True where two outputs are the same text, but for numbers that differ by at most 1e-5.
static inline bool fault_same_output(const char *found, const char *expected) {
    while (*found != '\0' && *expected != '\0') {
        char *found_end = NULL;
        char *expected_end = NULL;
        if (isdigit((unsigned char)*expected) || *expected == '-') {
            const double difference = strtod(found, &found_end) - strtod(expected, &expected_end);
            if (found_end == found || !(fabs(difference) <= 1e-5)) {
                return false;
            }
            found = found_end;
            expected = expected_end;
        } else if (*found++ != *expected++) {
            return false;
        }
    }
    return *found == *expected;
}

#endif
