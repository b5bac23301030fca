#include "host/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "host/text/segment.h"
#include "host/text/tokenizer_files.h"
#include "runtime/base/json.h"

// ---- Opening ----------------------------------------------------------------------------------------------

// Leaves of the classes of code points what the tokenizer's options ask for.
static void apply_options(encl_tokenizer *tokenizer) {
    uint8_t mask = (uint8_t)~0u;
    if (!tokenizer->info.split_cjk) {
        mask &= (uint8_t)~ENCL_UNICODE_CJK;
    }
    if (!tokenizer->info.strip_accents) {
        mask &= (uint8_t) ~(ENCL_UNICODE_MARK | ENCL_UNICODE_DECOMPOSED | ENCL_UNICODE_ORDERED);
    }
    if (!tokenizer->info.lowercase) {
        mask &= (uint8_t)~ENCL_UNICODE_CASED;
    }
    if (!tokenizer->clean) {
        mask &= (uint8_t)~ENCL_UNICODE_DROP;
    }
    encl_unicode_fill(tokenizer->classes);
    for (size_t i = 0; i < ENCL_UNICODE_TABLE; i++) {
        tokenizer->classes[i] &= mask;
    }
    static const uint8_t uncleaned_spaces[] = {0xB, 0xC, 0x85};
    for (size_t i = 0; !tokenizer->clean && i < sizeof uncleaned_spaces; i++) {
        tokenizer->classes[uncleaned_spaces[i]] |= ENCL_UNICODE_SPACE;
    }
    tokenizer->mask = mask;
}

// Makes added tokens that are looked for in the normalized text known by their normalized contents.
static encl_status index_normalized(encl_tokenizer *tokenizer) {
    encl_status status = ENCL_OK;
    encl_character *characters = NULL;
    uint32_t *code_points = NULL;
    size_t capacity = 0;
    encl_added *added = &tokenizer->added;
    for (size_t i = 0; i < added->count; i++) {
        const char *content = added->tokens[i].content;
        size_t count = 0;
        if (!added->tokens[i].normalized) {
            continue;
        }
        ENCL_TRY(encl_segment_normalize(tokenizer, content, strlen(content), &characters, &count));
        ENCL_TRY(encl_reserve((void **)&code_points, &capacity, count, sizeof *code_points));
        for (size_t j = 0; j < count; j++) {
            code_points[j] = characters[j].code_point;
        }
        free(characters);
        characters = NULL;
        int32_t previous;
        if (count > 0) {
            ENCL_TRY(encl_trie_insert(&added->normalized, code_points, count, (int32_t)i, &previous));
        }
    }
cleanup:
    free(characters);
    free(code_points);
    return status;
}

encl_status encl_tokenizer_open_in(const encl_folder *folder, encl_tokenizer **tokenizer) {
    *tokenizer = NULL;
    encl_status status = ENCL_OK;
    encl_tokenizer *opened = NULL;
    encl_tokenizer_files files = {0};
    ENCL_TRY(encl_tokenizer_files_read(folder, &files));
    ENCL_TRY(encl_allocate(1, sizeof *opened, (void **)&opened));
    opened->vocabulary = files.vocabulary;
    opened->added = files.added;
    files.vocabulary = (encl_vocabulary){0};
    files.added = (encl_added){0};
    opened->clean = files.clean;
    opened->clean_up = files.clean_up;
    opened->info = (encl_tokenizer_info){.vocabulary = opened->vocabulary.count,
                                         .cls = files.cls,
                                         .sep = files.sep,
                                         .pad = files.pad,
                                         .unk = files.unk,
                                         .mask = files.mask,
                                         .model_max_length = files.model_max_length,
                                         .lowercase = files.lowercase,
                                         .cased_by_vocabulary = files.cased_by_vocabulary,
                                         .strip_accents = files.strip_accents,
                                         .split_cjk = files.split_cjk};
    apply_options(opened);
    ENCL_TRY(index_normalized(opened));
    *tokenizer = opened;
    opened = NULL;
cleanup:
    encl_tokenizer_close(opened);
    encl_tokenizer_files_free(&files);
    return status;
}

encl_status encl_tokenizer_open(const char *path, encl_tokenizer **tokenizer) {
    encl_folder *folder = NULL;
    char *file = NULL;
    *tokenizer = NULL;
    encl_status status = encl_folder_resolve(path, &folder, &file);
    if (status == ENCL_OK) {
        status = encl_tokenizer_open_in(folder, tokenizer);
    }
    encl_folder_close(folder);
    free(file);
    return status;
}

void encl_tokenizer_close(encl_tokenizer *tokenizer) {
    if (tokenizer != NULL) {
        encl_vocabulary_free(&tokenizer->vocabulary);
        encl_added_free(&tokenizer->added);
        free(tokenizer);
    }
}

const encl_tokenizer_info *encl_tokenizer_get_info(const encl_tokenizer *tokenizer) {
    return &tokenizer->info;
}

const char *encl_tokenizer_token(const encl_tokenizer *tokenizer, int32_t id) {
    return encl_vocabulary_token(&tokenizer->vocabulary, id);
}

