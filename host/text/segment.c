#include "host/text/segment.h"

#include <stdlib.h>

// Where the walk through a raw text is.
typedef struct text_cursor {
    const char *text;
    size_t length;
    size_t at;
    int32_t source; // the code point at `at`
    size_t piece;   // end of the last added token
    size_t resume;  // no added token begins before
} text_cursor;

static uint32_t code_point_before(const text_cursor *cursor, size_t at, size_t *bytes) {
    size_t start = at - 1;
    while (((uint8_t)cursor->text[start] & 0xc0) == 0x80) {
        start--;
    }
    *bytes = at - start;
    size_t ignored;
    return encl_utf8_next(cursor->text + start, &ignored);
}

// ---- Added tokens in the normalized text ------------------------------------------------------------------

static const encl_added_token *match_kept(const encl_segmenter *segmenter, size_t start, size_t *end) {
    const encl_added *added = &segmenter->tokenizer->added;
    const encl_added_token *found = NULL;
    uint32_t node = 0;
    for (size_t i = start; i < segmenter->kept_count; i++) {
        node = encl_trie_step(&added->normalized, node, segmenter->kept[i].code_point);
        if (node == 0) {
            break;
        }
        if (added->normalized.values[node] >= 0) {
            found = &added->tokens[added->normalized.values[node]];
            *end = i + 1;
        }
    }
    return found;
}

static bool touches_word_kept(const encl_segmenter *segmenter, size_t start, size_t end) {
    return (start > 0 && encl_unicode_is_word(segmenter->kept[start - 1].code_point)) ||
           (end < segmenter->kept_count && encl_unicode_is_word(segmenter->kept[end].code_point));
}

static void split_range(encl_segmenter *segmenter, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        const encl_character character = segmenter->kept[i];
        encl_split(segmenter, character.code_point, encl_classes(segmenter->tokenizer, character.code_point),
                   character.source);
    }
    encl_split_end(segmenter);
}

// Cuts added tokens out of the characters that were kept and splits the rest.
static void split_kept(encl_segmenter *segmenter) {
    const encl_character *kept = segmenter->kept;
    size_t piece = 0;
    for (size_t i = 0; i < segmenter->kept_count && segmenter->status == ENCL_OK;) {
        size_t end = i + 1;
        const encl_added_token *token = match_kept(segmenter, i, &end);
        if (token == NULL || (token->single_word && touches_word_kept(segmenter, i, end))) {
            i = end;
            continue;
        }
        size_t start = i;
        while (token->strip_left && start > piece && encl_unicode_is_space(kept[start - 1].code_point)) {
            start--;
        }
        while (token->strip_right && end < segmenter->kept_count && encl_unicode_is_space(kept[end].code_point)) {
            end++;
        }
        split_range(segmenter, piece, start);
        encl_emit(segmenter, token->id, kept[start].source, kept[end - 1].source + 1);
        piece = end;
        i = end;
    }
    split_range(segmenter, piece, segmenter->kept_count);
    segmenter->kept_count = 0;
}

// ---- Added tokens in the raw text -------------------------------------------------------------------------

// What was taken since the last added token is a text of its own. Characters from code point `end` on, which are
// white space, belong to the token that follows.
static void end_piece(encl_segmenter *segmenter, int32_t end) {
    encl_normalize_end(segmenter);
    if (segmenter->keep) {
        while (segmenter->kept_count > 0 && segmenter->kept[segmenter->kept_count - 1].source >= end) {
            segmenter->kept_count--;
        }
        split_kept(segmenter);
    }
    encl_split_end(segmenter);
}

static bool touches_word(const text_cursor *cursor, size_t bytes) {
    size_t ignored;
    return (cursor->at > 0 && encl_unicode_is_word(code_point_before(cursor, cursor->at, &ignored))) ||
           (cursor->at + bytes < cursor->length &&
            encl_unicode_is_word(encl_utf8_next(cursor->text + cursor->at + bytes, &ignored)));
}

