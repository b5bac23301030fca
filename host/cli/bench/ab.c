// encl bench ab: two builds or settings in turn, in fresh processes, so that what drifts meets both.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/compare.h"
#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "runtime/base/log.h"
#include "runtime/base/process.h"
#include "runtime/base/progress.h"

enum { KEY_PAIRS = ENCL_COMPARE_KEYS_END, KEY_A, KEY_B, KEY_A_BINARY, KEY_B_BINARY };
enum { PAIRS_DEFAULT = 7, PAIRS_LIMIT = 1000, SIDES = 2 };

typedef struct settings {
    encl_compare_options compare;
    int64_t pairs;
    const char *words[SIDES];  // "NAME=value --option …"
    const char *binary[SIDES]; // NULL: this program
} settings;

static const struct argp_option options[] = {
    {"a", KEY_A, "SETTINGS", 0, "Of A: NAME=value words for its environment, then global options", 0},
    {"b", KEY_B, "SETTINGS", 0, "Of B", 0},
    {"a-binary", KEY_A_BINARY, "PATH", 0, "The program of A (default: this one)", 0},
    {"b-binary", KEY_B_BINARY, "PATH", 0, "The program of B", 0},
    {"pairs", KEY_PAIRS, "N", 0, "Processes of each, in turn (default 7; 6 are the fewest that can tell anything)", 0},
    ENCL_COMPARE_OPTIONS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
    case KEY_A:
    case KEY_B:
        chosen->words[key - KEY_A] = value;
        return ENCL_OK;
    case KEY_A_BINARY:
    case KEY_B_BINARY:
        chosen->binary[key - KEY_A_BINARY] = value;
        return ENCL_OK;
    case KEY_PAIRS:
        return encl_option_integer("--pairs", value, 1, PAIRS_LIMIT, &chosen->pairs);
    default:
        return encl_compare_option(&chosen->compare, key, value);
    }
}

// Commands of the group whose output can be compared.
static bool measures(const encl_command *command) {
    return command != &encl_command_bench_compare && command != &encl_command_bench_ab;
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    encl_string list = {0};
    encl_status status = ENCL_OK;
    for (const encl_command *const *at = encl_command_bench.commands; *at != NULL && status == ENCL_OK; at++) {
        const char *name = strchr((*at)->name, ' ') + 1;
        if (measures(*at) && strcmp(name, call->arguments[0]) == 0) {
            encl_string_free(&list);
            return encl_bench_options_check(&chosen->compare.bench);
        }
        status = measures(*at) ? encl_string_list(&list, name) : ENCL_OK;
    }
    if (status == ENCL_OK) {
        status = encl_fail(ENCL_INVALID, "found '%s', expected a bench command that measures: %s", call->arguments[0],
                           list.text);
    }
    encl_string_free(&list);
    return status;
}

// ---- A side -----------------------------------------------------------------------------------------------

// What is run again and again for one side, and what came of it.
typedef struct side {
    char name; // 'A', 'B'
    char *binary;
    char *copy;           // of the settings, cut into words
    char **environment;   // NULL-terminated, into copy
    char **arguments;     // argv
    encl_bench_file file; // the first process' results; samples are replaced by medians, one a process
} side;

// NAME=value: a name as the environment takes it, before the first '='.
static bool is_assignment(const char *word) {
    const size_t length = strcspn(word, "=");
    if (word[length] != '=' || length == 0 || isdigit((unsigned char)word[0])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)word[i]) && word[i] != '_') {
            return false;
        }
    }
    return true;
}

