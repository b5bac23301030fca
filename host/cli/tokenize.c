// encl tokenize: the tokens that a model reads.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/input.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/cli/session.h"
#include "host/text/tokenizer.h"

enum { KEY_PAIR = 0x2000, KEY_MAX_LENGTH };

typedef struct settings {
    const char *pair;
    int64_t max_length;
} settings;

static const struct argp_option options[] = {
    {"pair", KEY_PAIR, "TEXT", 0, "Second text of every pair", 0},
    {"max-length", KEY_MAX_LENGTH, "N", 0, "Truncate to N tokens, special tokens included (default: never)", 0},
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    if (key == KEY_PAIR) {
        size_t valid = encl_utf8_valid_prefix(value, strlen(value));
        if (valid != strlen(value)) {
            return encl_fail(ENCL_INVALID, "--pair: byte %zu: found 0x%02x, expected UTF-8", valid + 1,
                             (unsigned char)value[valid]);
        }
        chosen->pair = value;
        return ENCL_OK;
    }
    return encl_option_integer("--max-length", value, 1, INT32_MAX, &chosen->max_length);
}

// Special tokens are never cut off.
static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    const int64_t specials = chosen->pair != NULL ? 3 : 2;
    if (chosen->max_length > 0 && chosen->max_length < specials) {
        return encl_fail(ENCL_INVALID,
                         "--max-length: found %" PRId64 ", expected at least the %" PRId64 " special tokens",
                         chosen->max_length, specials);
    }
    return ENCL_OK;
}

static encl_status print_json(const encl_tokenizer *tokenizer, const encl_encoding *encoding, int64_t index) {
    encl_line line;
    encl_line_start(&line);
    encl_line_number(&line, "index", (double)index);
    encl_line_item(&line, "ids", encl_json_ints(encoding->ids, encoding->count));
    cJSON *tokens = encl_line_array(&line, "tokens");
    cJSON *offsets = encl_line_array(&line, "offsets");
    for (size_t i = 0; i < encoding->count; i++) {
        const char *token = encl_tokenizer_token(tokenizer, encoding->ids[i]);
        encl_line_add(&line, tokens, cJSON_CreateString(token != NULL ? token : ""));
        encl_line_add(&line, offsets, encl_json_ints((int32_t[]){encoding->starts[i], encoding->ends[i]}, 2));
    }
    encl_line_item(&line, "type_ids", encl_json_ints(encoding->types, encoding->count));
    return encl_line_print(&line, stdout);
}

// One table a text: token, id, where it stands, and which text of a pair it is from.
static encl_status print_people(const encl_tokenizer *tokenizer, const encl_encoding *encoding, int64_t index) {
    static const char *const headings[] = {">position", "token", ">id", ">start", ">end", ">type"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < encoding->count; i++) {
        const char *token = encl_tokenizer_token(tokenizer, encoding->ids[i]);
        ENCL_TRY(encl_table_cell(table, "%zu", i));
        ENCL_TRY(encl_table_cell(table, "%s", token != NULL ? token : ""));
        ENCL_TRY(encl_table_cell(table, "%d", encoding->ids[i]));
        ENCL_TRY(encl_table_cell(table, "%d", encoding->starts[i]));
        ENCL_TRY(encl_table_cell(table, "%d", encoding->ends[i]));
        ENCL_TRY(encl_table_cell(table, "%d", encoding->types[i]));
    }
    if (index > 0) {
        putchar('\n');
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status run(encl_call *call) {
    const settings *chosen = call->settings;
    const encl_input_options from = {0};
    encl_status status = ENCL_OK;
    encl_tokenizer *tokenizer = NULL;
    encl_input *input = NULL;
    encl_encoding encoding = {0};
    size_t pair_length = chosen->pair != NULL ? strlen(chosen->pair) : 0;
    int64_t index = 0;
    int64_t truncated = 0;
    // A tokenizer needs no weights, so it is opened without the model.
    ENCL_TRY(encl_tokenizer_open(call->arguments[0], &tokenizer));
    ENCL_TRY(encl_input_open(&from, call->arguments + 1, call->argument_count - 1, &input));
    for (;; index++) {
        encl_text text;
        ENCL_TRY(encl_input_next(input, &text));
        if (text.text == NULL) {
            break;
        }
        ENCL_TRY(encl_tokenizer_encode(tokenizer, text.text, text.length, chosen->pair, pair_length,
                                       (size_t)chosen->max_length, &encoding));
        truncated += encoding.lost > 0 ? 1 : 0;
        ENCL_TRY(call->globals->json ? print_json(tokenizer, &encoding, index)
                                     : print_people(tokenizer, &encoding, index));
    }
    encl_warn_truncated(truncated, index, chosen->max_length);
cleanup:
    encl_encoding_free(&encoding);
    encl_input_close(input);
    encl_tokenizer_close(tokenizer);
    return status;
}

const encl_command encl_command_tokenize = {
    .name = "tokenize",
    .summary = "Show the tokens of texts",
    .arguments = "MODEL [TEXT...]",
    .text = "Show the tokens of every TEXT, or of every line of standard input. Offsets are Unicode code points.\v"
            "Example:\n  encl tokenize ./all-MiniLM-L6-v2 'Hello, world' --json",
    .options = options,
    .minimum = 1,
    .maximum = SIZE_MAX,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = run,
};
