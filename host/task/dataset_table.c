// Tables: lines of columns, with a header or without, and CSV as RFC 4180 describes it.
#include "host/task/dataset_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/task/dataset.h"
#include "runtime/base/json.h"

enum { FIELD_LIMIT = 64, SHOWN_BYTES = 60, NUMBER_BYTES = 64 };

// A line of the table.
typedef struct table_record {
    encl_span fields[FIELD_LIMIT];
    size_t count; // 0: the table is over
    int64_t line; // number of its first line
} table_record;

typedef struct table_reader {
    encl_dataset *dataset;
    const encl_table_form *form;
    size_t columns[ENCL_COLUMNS]; // FIELD_LIMIT: there is none
    size_t width;                 // columns that a line must have
    encl_lines lines;
    table_record record;
} table_reader;

// ---- Records ----------------------------------------------------------------------------------------------

static encl_status add_field(table_record *record, const char *place, encl_span field) {
    if (record->count == FIELD_LIMIT) {
        return encl_fail(ENCL_FORMAT, "%s: line %lld: found more than %d columns, expected fewer", place,
                         (long long)record->line, FIELD_LIMIT);
    }
    record->fields[record->count++] = field;
    return ENCL_OK;
}

static encl_status split_line(encl_span line, const char *separator, const char *place, table_record *record) {
    const size_t gap = strlen(separator);
    const char *end = line.text + line.length;
    encl_status status = ENCL_OK;
    record->count = 0;
    for (const char *at = line.text; status == ENCL_OK;) {
        const char *stop = memmem(at, (size_t)(end - at), separator, gap);
        status = add_field(record, place, (encl_span){at, (size_t)((stop != NULL ? stop : end) - at)});
        if (stop == NULL) {
            break;
        }
        at = stop + gap;
    }
    return status;
}

static encl_status read_line(encl_lines *lines, const char *separator, table_record *record) {
    encl_span line = {0};
    record->count = 0;
    encl_status status = encl_lines_next(lines, &line);
    record->line = lines->number;
    return status != ENCL_OK || line.text == NULL ? status : split_line(line, separator, lines->place, record);
}

// Takes a field in quotes, which begins at *at; what it says is moved to the place of the opening quote.
static encl_status take_quoted(encl_lines *lines, int64_t first_line, const char *limit, char **at, encl_span *field) {
    char *start = *at;
    char *write = start;
    char *read = start + 1;
    for (; read < limit; read++) {
        if (*read == '"') {
            if (read + 1 == lines->end || read[1] != '"') {
                break;
            }
            read++; // a doubled quote is one
        }
        lines->number += *read == '\n';
        *write++ = *read;
    }
    if (read >= limit) {
        return encl_fail(ENCL_FORMAT,
                         "%s: line %lld: found no end of a field in quotes, expected a quote within %d bytes",
                         lines->place, (long long)first_line, ENCL_LINE_LIMIT);
    }
    *field = (encl_span){start, (size_t)(write - start)};
    *at = read + 1;
    return ENCL_OK;
}

static bool ends_line(const char *at, const char *end) {
    return at == end || *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'));
}

static encl_status read_quoted(encl_lines *lines, char separator, table_record *record) {
    char *at = lines->at;
    const char *limit = lines->end - at > ENCL_LINE_LIMIT ? at + ENCL_LINE_LIMIT : lines->end;
    encl_status status = ENCL_OK;
    record->count = 0;
    record->line = lines->number + 1;
    if (at == lines->end) {
        return ENCL_OK;
    }
    for (;;) {
        encl_span field = {at, 0};
        if (at < limit && *at == '"') {
            ENCL_TRY(take_quoted(lines, record->line, limit, &at, &field));
            if (!ends_line(at, lines->end) && *at != separator) {
                return encl_fail(ENCL_FORMAT,
                                 "%s: line %lld: found 0x%02x after a field in quotes, expected '%c' or the "
                                 "line's end",
                                 lines->place, (long long)lines->number + 1, (unsigned char)*at, separator);
            }
        } else {
            while (at < limit && *at != separator && !ends_line(at, lines->end)) {
                at++;
            }
            field.length = (size_t)(at - field.text);
        }
        if (at == limit && limit < lines->end) {
            return encl_fail(ENCL_FORMAT, "%s: line %lld: found no end within %d bytes, expected a shorter line",
                             lines->place, (long long)record->line, ENCL_LINE_LIMIT);
        }
        ENCL_TRY(add_field(record, lines->place, field));
        if (ends_line(at, lines->end)) {
            break;
        }
        at++;
    }
    at += at < lines->end && *at == '\r';
    at += at < lines->end;
    lines->at = at;
    lines->number++;
cleanup:
    return status;
}

