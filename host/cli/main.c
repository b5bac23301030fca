// encl: the command line. The table of commands, the help about them, and how a status becomes an exit code.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/cli/profile/profile.h"
#include "runtime/base/memory.h"
#include "runtime/device/installation.h"

// In the order a new user meets them.
static const encl_command *const commands[] = {
    &encl_command_devices,  &encl_command_info,  &encl_command_convert,    &encl_command_pack,
    &encl_command_tokenize, &encl_command_embed, &encl_command_similarity, &encl_command_fill_mask,
    &encl_command_classify, &encl_command_ner,   &encl_command_qa,         &encl_command_eval,
    &encl_command_profile,  &encl_command_bench, &encl_command_doctor,     &encl_command_rehearse,
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const encl_command *find_command(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

// The command of a group ("bench") by its own name ("peak").
static const encl_command *find_in_group(const encl_command *group, const char *name) {
    const size_t length = strlen(group->name);
    for (size_t i = 0; group->commands[i] != NULL; i++) {
        if (strcmp(group->commands[i]->name + length + 1, name) == 0) {
            return group->commands[i];
        }
    }
    return NULL;
}

// ---- Version ----------------------------------------------------------------------------------------------

static void print_version(FILE *stream, struct argp_state *state) {
    char *loader = NULL;
    (void)state;
    if (encl_loaded_library("libOpenCL", &loader) != ENCL_OK) {
        loader = NULL;
    }
    fprintf(stream, "encl %s\ncommit %s\nloader %s\n", encl_version(), encl_commit(),
            loader != NULL ? loader : "unknown");
    free(loader);
}

// ---- Before the command -----------------------------------------------------------------------------------

typedef struct top_context {
    encl_globals *globals;
    int command; // index in argv, 0: none
} top_context;

static error_t parse_top(int key, char *value, struct argp_state *state) {
    (void)value;
    top_context *context = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = context->globals;
        return 0;
    case ARGP_KEY_ARG:
        context->command = state->next - 1;
        state->next = state->argc; // the rest is the command's
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// argp asks for the text below the options; it frees what it gets where that is not `text`.
static char *list_commands(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)text;
    }
    encl_string list = {0};
    encl_status status = encl_string_format(&list, "Commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT && status == ENCL_OK; i++) {
        if (!commands[i]->hidden) {
            status = encl_string_format(&list, "  %-12s%s\n", commands[i]->name, commands[i]->summary);
        }
    }
    if (status == ENCL_OK) {
        status = encl_string_format(&list, "\n`encl COMMAND --help' says more about one, `encl --version' what this "
                                           "build is.\n\nExample:\n  encl embed "
                                           "./all-MiniLM-L6-v2 'Hello, world'");
    }
    if (status != ENCL_OK) {
        encl_string_free(&list);
    }
    return list.text;
}

static const struct argp_child top_children[] = {{&encl_globals_argp, 0, NULL, 0}, {0}};
static const struct argp top_argp = {
    .parser = parse_top,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "BERT-family encoders on any OpenCL device.\v",
    .children = top_children,
    .help_filter = list_commands,
};

static void help_group(const encl_command *group) {
    printf("Usage: encl %s COMMAND [OPTION...] [ARGUMENT...]\n%s\n\nCommands:\n", group->name, group->text);
    for (size_t i = 0; group->commands[i] != NULL; i++) {
        printf("  %-16s%s\n", group->commands[i]->name, group->commands[i]->summary);
    }
    printf("\n`encl %s COMMAND --help' says more about one.\n", group->name);
}

static int fail_in_group(const encl_command *group, const char *name) {
    fprintf(stderr, "encl %s: %s%s%s; `encl help %s' lists its commands\n", group->name,
            name != NULL ? "unknown command '" : "found no command", name != NULL ? name : "", name != NULL ? "'" : "",
            group->name);
    return ENCL_EXIT_USAGE;
}

// `encl help`, `encl help NAME`, `encl help NAME COMMAND`.
static int run_help(const char *name, const char *second) {
    const encl_command *command = name != NULL ? find_command(name) : NULL;
    if (name != NULL && command == NULL) {
        fprintf(stderr, "encl: unknown command '%s'; `encl help' lists them\n", name);
        return ENCL_EXIT_USAGE;
    }
    if (command != NULL && command->commands != NULL && second != NULL) {
        const encl_command *group = command;
        command = find_in_group(group, second);
        if (command == NULL) {
            return fail_in_group(group, second);
        }
    }
    if (command != NULL && command->commands != NULL) {
        help_group(command);
    } else if (command != NULL) {
        encl_options_help(command);
    } else {
        argp_help(&top_argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_DOC | ARGP_HELP_LONG, "encl");
    }
    return ENCL_EXIT_DONE;
}

// ---- The command ------------------------------------------------------------------------------------------

static int run_command(const encl_command *command, int argc, char **argv, encl_globals *globals) {
    encl_call call;
    if (command->commands != NULL) {
        const char *name = argc > 1 ? argv[1] : NULL;
        if (name != NULL && (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0)) {
            help_group(command);
            return ENCL_EXIT_DONE;
        }
        const encl_command *chosen = name != NULL ? find_in_group(command, name) : NULL;
        return chosen != NULL ? run_command(chosen, argc - 1, argv + 1, globals) : fail_in_group(command, name);
    }
    int exit_code = encl_options_parse(command, argc, argv, globals, &call);
    if (exit_code != ENCL_EXIT_DONE) {
        return exit_code;
    }
    const bool collects = globals->profile != NULL && !command->writes_profile;
    encl_status status = collects ? encl_profile_command(command, globals, &call) : command->run(&call);
    if (status == ENCL_OK) {
        status = encl_print_finish();
    }
    free((void *)call.arguments);
    free(call.settings);
    if (encl_interrupt_signal() != 0) {
        return 128 + encl_interrupt_signal();
    }
    if (status != ENCL_OK) {
        fprintf(stderr, "encl: error: %s\n", encl_status_detail());
        return ENCL_EXIT_FAILED;
    }
    return call.exit_code;
}

// The whole command line; `line` is a copy of it, because parsing replaces names in argv.
static int run_line(int argc, char **argv, char *const *line) {
    encl_globals globals = {.level = ENCL_LOG_WARNING, .command_line = line};
    top_context context = {.globals = &globals};
    if (argp_parse(&top_argp, argc, argv, ARGP_IN_ORDER, NULL, &context) != 0) {
        return ENCL_EXIT_USAGE;
    }
    if (context.command == 0) {
        fputs("encl: found no command; `encl help' lists them\n", stderr);
        return ENCL_EXIT_USAGE;
    }
    const char *name = argv[context.command];
    int rest = argc - context.command;
    if (strcmp(name, "help") == 0) {
        return run_help(rest > 1 ? argv[context.command + 1] : NULL, rest > 2 ? argv[context.command + 2] : NULL);
    }
    const encl_command *command = find_command(name);
    if (command == NULL) {
        fprintf(stderr, "encl: unknown command '%s'; `encl help' lists them\n", name);
        return ENCL_EXIT_USAGE;
    }
    encl_interrupt_catch();
    return run_command(command, rest, argv + context.command, &globals);
}

int main(int argc, char **argv) {
    argp_program_version_hook = print_version;
    if (argc < 1) {
        return ENCL_EXIT_USAGE;
    }
    static char program[] = "encl"; // as messages begin, whatever the path it was started by
    argv[0] = program;
    void *line = NULL;
    if (encl_allocate((size_t)argc + 1, sizeof *argv, &line) != ENCL_OK) {
        fprintf(stderr, "encl: error: %s\n", encl_status_detail());
        return ENCL_EXIT_FAILED;
    }
    memcpy(line, argv, (size_t)argc * sizeof *argv);
    const int exit_code = run_line(argc, argv, line);
    free(line);
    return exit_code;
}
