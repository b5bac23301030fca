#include "host/cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/interrupt.h"
#include "host/cli/output.h"
#include "runtime/base/log.h"

enum {
    READ_BYTES = 1 << 16,
    LINE_LIMIT = 1 << 26, // a longer line is no text but a wrong file
};

// Where in a line a text is.
typedef struct source {
    int64_t column;  // .tsv, from 0; −1: not there
    const char *key; // .tsv: to look up in the first line; .jsonl
} source;

struct encl_input {
    char *const *texts; // arguments
    size_t text_count;
    size_t text_index;

    const char *name; // of the file, for messages
    int descriptor;
    encl_status (*take)(encl_input *input, const encl_text *line, encl_text *text);
    source first;
    source second;    // of a pair
    const char *pair; // second text of every pair
    bool header;      // the next line is the header
    cJSON *object;    // .jsonl: that the last text lies in
    int64_t line;     // number of the last line, from 1
    char *buffer;     // bytes [begin, end) are read and not used
    size_t capacity;
    size_t begin;
    size_t end;
    bool at_end;
};

// ---- Formats ----------------------------------------------------------------------------------------------

static encl_status take_line(encl_input *input, const encl_text *line, encl_text *text) {
    (void)input;
    *text = *line;
    return ENCL_OK;
}

// Field `column` of a line, text NULL where there are fewer; *count is how many fields were seen.
static encl_text find_field(const encl_text *line, int64_t column, int64_t *count) {
    const char *start = line->text;
    const char *end = line->text + line->length;
    for (*count = 1;; (*count)++) {
        const char *tab = memchr(start, '\t', (size_t)(end - start));
        const char *stop = tab != NULL ? tab : end;
        if (*count == column + 1) {
            return (encl_text){.text = start, .length = (size_t)(stop - start)};
        }
        if (tab == NULL) {
            return (encl_text){0};
        }
        start = tab + 1;
    }
}

static encl_status read_field(const encl_input *input, const encl_text *line, int64_t column, const char **text,
                              size_t *length) {
    int64_t count = 0;
    if (column < 0) {
        return ENCL_OK;
    }
    const encl_text field = find_field(line, column, &count);
    if (field.text == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: line %" PRId64 ": found %" PRId64 ", expected at least %" PRId64 " columns",
                         input->name, input->line, count, column + 1);
    }
    *text = field.text;
    *length = field.length;
    return ENCL_OK;
}

static encl_status take_field(encl_input *input, const encl_text *line, encl_text *text) {
    encl_status status = read_field(input, line, input->first.column, &text->text, &text->length);
    return status == ENCL_OK ? read_field(input, line, input->second.column, &text->pair, &text->pair_length) : status;
}

// Looks a column's name up in the first line of a .tsv.
static encl_status find_column(const encl_input *input, const encl_text *line, source *where) {
    if (where->key == NULL) {
        return ENCL_OK;
    }
    int64_t count = 0;
    size_t length = strlen(where->key);
    for (int64_t column = 0;; column++) {
        encl_text field = find_field(line, column, &count);
        if (field.text == NULL) {
            return encl_fail(ENCL_NOT_FOUND,
                             "%s: line %" PRId64 ": found %" PRId64 " columns without '%s', expected one of that name",
                             input->name, input->line, count, where->key);
        }
        if (field.length == length && memcmp(field.text, where->key, length) == 0) {
            where->column = column;
            return ENCL_OK;
        }
    }
}

static encl_status take_header(encl_input *input, const encl_text *line) {
    encl_status status = find_column(input, line, &input->first);
    return status == ENCL_OK ? find_column(input, line, &input->second) : status;
}

static encl_status read_key(const char *name, const cJSON *object, const char *key, const char **text, size_t *length) {
    const char *value = NULL;
    if (key == NULL) {
        return ENCL_OK;
    }
    encl_status status = encl_json_get_text(name, object, key, &value);
    if (status == ENCL_OK && value == NULL) {
        return encl_fail(ENCL_NOT_FOUND, "%s: found no key '%s', expected a text there", name, key);
    }
    *text = value;
    *length = value != NULL ? strlen(value) : 0;
    return status;
}

static encl_status take_object(encl_input *input, const encl_text *line, encl_text *text) {
    encl_status status = ENCL_OK;
    encl_string name = {0};
    cJSON_Delete(input->object);
    input->object = NULL;
    ENCL_TRY(encl_string_format(&name, "%s: line %" PRId64, input->name, input->line));
    ENCL_TRY(encl_json_parse(name.text, line->text, line->length, &input->object));
    if (!cJSON_IsObject(input->object)) {
        status = encl_fail(ENCL_FORMAT, "%s: found no JSON object, expected one with the key '%s'", name.text,
                           input->first.key);
        goto cleanup;
    }
    ENCL_TRY(read_key(name.text, input->object, input->first.key, &text->text, &text->length));
    ENCL_TRY(read_key(name.text, input->object, input->second.key, &text->pair, &text->pair_length));
cleanup:
    encl_string_free(&name);
    return status;
}

// ---- Lines ------------------------------------------------------------------------------------------------

