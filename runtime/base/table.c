#include "runtime/base/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/base/json.h"

static const size_t GAP = 2;         // blanks between columns
static const size_t LEAST_LAST = 40; // what a limit leaves the last column

struct encl_table {
    size_t columns;
    size_t limit; // columns of a terminal's line; 0: none
    bool *right;  // [columns] aligned to the right
    char **cells; // row by row, the headings first
    size_t count;
    size_t capacity;
    size_t *rules; // the row that each rule stands before, ascending; row 0 is the headings
    size_t rule_count;
    size_t rule_capacity;
};

// ---- Filling ----------------------------------------------------------------------------------------------

// Takes the text over when it succeeds.
static encl_status add_cell(encl_table *table, char *text, size_t length) {
    void *cells = table->cells;
    encl_status status = encl_reserve(&cells, &table->capacity, table->count + 1, sizeof *table->cells);
    table->cells = cells;
    if (status == ENCL_OK) {
        encl_utf8_make_printable(text, length);
        table->cells[table->count++] = text;
    }
    return status;
}

encl_status encl_table_create(const char *const *headings, size_t columns, encl_table **table) {
    encl_status status = ENCL_OK;
    encl_table *fresh = NULL;
    char *heading = NULL;
    void *memory = NULL;

    *table = NULL;
    if (columns == 0) {
        return encl_fail(ENCL_INVALID, "table: found no columns, expected at least one");
    }
    ENCL_TRY(encl_allocate(1, sizeof *fresh, &memory));
    fresh = memory;
    fresh->columns = columns;
    ENCL_TRY(encl_allocate(columns, sizeof *fresh->right, &memory));
    fresh->right = memory;
    for (size_t i = 0; i < columns; i++) {
        fresh->right[i] = headings[i][0] == '>';
        const char *text = headings[i] + fresh->right[i];
        const size_t length = strlen(text);
        ENCL_TRY(encl_copy_text(text, length, &heading));
        ENCL_TRY(add_cell(fresh, heading, length));
        heading = NULL;
    }
    *table = fresh;
    fresh = NULL;

cleanup:
    free(heading);
    encl_table_destroy(fresh);
    return status;
}

encl_status encl_table_cell(encl_table *table, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a table's cell");
    }
    encl_status status = add_cell(table, text, (size_t)length);
    if (status != ENCL_OK) {
        free(text);
    }
    return status;
}

encl_status encl_table_rule(encl_table *table) {
    void *rules = table->rules;
    encl_status status = encl_reserve(&rules, &table->rule_capacity, table->rule_count + 1, sizeof *table->rules);
    table->rules = rules;
    if (status == ENCL_OK) {
        // A row that is not full yet is finished first.
        table->rules[table->rule_count++] = (table->count + table->columns - 1) / table->columns;
    }
    return status;
}

void encl_table_limit(encl_table *table, size_t width) {
    table->limit = width;
}

void encl_table_destroy(encl_table *table) {
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table->rules);
    free(table->right);
    free(table);
}

// ---- Printing ---------------------------------------------------------------------------------------------

// Terminal columns by Unicode's East Asian Width. wcwidth would depend on the locale.
static size_t span_width(const char *text, size_t length) {
    const char *end = text + length;
    size_t width = 0;
    utf8proc_int32_t code = 0;
    utf8proc_ssize_t taken;
    while (text < end && (taken = utf8proc_iterate((const utf8proc_uint8_t *)text, end - text, &code)) > 0) {
        const int columns = utf8proc_charwidth(code);
        width += columns > 0 ? (size_t)columns : 0;
        text += taken;
    }
    return width;
}

static size_t text_width(const char *text) {
    return span_width(text, strlen(text));
}

static void print_repeated(FILE *stream, char c, size_t count) {
    while (count-- > 0) {
        putc(c, stream);
    }
}

void encl_print_wrapped(void *stream, const char *text, size_t indent, size_t width) {
    size_t column = indent;
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        const size_t length = strcspn(text, " ");
        const size_t word = span_width(text, length);
        if (column > indent && column + 1 + word > width) {
            putc('\n', stream);
            print_repeated(stream, ' ', indent);
            column = indent;
        } else if (column > indent) {
            putc(' ', stream);
            column++;
        }
        fwrite(text, 1, length, stream);
        column += word;
        text += length;
    }
}

static void print_rule(FILE *stream, const size_t *widths, size_t columns) {
    for (size_t i = 0; i < columns; i++) {
        print_repeated(stream, '-', widths[i]);
        print_repeated(stream, i + 1 < columns ? ' ' : '\n', i + 1 < columns ? GAP : 1);
    }
}

