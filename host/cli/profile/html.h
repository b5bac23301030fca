// Writing HTML and SVG to a stream. Errors of the stream are seen when the file is committed.
#ifndef ENCL_CLI_HTML_H
#define ENCL_CLI_HTML_H

#include <stdio.h>

#include "runtime/base/status.h"

// A text as content or as the value of an attribute in double quotes: escaped; bytes that are no UTF-8 become U+FFFD,
// control characters blanks. NULL is "".
void encl_html_text(FILE *stream, const char *text);
// A short text (at most 255 bytes), printf style, escaped in the same way.
void encl_html_format(FILE *stream, const char *format, ...) ENCL_PRINTF(2, 3);

// Cells of a table. A number that is not known is a dash; `value`, in full, is what the table is sorted by.
void encl_html_cell(FILE *stream, const char *text);
void encl_html_number(FILE *stream, double value, int decimals);
// <th scope="col">; a heading that begins with '>' is over numbers (the mark is not shown).
void encl_html_headings(FILE *stream, const char *const *headings, size_t count);

// 'sha256-…' of a script or a style sheet, for a page's content security policy.
enum { ENCL_HTML_HASH = 64 };
void encl_html_hash(const char *text, size_t length, char hash[ENCL_HTML_HASH]);

#endif