// Reads some bytes behind `end`. A signal ends the wait.
static encl_status fill(encl_input *input) {
    if (input->begin > 0) {
        memmove(input->buffer, input->buffer + input->begin, input->end - input->begin);
        input->end -= input->begin;
        input->begin = 0;
    }
    if (input->end > LINE_LIMIT) {
        return encl_fail(ENCL_FORMAT, "%s: line %" PRId64 ": found more than %d bytes, expected a shorter line",
                         input->name, input->line + 1, LINE_LIMIT);
    }
    void *buffer = input->buffer;
    encl_status status = encl_reserve(&buffer, &input->capacity, input->end + READ_BYTES, 1);
    input->buffer = buffer;
    if (status != ENCL_OK) {
        return status;
    }
    for (;;) {
        struct pollfd waits[] = {{.fd = input->descriptor, .events = POLLIN},
                                 {.fd = encl_interrupt_descriptor(), .events = POLLIN}};
        const int ready = poll(waits, 2, -1);
        if (ready < 0 && errno != EINTR) {
            return encl_fail(ENCL_IO, "%s: cannot wait for input: %s", input->name, strerror(errno));
        }
        status = encl_interrupt_check();
        if (status != ENCL_OK) {
            return status;
        }
        if (ready < 0) {
            continue; // a pipe without a writer would read as one at its end
        }
        ssize_t got = read(input->descriptor, input->buffer + input->end, READ_BYTES);
        if (got >= 0) {
            input->end += (size_t)got;
            input->at_end = got == 0;
            return ENCL_OK;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return encl_fail(ENCL_IO, "%s: cannot read: %s", input->name, strerror(errno));
        }
    }
}

// The next line without its end; text NULL after the last.
static encl_status read_line(encl_input *input, encl_text *line) {
    *line = (encl_text){0};
    size_t searched = 0;
    for (;;) {
        const char *start = input->buffer + input->begin;
        size_t length = input->end - input->begin;
        const char *newline = length > searched ? memchr(start + searched, '\n', length - searched) : NULL;
        if (newline == NULL && !input->at_end) {
            searched = length;
            encl_status status = fill(input);
            if (status != ENCL_OK) {
                return status;
            }
            continue;
        }
        if (newline == NULL && length == 0) {
            return ENCL_OK;
        }
        size_t used = newline != NULL ? (size_t)(newline - start) : length;
        input->begin += used + (newline != NULL ? 1 : 0);
        input->line++;
        if (newline != NULL && used > 0 && start[used - 1] == '\r') {
            used--;
        }
        static const char mark[] = "\xef\xbb\xbf"; // a byte order mark before the first line is no part of it
        size_t skip = input->line == 1 && used >= 3 && memcmp(start, mark, 3) == 0 ? 3 : 0;
        *line = (encl_text){.text = start + skip, .length = used - skip};
        return ENCL_OK;
    }
}

static encl_status check_utf8(const encl_text *text, const char *place, const char *unit, int64_t number) {
    size_t valid = encl_utf8_valid_prefix(text->text, text->length);
    if (valid == text->length) {
        return ENCL_OK;
    }
    return encl_fail(ENCL_FORMAT, "%s: %s %" PRId64 ", byte %zu: found 0x%02x, expected UTF-8", place, unit, number,
                     valid + 1, (unsigned char)text->text[valid]);
}

static encl_status next_from_file(encl_input *input, encl_text *text) {
    for (;;) {
        encl_text line;
        encl_status status = read_line(input, &line);
        if (status != ENCL_OK || line.text == NULL) {
            return status;
        }
        status = check_utf8(&line, input->name, "line", input->line);
        if (status != ENCL_OK) {
            return status;
        }
        if (!input->header) {
            return input->take(input, &line, text);
        }
        input->header = false;
        status = take_header(input, &line);
        if (status != ENCL_OK) {
            return status;
        }
    }
}

static encl_status next_from_arguments(encl_input *input, encl_text *text) {
    if (input->text_index == input->text_count) {
        return ENCL_OK;
    }
    const char *argument = input->texts[input->text_index++];
    encl_text found = {.text = argument, .length = strlen(argument)};
    encl_status status = check_utf8(&found, "command line", "text", (int64_t)input->text_index);
    if (status == ENCL_OK) {
        *text = found;
    }
    return status;
}

encl_status encl_input_next(void *context, encl_text *text) {
    encl_input *input = context;
    *text = (encl_text){0};
    encl_status status = encl_interrupt_check();
    if (status == ENCL_OK) {
        status = input->texts == NULL ? next_from_file(input, text) : next_from_arguments(input, text);
    }
    if (status == ENCL_OK && text->text != NULL && input->pair != NULL) {
        text->pair = input->pair;
        text->pair_length = strlen(input->pair);
    }
    return status;
}

// ---- Opening ----------------------------------------------------------------------------------------------