static encl_status next_record(table_reader *table) {
    return table->form->quoted ? read_quoted(&table->lines, table->form->separator[0], &table->record)
                               : read_line(&table->lines, table->form->separator, &table->record);
}

// ---- The columns ------------------------------------------------------------------------------------------

static encl_span without_quotes(encl_span field) {
    const bool quoted = field.length >= 2 && field.text[0] == '"' && field.text[field.length - 1] == '"';
    return quoted ? (encl_span){field.text + 1, field.length - 2} : field;
}

static size_t find_name(const table_record *header, const char *name, bool quoted) {
    for (size_t i = 0; i < header->count; i++) {
        const encl_span field = quoted ? without_quotes(header->fields[i]) : header->fields[i];
        if (encl_span_equals(field, name)) {
            return i;
        }
    }
    return FIELD_LIMIT;
}

// Finds the columns where the form fits the first line, which stays as it is.
static bool fits(const encl_table_form *form, const table_record *first, table_reader *table) {
    size_t columns[ENCL_COLUMNS];
    size_t width = 0;
    for (size_t i = 0; i < ENCL_COLUMNS; i++) {
        const bool named = form->names[0] != NULL;
        const bool wanted = named ? form->names[i][0] != '\0' : form->places[i] >= 0;
        columns[i] = FIELD_LIMIT;
        if (!wanted) {
            continue;
        }
        columns[i] = named ? find_name(first, form->names[i], form->quoted) : (size_t)form->places[i];
        if (columns[i] >= first->count) {
            return false;
        }
        width = columns[i] >= width ? columns[i] + 1 : width;
    }
    memcpy(table->columns, columns, sizeof columns);
    table->width = width;
    table->form = form;
    return true;
}

// "columns text_a, text_b, label, or 3 columns": what the forms want.
static encl_status describe_forms(const encl_dataset_kind *kind, encl_string *text) {
    encl_status status = ENCL_OK;
    for (size_t f = 0; f < kind->form_count; f++) {
        const encl_table_form *form = &kind->forms[f];
        const char *gap = strcmp(form->separator, "\t") == 0 ? "tab" : form->separator;
        size_t columns = 0;
        ENCL_TRY(encl_string_format(text, "%s", f > 0 ? "; or " : ""));
        for (size_t i = 0; i < ENCL_COLUMNS; i++) {
            if (form->names[0] != NULL && form->names[i][0] != '\0') {
                ENCL_TRY(encl_string_format(text, "%s%s", i > 0 ? ", " : "a header with ", form->names[i]));
            }
            columns = form->places[i] >= (int)columns ? (size_t)form->places[i] + 1 : columns;
        }
        if (form->names[0] == NULL) {
            ENCL_TRY(encl_string_format(text, "at least %zu columns", columns));
        }
        ENCL_TRY(encl_string_format(text, " (separated by %s)", gap));
    }
cleanup:
    return status;
}

static encl_status fail_forms(const encl_dataset *dataset, encl_span line) {
    encl_string expected = {0};
    encl_string found = {0};
    const size_t shown = encl_utf8_valid_prefix(line.text, line.length < SHOWN_BYTES ? line.length : SHOWN_BYTES);
    encl_status status = encl_string_append(&found, line.text != NULL ? line.text : "", shown);
    status = status == ENCL_OK ? describe_forms(dataset->kind, &expected) : status;
    if (status == ENCL_OK) {
        encl_utf8_make_printable(found.text, found.length);
        status = encl_fail(ENCL_FORMAT, "%s: line 1: found '%s%s', expected %s", dataset->path, found.text,
                           shown < line.length ? "…" : "", expected.text);
    }
    encl_string_free(&expected);
    encl_string_free(&found);
    return status;
}