// Takes the added token that begins here, if one does.
static bool take_added(encl_segmenter *segmenter, text_cursor *cursor) {
    size_t bytes = 0;
    size_t code_points = 0;
    const encl_added_token *token = encl_added_match(&segmenter->tokenizer->added, cursor->text + cursor->at,
                                                     cursor->length - cursor->at, &bytes, &code_points);
    if (token == NULL) {
        return false;
    }
    if (token->single_word && touches_word(cursor, bytes)) {
        cursor->resume = cursor->at + bytes;
        return false;
    }
    int32_t start = cursor->source;
    for (size_t at = cursor->at, taken = 0; token->strip_left && at > cursor->piece; at -= taken, start--) {
        if (!encl_unicode_is_space(code_point_before(cursor, at, &taken))) {
            break;
        }
    }
    end_piece(segmenter, start);
    cursor->at += bytes;
    cursor->source += (int32_t)code_points;
    for (size_t taken = 0; token->strip_right && cursor->at < cursor->length; cursor->at += taken, cursor->source++) {
        if (!encl_unicode_is_space(encl_utf8_next(cursor->text + cursor->at, &taken))) {
            break;
        }
    }
    encl_emit(segmenter, token->id, start, cursor->source);
    cursor->piece = cursor->at;
    return true;
}

// ---- The walk ---------------------------------------------------------------------------------------------

// What needs no normalization, or only that of ASCII, goes straight to its word.
static inline void take(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source) {
    if (segmenter->keep || segmenter->waiting_count != 0) {
        encl_normalize(segmenter, code_point, classes, source);
        return;
    }
    segmenter->last_source = source;
    if (classes == 0) {
        encl_word_push(segmenter, code_point, source);
    } else if (classes == ENCL_UNICODE_CJK || classes == ENCL_UNICODE_PUNCTUATION) {
        encl_split_end(segmenter);
        encl_word_push(segmenter, code_point, source);
        encl_split_end(segmenter);
    } else if (classes == ENCL_UNICODE_SPACE) {
        encl_split_end(segmenter);
    } else if (classes == ENCL_UNICODE_CASED && code_point < 0x80) {
        encl_word_push(segmenter, code_point | 0x20, source);
    } else {
        encl_normalize(segmenter, code_point, classes, source);
    }
}

static void walk(encl_segmenter *segmenter, const char *text, size_t length) {
    const encl_tokenizer *tokenizer = segmenter->tokenizer;
    text_cursor cursor = {.text = text, .length = length};
    while (cursor.at < length && segmenter->status == ENCL_OK) {
        if (tokenizer->added.starts[(uint8_t)text[cursor.at]] && cursor.at >= cursor.resume &&
            take_added(segmenter, &cursor)) {
            continue;
        }
        size_t bytes;
        const uint32_t code_point = encl_utf8_next(text + cursor.at, &bytes);
        take(segmenter, code_point, encl_classes(tokenizer, code_point), cursor.source);
        cursor.at += bytes;
        cursor.source++;
    }
    end_piece(segmenter, INT32_MAX);
}

encl_status encl_segment(const encl_tokenizer *tokenizer, const char *text, size_t length, int32_t type,
                         encl_encoding *encoding) {
    encl_segmenter segmenter;
    segmenter = (encl_segmenter){.tokenizer = tokenizer, .encoding = encoding, .type = type};
    segmenter.keep = tokenizer->added.normalized.nodes > 0;
    walk(&segmenter, text, length);
    free(segmenter.waiting);
    free(segmenter.kept);
    return segmenter.status;
}

encl_status encl_segment_normalize(const encl_tokenizer *tokenizer, const char *text, size_t length,
                                   encl_character **characters, size_t *count) {
    *characters = NULL;
    *count = 0;
    encl_segmenter segmenter = {.tokenizer = tokenizer, .keep = true};
    int32_t source = 0;
    for (size_t at = 0, bytes = 0; at < length; at += bytes, source++) {
        const uint32_t code_point = encl_utf8_next(text + at, &bytes);
        encl_normalize(&segmenter, code_point, encl_classes(tokenizer, code_point), source);
    }
    encl_normalize_end(&segmenter);
    free(segmenter.waiting);
    if (segmenter.status != ENCL_OK) {
        free(segmenter.kept);
        return segmenter.status;
    }
    *characters = segmenter.kept;
    *count = segmenter.kept_count;
    return ENCL_OK;
}
