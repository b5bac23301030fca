#include "host/cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile/profile.h"
#include "runtime/base/memory.h"

enum {
    KEY_DEVICE = 0x1000,
    KEY_PRECISION,
    KEY_EXACT_LAYERS,
    KEY_CALIBRATION,
    KEY_GEMM,
    KEY_SAME_BITS,
    KEY_NO_SAME_BITS,
    KEY_JSON,
    KEY_PROFILE
};

static const struct argp_option global_options[] = {
    {"device", KEY_DEVICE, "SPEC", 0, "auto, all, cpu, gpu, an index, part of a name, or a comma list", 0},
    {"precision", KEY_PRECISION, "NAME", 0, "Matrix products in fp32 (default), bf16 or int8, or auto", 0},
    {"exact-layers", KEY_EXACT_LAYERS, "LIST", 0, "Keep these layers in fp32: numbers from 1", 0},
    {"calibration", KEY_CALIBRATION, "FILE", 0, "Texts by which --precision auto chooses, one a line", 0},
    {"gemm", KEY_GEMM, "PROVIDER", 0, "Matrix products: auto, tile or clblast", 0},
    {"same-bits", KEY_SAME_BITS, NULL, 0, "Results do not depend on what else is in a batch", 0},
    {"no-same-bits", KEY_NO_SAME_BITS, NULL, 0, "Results may depend on what else is in a batch", 0},
    {"json", KEY_JSON, NULL, 0, "JSON Lines on standard output", 0},
    {"profile", KEY_PROFILE, "FILE", 0, "Profile every run on the device: a trace (.json), .csv or .html", 0},
    {"quiet", 'q', NULL, 0, "No warnings, no progress", 0},
    {"verbose", 'v', NULL, 0, "Say more (twice: everything)", 0},
    {0},
};

// Finds `text` in a list of names that ends with NULL; -1 where it is not there.
static int find_name(const char *const *names, const char *text) {
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static encl_status take_global(encl_globals *globals, int key, const char *value) {
    static const char *const gemms[] = {"auto", "tile", "clblast", NULL}; // in the order of encl_gemm
    static const char *const precisions[] = {"fp32", "bf16", "fp16", "int8", "auto", NULL};
    switch (key) {
    case KEY_DEVICE:
        globals->device = value;
        break;
    case KEY_PRECISION:
        if (find_name(precisions, value) < 0) {
            return encl_fail(ENCL_INVALID, "--precision: found '%s', expected fp32, bf16, fp16, int8 or auto", value);
        }
        globals->precision = value;
        break;
    case KEY_EXACT_LAYERS:
        globals->exact_layers = value;
        return encl_option_integers_check("--exact-layers", value, 1, INT32_MAX);
    case KEY_CALIBRATION:
        globals->calibration = value;
        break;
    case KEY_GEMM:
        if (find_name(gemms, value) < 0) {
            return encl_fail(ENCL_INVALID, "--gemm: found '%s', expected auto, tile or clblast", value);
        }
        globals->gemm = (encl_gemm)find_name(gemms, value);
        break;
    case KEY_SAME_BITS:
        globals->same_bits = ENCL_SAME_BITS_ON;
        break;
    case KEY_NO_SAME_BITS:
        globals->same_bits = ENCL_SAME_BITS_OFF;
        break;
    case KEY_PROFILE:
        globals->profile = value;
        return encl_profile_check_path("--profile", value);
    default:
        globals->json = true;
        break;
    }
    return ENCL_OK;
}

// Prints a usage error as the one line that getopt's own errors are.
static error_t wrong_usage(const struct argp_state *state) {
    fprintf(stderr, "%s: %s\n", state->argv[0], encl_status_detail());
    return EINVAL;
}

static error_t parse_global(int key, char *value, struct argp_state *state) {
    encl_globals *globals = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        // Without a stream argp prints no second line ("Try …") and does not exit: the caller decides.
        state->err_stream = NULL;
        return 0;
    case KEY_DEVICE:
    case KEY_PRECISION:
    case KEY_EXACT_LAYERS:
    case KEY_CALIBRATION:
    case KEY_GEMM:
    case KEY_SAME_BITS:
    case KEY_NO_SAME_BITS:
    case KEY_JSON:
    case KEY_PROFILE:
        return take_global(globals, key, value) == ENCL_OK ? 0 : wrong_usage(state);
    case 'q':
        globals->level = ENCL_LOG_QUIET;
        break;
    case 'v':
        globals->level = globals->level < ENCL_LOG_INFO ? ENCL_LOG_INFO : ENCL_LOG_DEBUG;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    encl_log_set_level(globals->level);
    return 0;
}

const struct argp encl_globals_argp = {.options = global_options, .parser = parse_global};

// ---- Commands ---------------------------------------------------------------------------------------------

typedef struct parse_context {
    const encl_command *command;
    encl_globals *globals;
    encl_call *call;
    char **arguments; // as many as argv has
} parse_context;

static encl_status check_call(const parse_context *context) {
    const encl_command *command = context->command;
    size_t count = context->call->argument_count;
    if (count < command->minimum) {
        return encl_fail(ENCL_INVALID, "found %zu argument%s, expected %s", count, count == 1 ? "" : "s",
                         command->arguments);
    }
    if (count > command->maximum) {
        return encl_fail(ENCL_INVALID, "unexpected argument '%s', expected %s", context->arguments[command->maximum],
                         command->arguments[0] != '\0' ? command->arguments : "none");
    }
    return command->check != NULL ? command->check(context->call) : ENCL_OK;
}

static error_t parse_command(int key, char *value, struct argp_state *state) {
    parse_context *context = state->input;
    encl_status status = ENCL_OK;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = context->globals;
    } else if (key == ARGP_KEY_ARG) {
        context->arguments[context->call->argument_count++] = value;
        while (context->command->takes_rest && state->next < state->argc) {
            context->arguments[context->call->argument_count++] = state->argv[state->next++];
        }
    } else if (key == ARGP_KEY_END) {
        status = check_call(context);
    } else if (key > ARGP_KEY_END || context->command->option == NULL) {
        return ARGP_ERR_UNKNOWN;
    } else {
        status = context->command->option(context->call->settings, key, value);
    }
    return status == ENCL_OK ? 0 : wrong_usage(state);
}

