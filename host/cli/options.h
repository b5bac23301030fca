// The one option parser: global options, a command's options and arguments, and what they say about device and
// executable.
#ifndef ENCL_CLI_OPTIONS_H
#define ENCL_CLI_OPTIONS_H

#include "host/cli/command.h"

// The global options as an argp to be included by others; its input is an encl_globals.
extern const struct argp encl_globals_argp;

// Reads argv[1 …] by the command's row, global options included. On success (0) the caller frees
// call->arguments (not the texts in it) and call->settings. A usage error was printed as one line: ENCL_EXIT_USAGE.
int encl_options_parse(const encl_command *command, int argc, char **argv, encl_globals *globals, encl_call *call);
// Prints the command's help to stdout.
void encl_options_help(const encl_command *command);

// A whole number in [minimum, maximum], or INVALID naming the option, what was found and what was expected.
encl_status encl_option_integer(const char *option, const char *text, int64_t minimum, int64_t maximum, int64_t *value);
// The same for a number with a fraction.
encl_status encl_option_number(const char *option, const char *text, double minimum, double maximum, double *value);
// A comma list of whole numbers, each once: every number makes cases of its own name. Caller frees *values.
encl_status encl_option_integers(const char *option, const char *text, int64_t minimum, int64_t maximum,
                                 int64_t **values, size_t *count);
// Only says what is wrong with such a list, for options whose numbers are taken later.
encl_status encl_option_integers_check(const char *option, const char *text, int64_t minimum, int64_t maximum);

// The one device to compute on; INVALID where --device chooses several.
encl_status encl_globals_device(const encl_globals *globals, const encl_device **device);
// Precision, gemm, same-bits and who collects the runs; UNSUPPORTED where there are no kernels of the precision. What
// depends on the model is encl_globals_precision's.
encl_status encl_globals_executable(const encl_globals *globals, encl_executable_options *options);

#endif
