// The one table printer: aligned columns for people.
#ifndef ENCL_BASE_TABLE_H
#define ENCL_BASE_TABLE_H

#include "runtime/base/memory.h"

typedef struct encl_table encl_table;

// `columns` headings; a heading that begins with '>' aligns its column to the right (the mark is not printed).
encl_status encl_table_create(const char *const *headings, size_t columns, encl_table **table);
// Adds one cell (printf style); after `columns` cells the next row begins.
encl_status encl_table_cell(encl_table *table, const char *format, ...) ENCL_PRINTF(2, 3);
// Adds a rule across the table before the next row.
encl_status encl_table_rule(encl_table *table);
// Lines of encl_table_print take at most `width` columns where that leaves the last column, one aligned to the left,
// 40: its cells are broken at blanks. 0, the default: no limit.
void encl_table_limit(encl_table *table, size_t width);
// Prints to a FILE *. Widths count terminal columns (East Asian wide characters are two).
encl_status encl_table_print(const encl_table *table, void *stream);
// The same as a table of Markdown, which reads well as it is too. Rules are left out: Markdown has none.
encl_status encl_table_print_markdown(const encl_table *table, void *stream);
void encl_table_destroy(encl_table *table);

// Prints a text that begins at column `indent` of a line to a FILE *, broken at blanks so that lines take at most
// `width` columns; a longer word has a line of its own. Further lines begin at `indent` too. No newline at the end.
void encl_print_wrapped(void *stream, const char *text, size_t indent, size_t width);

#endif