static const struct argp_child global_children[] = {{&encl_globals_argp, 0, "Global options:", 2}, {0}};

static struct argp command_argp(const encl_command *command) {
    return (struct argp){.options = command->options,
                         .parser = parse_command,
                         .args_doc = command->arguments,
                         .doc = command->text,
                         .children = global_children};
}

int encl_options_parse(const encl_command *command, int argc, char **argv, encl_globals *globals, encl_call *call) {
    *call = (encl_call){.globals = globals};
    char program[64];
    snprintf(program, sizeof program, "encl %s", command->name);
    argv[0] = program;
    void *arguments = NULL;
    void *settings = NULL;
    int exit_code = ENCL_EXIT_FAILED;
    if (encl_allocate((size_t)argc, sizeof(char *), &arguments) != ENCL_OK ||
        encl_allocate(1, command->settings_bytes, &settings) != ENCL_OK) {
        fprintf(stderr, "encl: error: %s\n", encl_status_detail());
        goto cleanup;
    }
    call->arguments = arguments;
    call->settings = settings;
    parse_context context = {.command = command, .globals = globals, .call = call, .arguments = arguments};
    struct argp argp = command_argp(command);
    // In order, so that POSIXLY_CORRECT does not change what a command line means.
    exit_code = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &context) == 0 ? ENCL_EXIT_DONE : ENCL_EXIT_USAGE;
cleanup:
    argv[0] = NULL; // `program` ends here
    if (exit_code != ENCL_EXIT_DONE) {
        free(arguments);
        free(settings);
        *call = (encl_call){.globals = globals};
    }
    return exit_code;
}

void encl_options_help(const encl_command *command) {
    char program[64];
    snprintf(program, sizeof program, "encl %s", command->name);
    struct argp argp = command_argp(command);
    argp_help(&argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_DOC | ARGP_HELP_LONG, program);
}