// BINARY SETTINGS bench COMMAND … --output jsonl
static encl_status make_side(const encl_call *call, int which, side *made) {
    const settings *chosen = call->settings;
    const char *text = chosen->words[which] != NULL ? chosen->words[which] : "";
    static char bench[] = "bench";
    static char output[] = "--output";
    static char jsonl[] = "jsonl";
    encl_status status = ENCL_OK;
    void *memory = NULL;
    made->name = (char)('A' + which);
    if (chosen->binary[which] != NULL) {
        ENCL_TRY(encl_copy_text(chosen->binary[which], strlen(chosen->binary[which]), &made->binary));
    } else {
        ENCL_TRY(encl_process_self(&made->binary));
    }
    ENCL_TRY(encl_copy_text(text, strlen(text), &made->copy));
    const size_t most_words = strlen(text) / 2 + 1; // a letter and a blank each
    ENCL_TRY(encl_allocate(most_words + 1, sizeof(char *), &memory));
    made->environment = memory;
    ENCL_TRY(encl_allocate(most_words + call->argument_count + 5, sizeof(char *), &memory));
    made->arguments = memory;
    size_t variables = 0;
    size_t count = 0;
    made->arguments[count++] = made->binary;
    char *rest = NULL;
    for (char *word = strtok_r(made->copy, " \t\n", &rest); word != NULL; word = strtok_r(NULL, " \t\n", &rest)) {
        if (count == 1 && is_assignment(word)) {
            made->environment[variables++] = word;
        } else {
            made->arguments[count++] = word;
        }
    }
    made->arguments[count++] = bench;
    made->arguments[count++] = call->arguments[0];
    made->arguments[count++] = output; // before the rest: behind "--" it would be an argument
    made->arguments[count++] = jsonl;
    for (size_t i = 1; i < call->argument_count; i++) {
        made->arguments[count++] = call->arguments[i];
    }
cleanup:
    return status;
}

static void free_side(side *freed) {
    free(freed->binary);
    free(freed->copy);
    free(freed->environment);
    free(freed->arguments);
    encl_bench_file_free(&freed->file);
}

// ---- Processes --------------------------------------------------------------------------------------------

static encl_status fail_child(const side *of, const encl_process_result *ended) {
    if (ended->err.length > 0) {
        fwrite(ended->err.text, 1, ended->err.length, stderr);
        fputs(ended->err.text[ended->err.length - 1] == '\n' ? "" : "\n", stderr);
    }
    return ended->signal != 0
               ? encl_fail(ENCL_DEVICE, "%c: %s was ended by signal %d", of->name, of->binary, ended->signal)
               : encl_fail(ENCL_DEVICE, "%c: %s ended with exit code %d", of->name, of->binary, ended->exit_code);
}

// Runs one process and reads its results.
static encl_status run_process(const side *of, encl_bench_file *results) {
    const encl_process_watch watch = encl_interrupt_watch();
    encl_process_result ended = {0};
    *results = (encl_bench_file){0};
    encl_status status = encl_process_run(of->binary, of->arguments, of->environment, &watch, &ended);
    if (status == ENCL_OK && (ended.exit_code != 0 || ended.signal != 0)) {
        status = fail_child(of, &ended);
    } else if (status == ENCL_OK) {
        char place[16];
        snprintf(place, sizeof place, "output of %c", of->name);
        status = encl_bench_parse(place, ended.out.text != NULL ? ended.out.text : "", ended.out.length, results);
    } else if (status != ENCL_INTERRUPTED) {
        status = encl_fail_context(status, "%c", of->name);
    }
    encl_process_free(&ended);
    return status;
}

// Puts the median of the entry's samples into place `pair` of `medians`.
static encl_status take_median(const encl_bench_entry *entry, size_t pair, int64_t *medians) {
    encl_statistics found;
    const encl_status status = encl_statistics_of(entry->samples_ns, entry->count, &found);
    if (status == ENCL_OK) {
        medians[pair] = (int64_t)fmax(round(found.p50), 1);
    }
    return status;
}

// The first process' rows are those that are compared; each gets room for the medians of all pairs.
static encl_status begin_side(side *of, size_t pairs, encl_bench_file *results) {
    for (size_t i = 0; i < results->count; i++) {
        encl_bench_entry *entry = &results->entries[i];
        void *memory = NULL;
        if (entry->samples_ns == NULL) {
            continue;
        }
        encl_status status = encl_allocate(pairs, sizeof(int64_t), &memory);
        if (status == ENCL_OK) {
            status = take_median(entry, 0, memory);
        }
        if (status != ENCL_OK) {
            free(memory);
            return status;
        }
        free(entry->samples_ns);
        entry->samples_ns = memory;
        entry->count = 1;
    }
    of->file = *results;
    *results = (encl_bench_file){0};
    return ENCL_OK;
}

