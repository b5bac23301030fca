#include "host/cli/bench/write.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/provenance.h"

struct encl_bench_writer {
    encl_bench_format format;
    const encl_bench_column *columns;
    size_t column_count;
    encl_output output; // unused for standard output
    FILE *stream;
    const cJSON *header;
    size_t rows;
    // Markdown: rows as texts, kept until all widths are known and each can stand in its place.
    struct md_row *kept; // [rows]
    size_t kept_capacity;
};

typedef struct md_row {
    size_t place;
    char **cells; // one a column of the kind; NULL where it is never shown
} md_row;

static bool cell_is_empty(const encl_bench_column *column, const encl_bench_cell *cell) {
    return column->type == ENCL_BENCH_TEXT ? cell->text == NULL || cell->text[0] == '\0' : !isfinite(cell->number);
}

// printf writes the locale's decimal point; encl never sets a locale, but a library it is linked with might.
static encl_status add_number(encl_string *line, double number, int digits) {
    char text[400];
    snprintf(text, sizeof text, "%.*f", digits, number);
    for (char *c = text; *c != '\0'; c++) {
        *c = (*c >= '0' && *c <= '9') || *c == '-' ? *c : '.';
    }
    return encl_string_append(line, text, strlen(text));
}

static encl_status check_stream(FILE *stream) {
    if (fflush(stream) != 0 || ferror(stream)) {
        return encl_fail(ENCL_IO, "cannot write results: %s", strerror(errno != 0 ? errno : EIO));
    }
    return ENCL_OK;
}

// The command line as one text; words with blanks or quotes stand in quotes.
static encl_status command_text(const cJSON *header, encl_string *text) {
    encl_status status = ENCL_OK;
    const cJSON *word = NULL;
    cJSON_ArrayForEach(word, encl_json_member(encl_json_member(header, "run"), "command_line")) {
        const char *plain = cJSON_GetStringValue(word);
        if (plain == NULL) {
            continue;
        }
        const bool quoted = plain[0] == '\0' || strpbrk(plain, " \t\n'\"`$\\") != NULL;
        ENCL_TRY(encl_string_format(text, "%s%s", text->length > 0 ? " " : "", quoted ? "'" : ""));
        ENCL_TRY(encl_string_append(text, plain, strlen(plain)));
        ENCL_TRY(encl_string_append(text, "'", quoted ? 1 : 0));
    }
cleanup:
    return status;
}

// ---- CSV --------------------------------------------------------------------------------------------------

// Where a line comes from: its name, and the object and key of the header that say it.
static const struct {
    const char *name, *object, *key;
} provenance[] = {
    {"device_name", NULL, "name"}, // of the row's device
    {"platform", NULL, "platform"},
    {"driver", NULL, "driver"},
    {"encl_version", "encl", "version"},
    {"encl_commit", "encl", "commit"},
    {"build_flags", "encl", "build_flags"},
    {"kernels_sha256", "encl", "kernels_sha256"},
    {"cpu", "host", "cpu"},
    {"os", "host", "os"},
    {"started", "run", "started"},
};
enum { PROVENANCE = sizeof provenance / sizeof provenance[0] };

// Fields with a comma, a quote, a line's end or outer blanks are quoted, quotes doubled (RFC 4180).
static encl_status add_field(encl_string *line, const char *text) {
    encl_status status = ENCL_OK;
    const size_t length = strlen(text);
    const bool outer = length > 0 && (text[0] == ' ' || text[length - 1] == ' ');
    if (strpbrk(text, ",\"\r\n") == NULL && !outer) {
        return encl_string_append(line, text, length);
    }
    ENCL_TRY(encl_string_append(line, "\"", 1));
    for (const char *c = text; *c != '\0'; c++) {
        ENCL_TRY(encl_string_append(line, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1));
    }
    status = encl_string_append(line, "\"", 1);
cleanup:
    return status;
}

static encl_status csv_begin(encl_bench_writer *writer) {
    for (size_t i = 0; i < writer->column_count; i++) {
        fprintf(writer->stream, "%s,", writer->columns[i].name);
    }
    for (size_t i = 0; i < PROVENANCE; i++) {
        fprintf(writer->stream, "%s,", provenance[i].name);
    }
    fputs("command_line,settings\n", writer->stream);
    return check_stream(writer->stream);
}

