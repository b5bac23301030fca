// Added tokens: texts that are cut out before anything else happens ([MASK], …) or, where an added token says so,
// after normalization. Leftmost first, then longest.
#ifndef ENCL_TEXT_ADDED_H
#define ENCL_TEXT_ADDED_H

#include "host/text/trie.h"

typedef struct encl_added_token {
    char *content;
    int32_t id;
    bool single_word; // only where no letter or digit touches it
    bool strip_left;  // takes the white space before it along
    bool strip_right; // and after it
    bool normalized;  // is looked for in the normalized text
    bool special;     // no part of a text that is made of tokens again
} encl_added_token;

// Zero-initialise.
typedef struct encl_added {
    encl_added_token *tokens;
    size_t count;
    size_t capacity;
    encl_trie contents;   // of all; value: index into tokens
    encl_trie raw;        // of those that are looked for in the raw text
    encl_trie normalized; // of the normalized contents of the others
    bool starts[256];     // bytes that a token of `raw` begins with
} encl_added;

// Appends a token with a copy of `content`; one that is empty or there already changes nothing. A token that is
// `normalized` is not looked for until its normalized content is in that trie.
encl_status encl_added_append(encl_added *added, const char *content, encl_added_token token);
// NULL where there is no such token.
const encl_added_token *encl_added_find(const encl_added *added, const char *content);
void encl_added_free(encl_added *added);

// The longest token that the valid UTF-8 text starts with, NULL if none; *bytes and *code_points are its length.
const encl_added_token *encl_added_match(const encl_added *added, const char *text, size_t length, size_t *bytes,
                                         size_t *code_points);

#endif
