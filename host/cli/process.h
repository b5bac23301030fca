// Runs another program to its end and takes what it prints. No shell.
#ifndef ENCL_CLI_PROCESS_H
#define ENCL_CLI_PROCESS_H

#include "runtime/base/memory.h"

typedef struct encl_process_result {
    encl_string out; // text is NULL where nothing was printed
    encl_string err;
    int exit_code;    // −1: ended by a signal
    int signal;       // that one, else 0
    int64_t first_ns; // from just before the start to the first byte of its output; −1: there was none
} encl_process_result;

// arguments: argv, NULL-terminated, argv[0] included. environment: "NAME=value" texts, NULL-terminated, that replace or
// join this process's; NULL: none. Standard input is empty. That the program fails is told in *result, not by the
// status; NOT_FOUND or IO where it cannot be started. After Ctrl-C it is ended and the status is INTERRUPTED. The
// caller frees *result, also after a failure.
encl_status encl_process_run(const char *path, char *const *arguments, char *const *environment,
                             encl_process_result *result);
void encl_process_free(encl_process_result *result);

// The path of the running program. Caller frees.
encl_status encl_process_self(char **path);

#endif