// ---- Values -----------------------------------------------------------------------------------------------

encl_status encl_option_integer(const char *option, const char *text, int64_t minimum, int64_t maximum,
                                int64_t *value) {
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digits = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    if (!digits || end == text || *end != '\0' || errno != 0 || number < minimum || number > maximum) {
        return encl_fail(ENCL_INVALID, "%s: found '%s', expected a whole number from %" PRId64 " to %" PRId64, option,
                         text, minimum, maximum);
    }
    *value = number;
    return ENCL_OK;
}

encl_status encl_option_number(const char *option, const char *text, double minimum, double maximum, double *value) {
    char *end = NULL;
    const bool digits = (text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '.';
    const double number = strtod(text, &end);
    if (!digits || end == text || *end != '\0' || !(number >= minimum && number <= maximum)) {
        return encl_fail(ENCL_INVALID, "%s: found '%s', expected a number from %g to %g", option, text, minimum,
                         maximum);
    }
    *value = number;
    return ENCL_OK;
}

encl_status encl_option_integers(const char *option, const char *text, int64_t minimum, int64_t maximum,
                                 int64_t **values, size_t *count) {
    encl_status status = ENCL_OK;
    char *copy = NULL;
    void *list = NULL;
    size_t length = 0;
    *values = NULL;
    *count = 0;
    ENCL_TRY(encl_copy_text(text, strlen(text), &copy));
    ENCL_TRY(encl_allocate(strlen(text) / 2 + 1, sizeof(int64_t), &list)); // a number and its comma
    char *rest = copy;
    for (char *word = strsep(&rest, ","); word != NULL; word = strsep(&rest, ",")) {
        int64_t *numbers = list;
        ENCL_TRY(encl_option_integer(option, word, minimum, maximum, &numbers[length]));
        for (size_t i = 0; i < length; i++) {
            if (numbers[i] == numbers[length]) {
                status = encl_fail(ENCL_INVALID, "%s: found %s twice, expected each number once", option, word);
                goto cleanup;
            }
        }
        length++;
    }
    *values = list;
    *count = length;
    list = NULL;
cleanup:
    free(copy);
    free(list);
    return status;
}

encl_status encl_option_integers_check(const char *option, const char *text, int64_t minimum, int64_t maximum) {
    int64_t *values = NULL;
    size_t count = 0;
    const encl_status status = encl_option_integers(option, text, minimum, maximum, &values, &count);
    free(values);
    return status;
}

encl_status encl_globals_device(const encl_globals *globals, const encl_device **device) {
    enum { SHOWN = 2 };
    const encl_device *chosen[SHOWN] = {NULL};
    size_t count = 0;
    *device = NULL;
    encl_status status = encl_device_select(globals->device, chosen, SHOWN, &count);
    if (status != ENCL_OK) {
        return status;
    }
    if (count > 1) {
        const encl_device_info *first = encl_device_get_info(chosen[0]);
        const encl_device_info *second = encl_device_get_info(chosen[1]);
        return encl_fail(ENCL_INVALID, "--device %s: found %zu devices (%d: %s, %d: %s%s), expected one; say its index",
                         globals->device != NULL ? globals->device : "auto", count, first->index, first->name,
                         second->index, second->name, count > SHOWN ? ", ..." : "");
    }
    *device = chosen[0];
    return ENCL_OK;
}

encl_status encl_globals_executable(const encl_globals *globals, encl_executable_options *options) {
    *options = (encl_executable_options){0};
    if (globals->precision != NULL && strcmp(globals->precision, "auto") != 0 &&
        !encl_precision_parse(globals->precision, &options->precision)) {
        return encl_fail(ENCL_UNSUPPORTED,
                         "--precision %s: no kernels of this precision, expected fp32, bf16, int8 or auto",
                         globals->precision);
    }
    options->gemm = globals->gemm;
    options->same_bits = globals->same_bits;
    if (globals->collector != NULL) {
        options->on_profile = encl_profile_collect;
        options->on_profile_context = globals->collector;
    }
    return ENCL_OK;
}