// Blanks are written only before something, so that no line ends in them.
static void print_row(FILE *stream, const encl_table *table, size_t row, const size_t *widths) {
    const size_t first = row * table->columns;
    size_t blanks = 0;
    size_t column = 0;
    for (size_t i = 0; i < table->columns && first + i < table->count; i++) {
        const char *text = table->cells[first + i];
        const size_t width = text_width(text);
        const size_t padding = width < widths[i] ? widths[i] - width : 0;
        if (width > widths[i]) {
            print_repeated(stream, ' ', blanks);
            encl_print_wrapped(stream, text, column, column + widths[i]); // the last one
        } else if (text[0] != '\0') {
            print_repeated(stream, ' ', blanks + (table->right[i] ? padding : 0));
            fputs(text, stream);
            blanks = table->right[i] ? 0 : padding;
        } else {
            blanks += widths[i];
        }
        blanks += GAP;
        column += widths[i] + GAP;
    }
    putc('\n', stream);
}

// Widths of the columns, each at least `least`. Caller frees *widths.
static encl_status measure(const encl_table *table, size_t (*width_of)(const char *text), size_t least,
                           size_t **widths) {
    void *memory = NULL;
    *widths = NULL;
    const encl_status status = encl_allocate(table->columns, sizeof(size_t), &memory);
    if (status != ENCL_OK) {
        return status;
    }
    *widths = memory;
    for (size_t i = 0; i < table->columns; i++) {
        (*widths)[i] = least;
    }
    for (size_t i = 0; i < table->count; i++) {
        const size_t width = width_of(table->cells[i]);
        size_t *widest = &(*widths)[i % table->columns];
        *widest = width > *widest ? width : *widest;
    }
    return ENCL_OK;
}

// Narrows the last column to what the limit leaves.
static void keep_limit(const encl_table *table, size_t *widths) {
    const size_t last = table->columns - 1;
    size_t before = 0;
    for (size_t i = 0; i < last; i++) {
        before += widths[i] + GAP;
    }
    const size_t left = table->limit > before + LEAST_LAST ? table->limit - before : LEAST_LAST;
    if (table->limit > 0 && !table->right[last] && widths[last] > left) {
        widths[last] = left;
    }
}

static encl_status finish_print(FILE *stream) {
    if (fflush(stream) != 0 || ferror(stream)) {
        return encl_fail(ENCL_IO, "cannot print a table: %s", strerror(errno != 0 ? errno : EIO));
    }
    return ENCL_OK;
}

encl_status encl_table_print(const encl_table *table, void *stream) {
    size_t *widths = NULL;
    const size_t rows = (table->count + table->columns - 1) / table->columns;
    encl_status status = measure(table, text_width, 0, &widths);
    if (status != ENCL_OK) {
        return status;
    }
    keep_limit(table, widths);
    errno = 0;
    size_t rule = 0;
    for (size_t row = 0; row < rows; row++) {
        for (; rule < table->rule_count && table->rules[rule] <= row; rule++) {
            if (table->rules[rule] > 1) { // the one below the headings is there anyway
                print_rule(stream, widths, table->columns);
            }
        }
        print_row(stream, table, row, widths);
        if (row == 0) {
            print_rule(stream, widths, table->columns);
        }
    }
    free(widths);
    return finish_print(stream);
}

// ---- Markdown ---------------------------------------------------------------------------------------------

// A bar would begin the next cell, so it is escaped.
static size_t markdown_width(const char *text) {
    size_t width = text_width(text);
    for (; *text != '\0'; text++) {
        width += *text == '|' ? 1 : 0;
    }
    return width;
}

static void print_markdown_cell(FILE *stream, const char *text, size_t width, bool right) {
    const size_t padding = width - markdown_width(text);
    fputs("| ", stream);
    print_repeated(stream, ' ', right ? padding : 0);
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            putc('\\', stream);
        }
        putc(*text, stream);
    }
    print_repeated(stream, ' ', (right ? 0 : padding) + 1);
}

encl_status encl_table_print_markdown(const encl_table *table, void *stream) {
    enum { LEAST = 3 }; // what "--:" takes
    size_t *widths = NULL;
    const size_t rows = (table->count + table->columns - 1) / table->columns;
    encl_status status = measure(table, markdown_width, LEAST, &widths);
    if (status != ENCL_OK) {
        return status;
    }
    errno = 0;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < table->columns; i++) {
            const size_t at = row * table->columns + i;
            print_markdown_cell(stream, at < table->count ? table->cells[at] : "", widths[i], table->right[i]);
        }
        fputs("|\n", stream);
        for (size_t i = 0; i < table->columns && row == 0; i++) {
            fputs("| ", stream);
            print_repeated(stream, '-', widths[i] - (table->right[i] ? 1 : 0));
            fputs(table->right[i] ? ": " : " ", stream);
        }
        fputs(row == 0 ? "|\n" : "", stream);
    }
    free(widths);
    return finish_print(stream);
}
