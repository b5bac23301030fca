// encl qa: the answer to a question, out of a text.
#include <stdlib.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/cli/session.h"
#include "host/task/answers.h"

enum {
    KEY_QUESTION = 0x2000,
    KEY_CONTEXT,
    KEY_CONTEXT_FILE,
    KEY_TOP,
    KEY_MAX_ANSWER,
    KEY_MAX_LENGTH,
    KEY_STRIDE,
    KEY_NULL
};
enum { CONTEXT_LIMIT = 1 << 26, BRIEF_COLUMNS = 60 };

typedef struct settings {
    const char *question;
    const char *context;
    const char *context_file;
    int64_t top;
    int64_t max_answer_length;
    int64_t max_length;
    int64_t stride; // as encl_qa_options has it
    bool null;
} settings;

static const struct argp_option options[] = {
    {"question", KEY_QUESTION, "TEXT", 0, "The question", 0},
    {"context", KEY_CONTEXT, "TEXT", 0, "The text that holds the answer", 0},
    {"context-file", KEY_CONTEXT_FILE, "FILE", 0, "The same from a file", 0},
    {"top", KEY_TOP, "K", 0, "Answers, at most (default 1)", 0},
    {"max-answer-length", KEY_MAX_ANSWER, "N", 0, "Tokens in an answer (default 15)", 0},
    {"null", KEY_NULL, NULL, 0, "That there is no answer is one too", 0},
    {"stride", KEY_STRIDE, "N", 0, "Tokens that the windows of a long context share (default 128, at most half)", 0},
    {"max-length", KEY_MAX_LENGTH, "N", 0, "Tokens in a window, question and special tokens included (default 384)", 0},
    {0},
};

static encl_status take_text(const char *option, const char *value, const char **text) {
    const size_t valid = encl_utf8_valid_prefix(value, strlen(value));
    if (value[valid] != '\0') {
        return encl_fail(ENCL_INVALID, "%s: byte %zu: found 0x%02x, expected UTF-8", option, valid + 1,
                         (unsigned char)value[valid]);
    }
    *text = value;
    return ENCL_OK;
}

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    encl_status status = ENCL_OK;
    switch (key) {
    case KEY_QUESTION:
        return take_text("--question", value, &chosen->question);
    case KEY_CONTEXT:
        return take_text("--context", value, &chosen->context);
    case KEY_CONTEXT_FILE:
        chosen->context_file = value;
        return ENCL_OK;
    case KEY_TOP:
        return encl_option_integer("--top", value, 1, ENCL_MOST_ANSWERS, &chosen->top);
    case KEY_MAX_ANSWER:
        return encl_option_integer("--max-answer-length", value, 1, INT32_MAX, &chosen->max_answer_length);
    case KEY_MAX_LENGTH:
        return encl_option_integer("--max-length", value, 1, INT32_MAX, &chosen->max_length);
    case KEY_STRIDE:
        status = encl_option_integer("--stride", value, 0, INT32_MAX, &chosen->stride);
        chosen->stride = chosen->stride == 0 ? ENCL_NO_OVERLAP : chosen->stride;
        return status;
    default:
        chosen->null = true;
        return ENCL_OK;
    }
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    if (chosen->question == NULL) {
        return encl_fail(ENCL_INVALID, "found no --question, expected one");
    }
    if ((chosen->context != NULL) == (chosen->context_file != NULL)) {
        return encl_fail(ENCL_INVALID, "found %s, expected either --context or --context-file",
                         chosen->context != NULL ? "both --context and --context-file" : "no context");
    }
    return ENCL_OK;
}

// ---- Results ----------------------------------------------------------------------------------------------

typedef struct qa_run {
    encl_text question; // and its context
    bool given;
    bool json;
} qa_run;

static encl_status next_question(void *context, encl_text *text) {
    qa_run *run = context;
    if (!run->given) {
        *text = run->question;
    }
    run->given = true;
    return encl_interrupt_check();
}

static cJSON *answer_json(const encl_answers *answers, const encl_answer *answer) {
    encl_line line;
    encl_line_start(&line);
    encl_line_item(&line, "text",
                   encl_json_text(answers->context + answer->byte_start, answer->byte_end - answer->byte_start));
    encl_line_number(&line, "start", answer->start);
    encl_line_number(&line, "end", answer->end);
    encl_line_number(&line, "score", (double)(float)answer->score); // nine digits
    return encl_line_take(&line);
}

