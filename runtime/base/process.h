// Other programs: started, waited for, and what they print taken. No shell.
#ifndef ENCL_BASE_PROCESS_H
#define ENCL_BASE_PROCESS_H

#include <sys/types.h>

#include "runtime/base/memory.h"

// A program under way.
typedef struct encl_process {
    pid_t id;
    int out, err;     // what it prints can be read here; −1: closed
    int64_t start_ns; // just before it was started, by encl_clock_ns
    int exit_code;    // when it was waited for; −1: ended by a signal
    int signal;       // that one, else 0
} encl_process;

// arguments: argv, NULL-terminated, argv[0] included. environment: "NAME=value" texts, NULL-terminated, that replace or
// join this process's; NULL: none. Standard input is empty. own_group: with all that it starts it can be killed as
// group `id`, and a terminal's Ctrl-C reaches only this process. NOT_FOUND or IO where it cannot be started.
encl_status encl_process_start(const char *path, char *const *arguments, char *const *environment, bool own_group,
                               encl_process *process);
// Once, after a start that succeeded: closes the pipes and waits for the end, however long that takes.
void encl_process_wait(encl_process *process);

typedef struct encl_process_result {
    encl_string out; // text is NULL where nothing was printed
    encl_string err;
    int exit_code;    // −1: ended by a signal
    int signal;       // that one, else 0
    bool timed_out;   // it was ended because it was silent
    int64_t first_ns; // from just before the start to the first byte of its output; −1: there was none
} encl_process_result;

// What ends a program before it ends by itself.
typedef struct encl_process_watch {
    encl_status (*check)(void); // asked at every turn; its failure ends the program. NULL: nothing is asked
    int descriptor;             // readable where check() is to be asked at once; −1: none
    int64_t silence_ns;         // how long it may print nothing to standard output; 0: for ever
} encl_process_watch;

// Starts a program and reads it to its end. That the program fails is told in *result, not by the status; that of
// watch->check is the status. The program is gone in any case. The caller frees *result, also after a failure.
encl_status encl_process_run(const char *path, char *const *arguments, char *const *environment,
                             const encl_process_watch *watch, encl_process_result *result);
void encl_process_free(encl_process_result *result);

// "SIGILL" of its number. Static or the C library's.
const char *encl_process_signal_name(int number);

// The path of the running program. Caller frees.
encl_status encl_process_self(char **path);

#endif
