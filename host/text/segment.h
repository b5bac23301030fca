// The way of a text to its tokens: added tokens are cut out, characters normalized, words split, words cut into
// pieces. One pass, no memory but the result's, except for what is rare (accents that must be put in order, added
// tokens that are looked for in the normalized text).
//
//   segment.c    raw text → added tokens and code points
//   normalize.c  code points → normalized characters: clean, space CJK, decompose, strip accents, lower case
//   wordpiece.c  normalized characters → words → tokens
#ifndef ENCL_TEXT_SEGMENT_H
#define ENCL_TEXT_SEGMENT_H

#include "host/text/added.h"
#include "host/text/tokenizer.h"
#include "host/text/unicode.h"
#include "host/text/vocabulary.h"

enum { ENCL_WORD_CHARACTERS = 100 }; // longer words are unknown

struct encl_tokenizer {
    encl_tokenizer_info info;
    encl_vocabulary vocabulary;
    encl_added added;
    bool clean;                          // drop controls
    bool clean_up;                       // drop more spaces of decoded texts
    uint8_t classes[ENCL_UNICODE_TABLE]; // what this tokenizer's options leave of them
    uint8_t mask;                        // the same for code points beyond the table
};

// A normalized character and the code point of the text that it comes from.
typedef struct encl_character {
    uint32_t code_point;
    int32_t source;
} encl_character;

// A character that waits to be put in canonical order.
typedef struct encl_waiting {
    uint32_t code_point;
    int32_t source;
    int32_t position;
    uint8_t order;
    bool first; // of its source's decomposition
} encl_waiting;

// One text on its way. Zero-initialise but for the first three. An error stays in `status` and ends the work.
typedef struct encl_segmenter {
    const encl_tokenizer *tokenizer;
    encl_encoding *encoding;
    int32_t type;
    encl_status status;
    bool keep; // characters go to `kept` before they are split

    uint32_t word[ENCL_WORD_CHARACTERS];
    int32_t word_sources[ENCL_WORD_CHARACTERS];
    size_t word_length; // may be more than fit
    int32_t word_last;  // source of the last character

    encl_waiting *waiting;
    size_t waiting_count;
    size_t waiting_capacity;
    size_t waiting_survivors; // those that stripping leaves
    int32_t last_source;      // of the last code point before them

    encl_character *kept;
    size_t kept_count;
    size_t kept_capacity;
} encl_segmenter;

static inline uint8_t encl_classes(const encl_tokenizer *tokenizer, uint32_t code_point) {
    return code_point < ENCL_UNICODE_TABLE ? tokenizer->classes[code_point]
                                           : encl_unicode_classes(code_point) & tokenizer->mask;
}

// segment.c: tokens of valid UTF-8 are appended to the encoding.
encl_status encl_segment(const encl_tokenizer *tokenizer, const char *text, size_t length, int32_t type,
                         encl_encoding *encoding);
// Normalizes `text` alone. The caller frees *characters.
encl_status encl_segment_normalize(const encl_tokenizer *tokenizer, const char *text, size_t length,
                                   encl_character **characters, size_t *count);

// normalize.c: takes the code point `source` of the text, which has these classes.
void encl_normalize(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source);
// Nothing follows that waiting characters could be ordered with.
void encl_normalize_end(encl_segmenter *segmenter);

// wordpiece.c: takes a normalized character.
void encl_split(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source);
void encl_split_end(encl_segmenter *segmenter);
void encl_emit(encl_segmenter *segmenter, int32_t id, int32_t start, int32_t end);
// Room for `more` tokens.
encl_status encl_encoding_reserve(encl_encoding *encoding, size_t more);

static inline void encl_word_push(encl_segmenter *segmenter, uint32_t code_point, int32_t source) {
    if (segmenter->word_length < ENCL_WORD_CHARACTERS) {
        segmenter->word[segmenter->word_length] = code_point;
        segmenter->word_sources[segmenter->word_length] = source;
    }
    segmenter->word_length++;
    segmenter->word_last = source;
}

#endif