int32_t encl_tokenizer_id(const encl_tokenizer *tokenizer, const char *token) {
    const encl_added_token *added = encl_added_find(&tokenizer->added, token);
    return added != NULL ? added->id : encl_trie_find(&tokenizer->vocabulary.trie, token);
}

// ---- Encoding ---------------------------------------------------------------------------------------------

void encl_encoding_free(encl_encoding *encoding) {
    free(encoding->ids);
    free(encoding->types);
    free(encoding->starts);
    free(encoding->ends);
    free(encoding->special);
    *encoding = (encl_encoding){0};
}

static encl_status check_text(const char *what, const char *text, size_t length) {
    if (length > INT32_MAX) {
        return encl_fail(ENCL_INVALID, "%s: %zu bytes, expected at most %d", what, length, INT32_MAX);
    }
    const size_t valid = encl_utf8_valid_prefix(text, length);
    if (valid != length) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu (0x%02x) is not valid UTF-8", what, valid + 1,
                         (unsigned)(uint8_t)text[valid]);
    }
    return ENCL_OK;
}

static encl_status put_special(encl_encoding *encoding, int32_t id, int32_t type) {
    const encl_status status = encl_encoding_reserve(encoding, 1);
    if (status == ENCL_OK) {
        const size_t i = encoding->count++;
        encoding->ids[i] = id;
        encoding->types[i] = type;
        encoding->starts[i] = 0;
        encoding->ends[i] = 0;
        encoding->special[i] = 1;
    }
    return status;
}

#define MOVE(array, to, from, count) memmove((array) + (to), (array) + (from), (count) * sizeof *(array))

// Removes `count` tokens from `at` on.
static void cut(encl_encoding *encoding, size_t at, size_t count) {
    const size_t rest = encoding->count - at - count;
    MOVE(encoding->ids, at, at + count, rest);
    MOVE(encoding->types, at, at + count, rest);
    MOVE(encoding->starts, at, at + count, rest);
    MOVE(encoding->ends, at, at + count, rest);
    MOVE(encoding->special, at, at + count, rest);
    encoding->count -= count;
    encoding->lost += count;
}

// Longest first: *first and *second tokens become at most `most` together. The reference shortens the longer text
// down to the shorter, then halves what is left; of equal texts the second counts as longer.
static void shorten(size_t most, size_t *first, size_t *second) {
    if (*first + *second <= most) {
        return;
    }
    size_t *shorter = *first <= *second ? first : second;
    size_t *longer = shorter == first ? second : first;
    const size_t left = most > *shorter ? most - *shorter : 0;
    *longer = left > *shorter ? left : *shorter;
    if (*shorter + *longer > most) {
        *shorter = most / 2;
        *longer = most - *shorter;
    }
}

static encl_status encode(const encl_tokenizer *tokenizer, const char *text, size_t length, const char *pair,
                          size_t pair_length, size_t max_length, encl_encoding *encoding) {
    encl_status status = ENCL_OK;
    const bool paired = pair != NULL && pair_length > 0;
    const size_t specials = paired ? 3 : 2;
    size_t second = 0;
    ENCL_TRY(put_special(encoding, tokenizer->info.cls, 0));
    ENCL_TRY(encl_segment(tokenizer, text, length, 0, encoding));
    const size_t found_first = encoding->count - 1;
    size_t first = found_first;
    ENCL_TRY(put_special(encoding, tokenizer->info.sep, 0));
    if (paired) {
        ENCL_TRY(encl_segment(tokenizer, pair, pair_length, 1, encoding));
        second = encoding->count - first - 2;
        ENCL_TRY(put_special(encoding, tokenizer->info.sep, 1));
    }
    const size_t found_second = second;
    if (max_length >= specials) { // a limit that the specials alone exceed is none, as in the reference
        shorten(max_length - specials, &first, &second);
    }
    if (found_second > second) {
        cut(encoding, found_first + 2 + second, found_second - second);
    }
    if (found_first > first) {
        cut(encoding, 1 + first, found_first - first);
    }
cleanup:
    return status;
}

encl_status encl_tokenizer_encode(const encl_tokenizer *tokenizer, const char *text, size_t length, const char *pair,
                                  size_t pair_length, size_t max_length, encl_encoding *encoding) {
    encl_status status = ENCL_OK;
    encoding->count = 0;
    encoding->lost = 0;
    ENCL_TRY(check_text("text", text, length));
    if (pair != NULL) {
        ENCL_TRY(check_text("pair", pair, pair_length));
    }
    ENCL_TRY(encode(tokenizer, text, length, pair, pair_length, max_length, encoding));
cleanup:
    if (status != ENCL_OK) {
        encoding->count = 0;
        encoding->lost = 0;
    }
    return status;
}

encl_status encl_tokenizer_append(const encl_tokenizer *tokenizer, const char *text, size_t length,
                                  encl_encoding *encoding) {
    const size_t before = encoding->count;
    encl_status status = check_text("text", text, length);
    if (status == ENCL_OK) {
        status = encl_segment(tokenizer, text, length, 0, encoding);
    }
    if (status != ENCL_OK) {
        encoding->count = before;
    }
    return status;
}