static encl_status add_provenance(const encl_bench_writer *writer, int32_t device, encl_string *line) {
    encl_status status = ENCL_OK;
    encl_string command = {0};
    char *settings = NULL;
    const cJSON *of_device =
        device < 0 ? NULL : cJSON_GetArrayItem(encl_json_member(writer->header, "devices"), device);
    for (size_t i = 0; i < PROVENANCE; i++) {
        const cJSON *object =
            provenance[i].object != NULL ? encl_json_member(writer->header, provenance[i].object) : of_device;
        ENCL_TRY(encl_string_append(line, ",", 1));
        ENCL_TRY(add_field(line, encl_json_member_text(object, provenance[i].key)));
    }
    ENCL_TRY(command_text(writer->header, &command));
    ENCL_TRY(encl_string_append(line, ",", 1));
    ENCL_TRY(add_field(line, command.text != NULL ? command.text : ""));
    ENCL_TRY(encl_string_append(line, ",", 1));
    settings = cJSON_PrintUnformatted(encl_json_member(encl_json_member(writer->header, "run"), "settings"));
    ENCL_TRY(add_field(line, settings != NULL ? settings : ""));
cleanup:
    encl_string_free(&command);
    cJSON_free(settings);
    return status;
}

static encl_status csv_row(encl_bench_writer *writer, const encl_bench_result *result) {
    encl_status status = ENCL_OK;
    encl_string line = {0};
    for (size_t i = 0; i < writer->column_count; i++) {
        const encl_bench_cell *cell = &result->cells[i];
        ENCL_TRY(encl_string_append(&line, ",", i > 0 ? 1 : 0));
        if (cell_is_empty(&writer->columns[i], cell)) {
            continue;
        }
        ENCL_TRY(writer->columns[i].type == ENCL_BENCH_TEXT
                     ? add_field(&line, cell->text)
                     : add_number(&line, cell->number, writer->columns[i].digits));
    }
    ENCL_TRY(add_provenance(writer, result->device, &line));
    fprintf(writer->stream, "%s\n", line.text);
    ENCL_TRY(check_stream(writer->stream));
cleanup:
    encl_string_free(&line);
    return status;
}

static encl_status csv_finish(encl_bench_writer *writer, bool complete, const char *notes) {
    (void)notes;
    for (size_t i = 0; i < writer->column_count && !complete; i++) {
        const bool is_status = strcmp(writer->columns[i].name, "status") == 0;
        const bool is_reason = strcmp(writer->columns[i].name, "reason") == 0;
        fputs(is_status ? "incomplete" : is_reason ? "ended before the last case" : "", writer->stream);
        putc(',', writer->stream);
    }
    for (size_t i = 0; i < PROVENANCE + 1 && !complete; i++) { // and the command line; the settings end the line
        putc(',', writer->stream);
    }
    fputs(complete ? "" : "\n", writer->stream);
    return check_stream(writer->stream);
}

// ---- JSON Lines -------------------------------------------------------------------------------------------

static encl_status jsonl_begin(encl_bench_writer *writer) {
    return encl_json_write_line(writer->stream, writer->header);
}

// Whole nanoseconds are enough for any time; what is rounded here is the noise of binary fractions.
static double rounded(double number, int digits) {
    const double scale = pow(10, digits);
    const double scaled = round(number * scale);
    return fabs(scaled) < 1e15 ? scaled / scale : number;
}

static encl_status jsonl_row(encl_bench_writer *writer, const encl_bench_result *result) {
    encl_line line;
    encl_line_start(&line);
    for (size_t i = 0; i < writer->column_count; i++) {
        const encl_bench_column *column = &writer->columns[i];
        const encl_bench_cell *cell = &result->cells[i];
        if (column->type == ENCL_BENCH_TEXT) {
            encl_line_text(&line, column->name, cell->text);
        } else {
            encl_line_measured(&line, column->name, rounded(cell->number, column->digits));
        }
    }
    if (result->samples_ns != NULL) {
        cJSON *samples = encl_line_array(&line, "samples_ns");
        for (size_t i = 0; i < result->sample_count; i++) {
            encl_line_add(&line, samples, cJSON_CreateNumber((double)result->samples_ns[i]));
        }
    }
    return encl_line_print(&line, writer->stream);
}

static encl_status jsonl_finish(encl_bench_writer *writer, bool complete, const char *notes) {
    encl_line line;
    encl_line_start(&line);
    encl_line_bool(&line, "complete", complete);
    encl_line_number(&line, "results", (double)writer->rows);
    encl_line_text(&line, "notes", notes);
    encl_line_item(&line, "load_after", encl_load_block());
    return encl_line_print(&line, writer->stream);
}