static bool is_number(const char *text) {
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static encl_status check_column(const char *option, const char *column, const char *path) {
    const bool tsv = path != NULL && encl_path_ends(path, ".tsv");
    if (column == NULL) {
        return ENCL_OK;
    }
    if (!tsv && (path == NULL || !encl_path_ends(path, ".jsonl"))) {
        return encl_fail(ENCL_INVALID, "%s: found '%s', expected --input with a .tsv or .jsonl file", option,
                         path != NULL ? path : "no --input");
    }
    if (tsv && is_number(column)) {
        errno = 0;
        if (strtoll(column, NULL, 10) < 1 || errno != 0) {
            return encl_fail(ENCL_INVALID, "%s: found '%s', expected a number from 1 or a name", option, column);
        }
    }
    return ENCL_OK;
}

encl_status encl_input_check(const encl_input_options *options, size_t text_count) {
    const char *path = options->path;
    encl_status status = ENCL_OK;
    if (text_count > 0 && path != NULL) {
        return encl_fail(ENCL_INVALID, "found --input and %zu texts, expected one or the other", text_count);
    }
    if (options->pair != NULL && options->pair_column != NULL) {
        return encl_fail(ENCL_INVALID, "found --pair and --pair-column, expected one or the other");
    }
    ENCL_TRY(check_column("--column", options->column, path));
    ENCL_TRY(check_column("--pair-column", options->pair_column, path));
    if (options->header && (path == NULL || !encl_path_ends(path, ".tsv"))) {
        return encl_fail(ENCL_INVALID, "--header: found '%s', expected --input with a .tsv file",
                         path != NULL ? path : "no --input");
    }
    if (options->pair != NULL) {
        const encl_text pair = {.text = options->pair, .length = strlen(options->pair)};
        ENCL_TRY(check_utf8(&pair, "command line", "pair", 1));
    }
cleanup:
    return status;
}

static void set_source(const char *column, encl_input *input, source *where) {
    if (is_number(column)) {
        where->column = strtoll(column, NULL, 10) - 1;
    } else {
        where->key = column;
        input->header = true;
    }
}

static void choose_format(encl_input *input, const encl_input_options *options) {
    input->take = take_line;
    input->second.column = -1;
    if (encl_path_ends(input->name, ".jsonl")) {
        input->take = take_object;
        input->first.key = options->column != NULL ? options->column : "text";
        input->second.key = options->pair_column;
    } else if (encl_path_ends(input->name, ".tsv")) {
        input->take = take_field;
        input->header = options->header;
        set_source(options->column != NULL ? options->column : "1", input, &input->first);
        if (options->pair_column != NULL) {
            set_source(options->pair_column, input, &input->second);
        }
    }
}

// O_NONBLOCK: opening a pipe does not wait for its writer, fill() does, where a signal ends the wait.
static encl_status open_file(encl_input *input, const encl_input_options *options) {
    if (options->path == NULL || strcmp(options->path, "-") == 0) {
        input->name = "standard input";
        input->descriptor = STDIN_FILENO;
        if (isatty(STDIN_FILENO) && encl_log_enabled(ENCL_LOG_WARNING)) {
            fputs("encl: reading texts, one a line, until Ctrl-D\n", stderr);
        }
    } else {
        input->name = options->path;
        input->descriptor = open(options->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (input->descriptor < 0) {
            return encl_fail(errno == ENOENT ? ENCL_NOT_FOUND : ENCL_IO, "%s: cannot open: %s", options->path,
                             strerror(errno));
        }
    }
    choose_format(input, options);
    return ENCL_OK;
}

encl_status encl_input_open(const encl_input_options *options, char *const *texts, size_t text_count,
                            encl_input **opened) {
    *opened = NULL;
    void *memory = NULL;
    encl_status status = encl_allocate(1, sizeof(encl_input), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    encl_input *input = memory;
    input->descriptor = -1;
    input->pair = options->pair;
    if (text_count > 0) {
        input->texts = texts;
        input->text_count = text_count;
    } else {
        status = open_file(input, options);
    }
    if (status != ENCL_OK) {
        encl_input_close(input);
        return status;
    }
    *opened = input;
    return ENCL_OK;
}

void encl_input_close(encl_input *input) {
    if (input == NULL) {
        return;
    }
    if (input->descriptor > STDIN_FILENO) {
        close(input->descriptor);
    }
    cJSON_Delete(input->object);
    free(input->buffer);
    free(input);
}

// Lines of a regular file, read without moving its offset; 0 for others.
static int64_t count_lines(int descriptor) {
    struct stat info;
    char bytes[READ_BYTES];
    int64_t lines = 0;
    char last = '\n';
    off_t offset = 0;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        return 0;
    }
    for (ssize_t got = pread(descriptor, bytes, sizeof bytes, offset); got > 0;
         got = pread(descriptor, bytes, sizeof bytes, offset)) {
        for (ssize_t i = 0; i < got; i++) {
            lines += bytes[i] == '\n' ? 1 : 0;
        }
        last = bytes[got - 1];
        offset += got;
    }
    return lines + (last != '\n' ? 1 : 0);
}

int64_t encl_input_total(const encl_input *input) {
    if (input->texts != NULL) {
        return (int64_t)input->text_count;
    }
    int64_t lines = count_lines(input->descriptor);
    return input->header && lines > 0 ? lines - 1 : lines;
}
