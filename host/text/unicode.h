// Unicode as the tokenizer needs it: classes of code points, canonical decomposition, lower case, UTF-8.
//
// Each property is pinned to the Unicode version in which vocabularies and the reference tokenizer have it (see
// scripts/make-unicode-tables.py); utf8proc gives the mappings, which never change once assigned.
#ifndef ENCL_TEXT_UNICODE_H
#define ENCL_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the normalizer has to do about a code point; 0 for most letters.
enum {
    ENCL_UNICODE_DROP = 1,        // controls and formats that cleaning removes
    ENCL_UNICODE_SPACE = 2,       // becomes a space
    ENCL_UNICODE_CJK = 4,         // an ideograph: a word by itself
    ENCL_UNICODE_PUNCTUATION = 8, // a word by itself
    ENCL_UNICODE_MARK = 16,       // an accent to be stripped
    ENCL_UNICODE_DECOMPOSED = 32, // has a canonical decomposition
    ENCL_UNICODE_ORDERED = 64,    // has a canonical combining class
    ENCL_UNICODE_CASED = 128,     // has another lower case
};

// Classes of the code points below are kept in a flat table; above are only ideographs and a few others.
enum { ENCL_UNICODE_TABLE = 0x20000 };
void encl_unicode_fill(uint8_t classes[ENCL_UNICODE_TABLE]);
// Of any code point, by searching the ranges.
uint8_t encl_unicode_classes(uint32_t code_point);

// The full canonical decomposition of a code point that is DECOMPOSED; gives the number of parts.
enum { ENCL_UNICODE_PARTS = 4 };
size_t encl_unicode_decompose(uint32_t code_point, uint32_t parts[ENCL_UNICODE_PARTS]);
// The canonical combining class of a code point that is ORDERED.
uint8_t encl_unicode_order(uint32_t code_point);
// The lower case of a code point that is CASED. U+0130 alone becomes two, which is up to the caller.
uint32_t encl_unicode_lower(uint32_t code_point);
// White_Space, which cleaning does not wholly keep.
bool encl_unicode_is_space(uint32_t code_point);
// Part of a word as regular expressions say \w (UTS #18, annex C).
bool encl_unicode_is_word(uint32_t code_point);
// A letter: category L*.
bool encl_unicode_is_letter(uint32_t code_point);
// A number of any kind: category N*.
bool encl_unicode_is_number(uint32_t code_point);
// A decimal digit: category Nd.
bool encl_unicode_is_decimal(uint32_t code_point);
// A decimal digit, or a superscript, circled one, … of which Numeric_Type is Digit.
bool encl_unicode_is_digit(uint32_t code_point);

// The code point at `text`, which is valid UTF-8; *bytes is its length.
static inline uint32_t encl_utf8_next(const char *text, size_t *bytes) {
    const uint8_t *at = (const uint8_t *)text;
    if (at[0] < 0x80) {
        *bytes = 1;
        return at[0];
    }
    if (at[0] < 0xe0) {
        *bytes = 2;
        return (uint32_t)(at[0] & 0x1f) << 6 | (at[1] & 0x3f);
    }
    if (at[0] < 0xf0) {
        *bytes = 3;
        return (uint32_t)(at[0] & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3f);
    }
    *bytes = 4;
    return (uint32_t)(at[0] & 0x07) << 18 | (uint32_t)(at[1] & 0x3f) << 12 | (uint32_t)(at[2] & 0x3f) << 6 |
           (at[3] & 0x3f);
}

// ---- Generated (unicode_ranges.c) -------------------------------------------------------------------------

// first, first + step, …, last
typedef struct encl_unicode_range {
    uint32_t first, last, step;
} encl_unicode_range;
typedef struct encl_unicode_capital {
    encl_unicode_range range;
    int32_t distance; // to the small letter
} encl_unicode_capital;

extern const encl_unicode_range encl_unicode_punctuation[], encl_unicode_marks[], encl_unicode_decomposed[],
    encl_unicode_ordered[], encl_unicode_cased[];
extern const size_t encl_unicode_punctuation_count, encl_unicode_marks_count, encl_unicode_decomposed_count,
    encl_unicode_ordered_count, encl_unicode_cased_count;
extern const encl_unicode_capital encl_unicode_new_capitals[];
extern const size_t encl_unicode_new_capitals_count;

#endif