// ---- Markdown ---------------------------------------------------------------------------------------------

static encl_status md_begin(encl_bench_writer *writer) {
    (void)writer; // what comes before the table is printed with it
    return ENCL_OK;
}

// About five digits in all: more is noise to a reader.
static int shown_digits(double number, int digits) {
    enum { SHOWN = 5 };
    while (digits > 0 && fabs(number) >= pow(10, SHOWN - digits)) {
        digits--;
    }
    return digits;
}

// Below this, digits behind the point would be zeros.
static double least_shown(int digits) {
    return pow(10, digits < 4 ? 1 - digits : -3);
}

static encl_status cell_text(const encl_bench_column *column, const encl_bench_cell *cell, char **text) {
    encl_string shown = {0};
    char bytes[ENCL_BYTES_TEXT];
    encl_status status = encl_string_append(&shown, "", 0);
    if (status == ENCL_OK && !cell_is_empty(column, cell)) {
        if (column->type == ENCL_BENCH_TEXT) {
            status = encl_string_append(&shown, cell->text, strlen(cell->text));
        } else if (column->type == ENCL_BENCH_BYTES) {
            status = encl_string_format(&shown, "%s", encl_bytes_text((uint64_t)fmax(cell->number, 0), bytes));
        } else if (cell->number == 0) {
            status = encl_string_append(&shown, "0", 1);
        } else if (fabs(cell->number) < least_shown(column->digits)) {
            status = encl_string_format(&shown, "%.2g", cell->number);
        } else {
            status = add_number(&shown, cell->number, shown_digits(cell->number, column->digits));
        }
    }
    *text = shown.text;
    return status;
}

static void free_row(const md_row *row, size_t columns) {
    for (size_t i = 0; row->cells != NULL && i < columns; i++) {
        free(row->cells[i]);
    }
    free(row->cells);
}

static encl_status md_take_row(encl_bench_writer *writer, const encl_bench_result *result) {
    encl_status status = ENCL_OK;
    void *memory = writer->kept;
    md_row row = {.place = result->place};
    status = encl_reserve(&memory, &writer->kept_capacity, writer->rows + 1, sizeof *writer->kept);
    writer->kept = memory;
    ENCL_TRY(status);
    ENCL_TRY(encl_allocate(writer->column_count, sizeof *row.cells, &memory));
    row.cells = memory;
    for (size_t i = 0; i < writer->column_count; i++) {
        if (writer->columns[i].heading != NULL) {
            ENCL_TRY(cell_text(&writer->columns[i], &result->cells[i], &row.cells[i]));
        }
    }
    writer->kept[writer->rows] = row;
    row.cells = NULL;
cleanup:
    free_row(&row, writer->column_count);
    return status;
}

static int compare_places(const void *a, const void *b) {
    const size_t left = ((const md_row *)a)->place;
    const size_t right = ((const md_row *)b)->place;
    return (left > right) - (left < right);
}

static void print_about(const encl_bench_writer *writer) {
    const cJSON *build = encl_json_member(writer->header, "encl");
    const cJSON *run = encl_json_member(writer->header, "run");
    const cJSON *device = NULL;
    encl_string command = {0};
    if (command_text(writer->header, &command) == ENCL_OK && command.text != NULL) {
        fprintf(writer->stream, "`%s`, %s, encl %s (%s)\n", command.text, encl_json_member_text(run, "started"),
                encl_json_member_text(build, "version"), encl_json_member_text(build, "commit"));
    }
    encl_string_free(&command);
    cJSON_ArrayForEach(device, encl_json_member(writer->header, "devices")) {
        const cJSON *index = encl_json_member(device, "index");
        fprintf(writer->stream, "\n- device %.0f: %s, %s, driver %s", cJSON_IsNumber(index) ? index->valuedouble : 0,
                encl_json_member_text(device, "name"), encl_json_member_text(device, "platform"),
                encl_json_member_text(device, "driver"));
    }
    fputs(cJSON_GetArraySize(encl_json_member(writer->header, "devices")) > 0 ? "\n\n" : "\n", writer->stream);
}

// A column is worth its place where some cell says something: not where all are empty, all is "ok", or there is but
// one device.
static bool column_says(const encl_bench_writer *writer, size_t column) {
    const encl_bench_column *of = &writer->columns[column];
    const bool one_device = cJSON_GetArraySize(encl_json_member(writer->header, "devices")) < 2;
    if (of->heading == NULL || (one_device && strcmp(of->name, "device_id") == 0)) {
        return false;
    }
    for (size_t row = 0; row < writer->rows; row++) {
        const char *text = writer->kept[row].cells[column];
        if (text != NULL && text[0] != '\0' && strcmp(text, "ok") != 0) {
            return true;
        }
    }
    return false;
}