// A later process: every row that was measured in the first must be there again.
static encl_status add_process(side *of, size_t pair, const encl_bench_file *results) {
    for (size_t i = 0; i < of->file.count; i++) {
        encl_bench_entry *entry = &of->file.entries[i];
        const encl_bench_entry *again = encl_bench_find(results, entry->case_id, entry->device);
        if (entry->samples_ns == NULL) {
            continue;
        }
        if (again == NULL || again->samples_ns == NULL) {
            return encl_fail(ENCL_FORMAT, "%c, process %zu: found no time of case '%s', expected one as in the first",
                             of->name, pair + 1, entry->case_id);
        }
        const encl_status status = take_median(again, pair, entry->samples_ns);
        if (status != ENCL_OK) {
            return status;
        }
        entry->count = pair + 1;
    }
    return ENCL_OK;
}

static encl_status run_pairs(side sides[SIDES], size_t pairs, size_t *done) {
    encl_status status = ENCL_OK;
    encl_bench_file results = {0};
    encl_progress progress;
    encl_progress_start(&progress, "bench ab", "processes", (int64_t)(SIDES * pairs));
    for (size_t pair = 0; pair < pairs; pair++) {
        for (int which = 0; which < SIDES; which++) {
            encl_progress_update(&progress, (int64_t)(SIDES * pair) + which);
            ENCL_TRY(run_process(&sides[which], &results));
            ENCL_TRY(pair == 0 ? begin_side(&sides[which], pairs, &results)
                               : add_process(&sides[which], pair, &results));
            encl_bench_file_free(&results);
        }
        *done = pair + 1;
        if (!progress.active && encl_log_enabled(ENCL_LOG_ERROR)) {
            fprintf(stderr, "pair %zu of %zu\n", pair + 1, pairs);
        }
    }
cleanup:
    encl_progress_finish(&progress);
    encl_bench_file_free(&results);
    return status;
}

// After an interruption A may be one process ahead.
static void cut_to(encl_bench_file *file, size_t pairs) {
    for (size_t i = 0; i < file->count; i++) {
        file->entries[i].count = file->entries[i].samples_ns != NULL ? pairs : 0;
    }
}

static encl_status compare_sides(const encl_call *call, side sides[SIDES], size_t done, bool complete, size_t *slower) {
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    for (int which = 0; which < SIDES; which++) {
        encl_string place = {0};
        cut_to(&sides[which].file, done);
        const char *words = chosen->words[which] != NULL ? chosen->words[which] : "";
        ENCL_TRY(encl_string_format(&place, "%zu process%s of %s%s%s", done, done == 1 ? "" : "es", sides[which].binary,
                                    words[0] != '\0' ? " " : "", words));
        free(sides[which].file.place);
        sides[which].file.place = place.text;
    }
    status = encl_compare_report(&chosen->compare, call, ENCL_COMPARE_PAIRS, &sides[0].file, &sides[1].file, complete,
                                 slower);
cleanup:
    return status;
}

static encl_status run(encl_call *call) {
    const settings *chosen = call->settings;
    const size_t pairs = chosen->pairs > 0 ? (size_t)chosen->pairs : PAIRS_DEFAULT;
    encl_status status = ENCL_OK;
    side sides[SIDES] = {{0}, {0}};
    size_t done = 0;
    size_t slower = 0;
    for (int which = 0; which < SIDES; which++) {
        ENCL_TRY(make_side(call, which, &sides[which]));
    }
    status = run_pairs(sides, pairs, &done);
    const bool interrupted = status == ENCL_INTERRUPTED;
    if (status == ENCL_OK || (interrupted && done > 0)) {
        ENCL_TRY(compare_sides(call, sides, done, !interrupted, &slower));
    }
    call->exit_code = chosen->compare.fail_on_slower && slower > 0 ? ENCL_EXIT_REGRESSION : ENCL_EXIT_DONE;
cleanup:
    for (int which = 0; which < SIDES; which++) {
        free_side(&sides[which]);
    }
    return status;
}

const encl_command encl_command_bench_ab = {
    .name = "bench ab",
    .summary = "Compare two builds or settings, run in turn",
    .arguments = "COMMAND [ARGUMENT...]",
    .text =
        "Run `encl bench COMMAND …' with the settings A and B in turn, each time in a fresh process, and compare the "
        "processes' medians row by row. Options of ab stand before COMMAND; what follows it is COMMAND's. SETTINGS "
        "are cut at blanks.\v"
        "Example:\n  encl bench ab --a '--gemm tile' --b '--gemm clblast' model --shape minilm --batch 8",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .takes_rest = true,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = run,
};