// Chooses the form and passes over a header.
static encl_status choose_form(table_reader *table) {
    const encl_dataset_kind *kind = table->dataset->kind;
    encl_lines lines = table->lines;
    encl_span line = {0};
    encl_status status = encl_lines_next(&lines, &line);
    for (size_t f = 0; f < kind->form_count && status == ENCL_OK && line.text != NULL; f++) {
        table->record.line = 1;
        status = split_line(line, kind->forms[f].separator, table->lines.place, &table->record);
        if (status == ENCL_OK && fits(&kind->forms[f], &table->record, table)) {
            return table->form->names[0] != NULL ? next_record(table) : ENCL_OK;
        }
    }
    return status != ENCL_OK ? status : fail_forms(table->dataset, line);
}

// ---- The examples -----------------------------------------------------------------------------------------

static encl_span field_of(const table_reader *table, size_t column) {
    const size_t place = table->columns[column];
    return place < table->record.count ? table->record.fields[place] : (encl_span){0};
}

static encl_status take_label(const table_reader *table, encl_span field, encl_example *example) {
    example->label = encl_dataset_label_index(table->dataset->kind, field);
    if (example->label >= 0) {
        return ENCL_OK;
    }
    char *list = NULL;
    encl_status status = encl_dataset_label_list(table->dataset->kind, &list);
    if (status == ENCL_OK) {
        const size_t shown =
            encl_utf8_valid_prefix(field.text, field.length < SHOWN_BYTES ? field.length : SHOWN_BYTES);
        status = encl_fail(ENCL_FORMAT, "%s: line %lld, column %zu: found label '%.*s', expected one of %s",
                           table->lines.place, (long long)table->record.line, table->columns[ENCL_COLUMN_LABEL] + 1,
                           (int)shown, field.text, list);
    }
    free(list);
    return status;
}

static encl_status take_score(const table_reader *table, encl_span field, encl_example *example) {
    char number[NUMBER_BYTES] = "";
    char *end = number;
    if (field.length > 0 && field.length < sizeof number) {
        memcpy(number, field.text, field.length);
        example->score = strtod(number, &end);
    }
    if (end == number || (size_t)(end - number) != field.length || !isfinite(example->score)) {
        const size_t shown =
            encl_utf8_valid_prefix(field.text, field.length < SHOWN_BYTES ? field.length : SHOWN_BYTES);
        return encl_fail(ENCL_FORMAT, "%s: line %lld, column %zu: found score '%.*s', expected a number",
                         table->lines.place, (long long)table->record.line, table->columns[ENCL_COLUMN_LABEL] + 1,
                         (int)shown, field.text);
    }
    return ENCL_OK;
}

static encl_status take_record(table_reader *table) {
    if (table->record.count == 1 && table->record.fields[0].length == 0) {
        return ENCL_OK; // a blank line
    }
    if (table->record.count < table->width) {
        return encl_fail(ENCL_FORMAT, "%s: line %lld: found %zu columns, expected at least %zu", table->lines.place,
                         (long long)table->record.line, table->record.count, table->width);
    }
    const char *kept = table->form->kept;
    if (kept != NULL && !encl_span_equals(field_of(table, ENCL_COLUMN_KEPT), kept)) {
        return ENCL_OK;
    }
    encl_example example = {.text = field_of(table, ENCL_COLUMN_TEXT), .label = -1};
    example.pair = field_of(table, ENCL_COLUMN_PAIR);
    const encl_span answer = field_of(table, ENCL_COLUMN_LABEL);
    encl_status status = table->dataset->kind->task == ENCL_DATASET_SCORES ? take_score(table, answer, &example)
                                                                           : take_label(table, answer, &example);
    return status == ENCL_OK ? encl_dataset_add(table->dataset, &example) : status;
}

encl_status encl_dataset_read_table(encl_dataset *dataset) {
    table_reader table = {.dataset = dataset,
                          .lines = {dataset->path, dataset->text, dataset->text + dataset->length, 0}};
    encl_status status = choose_form(&table);
    while (status == ENCL_OK) {
        status = next_record(&table);
        if (status == ENCL_OK && table.record.count == 0) {
            break;
        }
        status = status == ENCL_OK ? take_record(&table) : status;
    }
    return status;
}