enum { SHOWN_MOST = 64, HEADING_TEXT = 32 };

static encl_status print_rows(const encl_bench_writer *writer) {
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    char headings[SHOWN_MOST][HEADING_TEXT];
    const char *chosen[SHOWN_MOST];
    size_t columns[SHOWN_MOST];
    size_t shown = 0;
    for (size_t i = 0; i < writer->column_count && shown < SHOWN_MOST; i++) {
        if (column_says(writer, i)) {
            const bool right = writer->columns[i].type != ENCL_BENCH_TEXT;
            snprintf(headings[shown], HEADING_TEXT, "%s%s", right ? ">" : "", writer->columns[i].heading);
            chosen[shown] = headings[shown];
            columns[shown++] = i;
        }
    }
    if (shown == 0) {
        goto cleanup;
    }
    ENCL_TRY(encl_table_create(chosen, shown, &table));
    for (size_t row = 0; row < writer->rows; row++) {
        for (size_t i = 0; i < shown; i++) {
            const char *text = writer->kept[row].cells[columns[i]];
            ENCL_TRY(encl_table_cell(table, "%s", text != NULL ? text : ""));
        }
    }
    ENCL_TRY(encl_table_print_markdown(table, writer->stream));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status md_finish(encl_bench_writer *writer, bool complete, const char *notes) {
    print_about(writer);
    if (writer->rows > 0) {
        qsort(writer->kept, writer->rows, sizeof *writer->kept, compare_places);
    }
    encl_status status = print_rows(writer);
    if (notes != NULL) {
        fprintf(writer->stream, "\n%s\n", notes);
    }
    if (!complete) {
        fputs("\nIncomplete: ended before the last case.\n", writer->stream);
    }
    return status == ENCL_OK ? check_stream(writer->stream) : status;
}

// ---- All of them ------------------------------------------------------------------------------------------

static const struct {
    encl_status (*begin)(encl_bench_writer *writer);
    encl_status (*row)(encl_bench_writer *writer, const encl_bench_result *result);
    encl_status (*finish)(encl_bench_writer *writer, bool complete, const char *notes);
} formats[] = {
    [ENCL_BENCH_MD] = {md_begin, md_take_row, md_finish},
    [ENCL_BENCH_CSV] = {csv_begin, csv_row, csv_finish},
    [ENCL_BENCH_JSONL] = {jsonl_begin, jsonl_row, jsonl_finish},
};

encl_status encl_bench_writer_open(encl_bench_format format, const char *path, encl_bench_kind kind,
                                   encl_bench_writer **writer) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    *writer = NULL;
    ENCL_TRY(encl_allocate(1, sizeof **writer, &memory));
    encl_bench_writer *fresh = memory;
    fresh->format = format;
    fresh->columns = encl_bench_columns(kind, &fresh->column_count);
    fresh->stream = stdout;
    if (path != NULL) {
        ENCL_TRY(encl_result_open(path, &fresh->output));
        fresh->stream = fresh->output.stream;
    }
    *writer = fresh;
    memory = NULL;
cleanup:
    free(memory);
    return status;
}

encl_status encl_bench_writer_begin(encl_bench_writer *writer, const cJSON *header) {
    writer->header = header;
    return formats[writer->format].begin(writer);
}

encl_status encl_bench_writer_row(encl_bench_writer *writer, const encl_bench_result *result) {
    const encl_status status = formats[writer->format].row(writer, result);
    writer->rows += status == ENCL_OK ? 1 : 0;
    return status;
}

encl_status encl_bench_writer_finish(encl_bench_writer *writer, bool complete, const char *notes) {
    encl_status status = formats[writer->format].finish(writer, complete, notes);
    if (status == ENCL_OK && writer->output.stream != NULL) {
        status = encl_output_commit(&writer->output);
        writer->output = (encl_output){0};
    }
    encl_bench_writer_abandon(writer);
    return status;
}

void encl_bench_writer_abandon(encl_bench_writer *writer) {
    if (writer == NULL) {
        return;
    }
    encl_output_abandon(&writer->output);
    for (size_t i = 0; writer->kept != NULL && i < writer->rows; i++) {
        free_row(&writer->kept[i], writer->column_count);
    }
    free(writer->kept);
    free(writer);
}
