// What every command is: a row of main.c's table, made in a file of its own. The parser (options.h) reads the command
// line into a call; the command only says which options it takes and what it does with a call.
#ifndef ENCL_CLI_COMMAND_H
#define ENCL_CLI_COMMAND_H

#include <argp.h>

#include "host/encl_model.h"
#include "runtime/base/status.h"

enum {
    ENCL_EXIT_DONE = 0,
    ENCL_EXIT_FAILED = 1,
    ENCL_EXIT_USAGE = 2,
    ENCL_EXIT_REGRESSION = 3,     // bench compare, bench ab --fail-on
    ENCL_EXIT_NOT_RECONCILED = 4, // profile --strict
};

// Options that every command takes, before or after its name.
typedef struct encl_globals {
    const char *device;       // SPEC; NULL where none was given
    const char *precision;    // NULL where none was given
    const char *exact_layers; // a list of numbers; NULL where none was given
    const char *calibration;  // a file of texts for --precision auto; NULL: those that are built in
    encl_gemm gemm;
    encl_same_bits same_bits;
    encl_log_level level;
    bool json;
    char *const *command_line;      // argv of the process, NULL-terminated
    const char *profile;            // FILE of --profile; NULL where it was not given
    struct encl_profile *collector; // takes every run of the command for that file; NULL: none
} encl_globals;

// One use of a command. `settings` is the command's own struct, zeroed before its options are read.
typedef struct encl_call {
    const encl_globals *globals;
    char *const *arguments;
    size_t argument_count;
    void *settings;
    int exit_code; // when run() succeeds; a command may set it
} encl_call;

typedef struct encl_command {
    const char *name;
    const char *summary;   // its line in `encl help`
    bool hidden;           // not for people: it has no line there
    const char *arguments; // "MODEL [TEXT...]"
    const char *text;      // help: what it does, '\v', and an example that works
    const struct argp_option *options;
    size_t minimum; // arguments
    size_t maximum;
    bool takes_rest; // what follows the first argument are arguments too, also what looks like an option
    size_t settings_bytes;
    // Takes one option. A failure is wrong usage, and its detail is what the user reads. NULL: no options.
    encl_status (*option)(void *settings, int key, const char *value);
    // Looks at what only the whole call can tell. A failure is wrong usage. NULL: nothing to check.
    encl_status (*check)(const encl_call *call);
    encl_status (*run)(encl_call *call);
    bool writes_profile; // does itself what --profile asks for
    // NULL-terminated: `encl NAME COMMAND …` is one of these, and the members above from `arguments` on are unused but
    // for `text`. Their names are "NAME COMMAND".
    const struct encl_command *const *commands;
} encl_command;

extern const encl_command encl_command_devices;
extern const encl_command encl_command_info;
extern const encl_command encl_command_convert;
extern const encl_command encl_command_pack;
extern const encl_command encl_command_tokenize;
extern const encl_command encl_command_embed;
extern const encl_command encl_command_similarity;
extern const encl_command encl_command_fill_mask;
extern const encl_command encl_command_classify;
extern const encl_command encl_command_ner;
extern const encl_command encl_command_qa;
extern const encl_command encl_command_eval;
extern const encl_command encl_command_profile;
extern const encl_command encl_command_bench;
extern const encl_command encl_command_doctor;
extern const encl_command encl_command_rehearse;

#endif
