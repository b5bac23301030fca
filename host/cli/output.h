// What commands print: JSON lines, tables and texts for people, and result files.
#ifndef ENCL_CLI_OUTPUT_H
#define ENCL_CLI_OUTPUT_H

#include <stdio.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/table.h"

// A JSON object in the making. A failed addition is remembered, and told when the line is printed.
typedef struct encl_line {
    cJSON *object;
    bool incomplete;
} encl_line;

void encl_line_start(encl_line *line);
void encl_line_text(encl_line *line, const char *key, const char *value); // NULL: null
void encl_line_number(encl_line *line, const char *key, double value);
void encl_line_measured(encl_line *line, const char *key, double value); // a number, null where it is not finite
void encl_line_bool(encl_line *line, const char *key, bool value);
void encl_line_texts(encl_line *line, const char *key, const char *const *texts, size_t count); // an array
void encl_line_item(encl_line *line, const char *key, cJSON *item); // takes the item; NULL: no memory
// An empty array that the line owns, NULL where memory is out; and an item of it, taken as encl_line_item does.
cJSON *encl_line_array(encl_line *line, const char *key);
void encl_line_add(encl_line *line, cJSON *array, cJSON *item);
// Prints to `stream` and frees. Also frees on failure.
encl_status encl_line_print(encl_line *line, FILE *stream);
// Gives the object away, NULL where it is incomplete (and freed).
cJSON *encl_line_take(encl_line *line);
void encl_line_free(encl_line *line);

// Appends to an array; false (and the item freed) where either is NULL or memory is out.
bool encl_array_add(cJSON *array, cJSON *item);
// A part of a text. NUL, which ends a string for cJSON, becomes a blank.
cJSON *encl_json_text(const char *text, size_t length);
cJSON *encl_json_ints(const int32_t *values, size_t count);

// "1.5 GiB". The text must hold 32 bytes.
enum { ENCL_BYTES_TEXT = 32 };
const char *encl_bytes_text(uint64_t bytes, char text[ENCL_BYTES_TEXT]);
// The first `columns` characters of a text on one line, "…" where it is cut; for tables. Caller frees *brief.
encl_status encl_brief_text(const char *text, size_t length, size_t columns, char **brief);

// Flushes stdout; IO where something could not be written.
encl_status encl_print_finish(void);

// Opens a result file for encl_output_commit or _abandon. What exists and is not a regular file is refused: the
// result replaces the name.
encl_status encl_result_open(const char *path, encl_output *output);
// True where `path` ends with `ending`, in any case.
bool encl_path_ends(const char *path, const char *ending);

#endif