static encl_status print_json(const encl_answers *answers) {
    encl_line line;
    encl_line_start(&line);
    cJSON *array = encl_line_array(&line, "answers");
    for (size_t i = 0; i < answers->count; i++) {
        encl_line_add(&line, array, answer_json(answers, &answers->answers[i]));
    }
    return encl_line_print(&line, stdout);
}

static encl_status add_row(encl_table *table, const encl_answers *answers, const encl_answer *answer) {
    encl_status status = ENCL_OK;
    char *brief = NULL;
    const size_t length = answer->byte_end - answer->byte_start;
    ENCL_TRY(encl_brief_text(answers->context + answer->byte_start, length, BRIEF_COLUMNS, &brief));
    ENCL_TRY(encl_table_cell(table, "%.4f", answer->score));
    ENCL_TRY(encl_table_cell(table, "%d", (int)answer->start));
    ENCL_TRY(encl_table_cell(table, "%d", (int)answer->end));
    ENCL_TRY(encl_table_cell(table, "%s", length > 0 ? brief : "(no answer)"));
cleanup:
    free(brief);
    return status;
}

static encl_status print_people(const encl_answers *answers) {
    static const char *const headings[] = {">score", ">start", ">end", "answer"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    for (size_t i = 0; i < answers->count; i++) {
        ENCL_TRY(add_row(table, answers, &answers->answers[i]));
    }
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status take_answers(void *context, const encl_answers *answers) {
    const qa_run *run = context;
    const encl_status status = encl_interrupt_check();
    if (status != ENCL_OK) {
        return status;
    }
    return run->json ? print_json(answers) : print_people(answers);
}

// ---- The run ----------------------------------------------------------------------------------------------

// Without the byte order mark that a file may begin with.
static encl_status read_context(const char *path, char **memory, encl_text *question) {
    static const char mark[] = "\xef\xbb\xbf";
    size_t length = 0;
    const encl_status status = encl_file_read(path, CONTEXT_LIMIT, memory, &length);
    if (status != ENCL_OK) {
        return status;
    }
    const size_t skipped = strncmp(*memory, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
    question->pair = *memory + skipped;
    question->pair_length = length - skipped;
    const size_t valid = encl_utf8_valid_prefix(question->pair, question->pair_length);
    if (valid != question->pair_length) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found 0x%02x, expected UTF-8", path, skipped + valid + 1,
                         (unsigned char)question->pair[valid]);
    }
    return ENCL_OK;
}

static encl_status answer(encl_call *call) {
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_qa *qa = NULL;
    char *memory = NULL;
    qa_run run = {.question = {.text = chosen->question, .length = strlen(chosen->question), .pair = chosen->context},
                  .json = call->globals->json};
    if (chosen->context_file != NULL) {
        ENCL_TRY(read_context(chosen->context_file, &memory, &run.question));
    } else {
        run.question.pair_length = strlen(chosen->context);
    }
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    const encl_qa_options wanted = {
        .executable = session.executable,
        .max_length = chosen->max_length,
        .doc_stride = chosen->stride,
        .max_answer_length = (int32_t)chosen->max_answer_length,
        .top_k = (int32_t)chosen->top,
        .handle_impossible = chosen->null,
        .check = encl_interrupt_asked,
    };
    ENCL_TRY(encl_qa_create(session.model, session.device, &wanted, &qa));
    ENCL_TRY(encl_qa_run(qa, next_question, &run, take_answers, &run, NULL));
cleanup:
    encl_qa_destroy(qa);
    encl_session_close(&session);
    free(memory);
    return status;
}

const encl_command encl_command_qa = {
    .name = "qa",
    .summary = "Answer a question out of a text",
    .arguments = "MODEL",
    .text = "Find the parts of a text, the context, that answer a question. A context longer than the model takes is "
            "read in windows that overlap.\v"
            "Example:\n  encl qa ./reader --question '他去了哪里？' --context-file text.txt",
    .options = options,
    .minimum = 1,
    .maximum = 1,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = answer,
};
