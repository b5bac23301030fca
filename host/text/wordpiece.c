// Words and their pieces: greedy longest match first (Wu et al. 2016, section 4.1; Devlin et al. 2019).
#include <stdlib.h>

#include "host/text/segment.h"

encl_status encl_encoding_reserve(encl_encoding *encoding, size_t more) {
    size_t needed = 0;
    if (!encl_sum(encoding->count, more, &needed)) {
        return encl_fail_memory(SIZE_MAX);
    }
    if (needed <= encoding->capacity) {
        return ENCL_OK;
    }
    struct {
        void **array;
        size_t size;
    } const arrays[] = {{(void **)&encoding->ids, sizeof *encoding->ids},
                        {(void **)&encoding->types, sizeof *encoding->types},
                        {(void **)&encoding->starts, sizeof *encoding->starts},
                        {(void **)&encoding->ends, sizeof *encoding->ends},
                        {(void **)&encoding->special, sizeof *encoding->special}};
    size_t capacity = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        capacity = encoding->capacity;
        const encl_status status = encl_reserve(arrays[i].array, &capacity, needed, arrays[i].size);
        if (status != ENCL_OK) {
            return status; // some arrays may be larger than `capacity` says, which harms nothing
        }
    }
    encoding->capacity = capacity;
    return ENCL_OK;
}

static void put(encl_segmenter *segmenter, int32_t id, int32_t start, int32_t end) {
    encl_encoding *encoding = segmenter->encoding;
    const size_t i = encoding->count++;
    encoding->ids[i] = id;
    encoding->types[i] = segmenter->type;
    encoding->starts[i] = start;
    encoding->ends[i] = end;
    encoding->special[i] = 0;
}

void encl_emit(encl_segmenter *segmenter, int32_t id, int32_t start, int32_t end) {
    if (segmenter->status == ENCL_OK) {
        segmenter->status = encl_encoding_reserve(segmenter->encoding, 1);
    }
    if (segmenter->status == ENCL_OK) {
        put(segmenter, id, start, end);
    }
}

// The end of the longest piece that begins at `start`, and its id; `start` itself where there is none.
static size_t longest_piece(const encl_segmenter *segmenter, size_t start, int32_t *id) {
    const encl_vocabulary *vocabulary = &segmenter->tokenizer->vocabulary;
    uint32_t node = start == 0 ? 0 : vocabulary->continuation;
    size_t end = start;
    if (start > 0 && node == 0) {
        return end;
    }
    for (size_t i = start; i < segmenter->word_length; i++) {
        node = encl_trie_step(&vocabulary->trie, node, segmenter->word[i]);
        if (node == 0) {
            break;
        }
        if (vocabulary->trie.values[node] >= 0) {
            *id = vocabulary->trie.values[node];
            end = i + 1;
        }
    }
    return end;
}

// Puts the word's pieces; false, with nothing put, where some part of it is in no piece.
static bool put_pieces(encl_segmenter *segmenter) {
    const size_t before = segmenter->encoding->count;
    const int32_t *sources = segmenter->word_sources;
    for (size_t start = 0; start < segmenter->word_length;) {
        int32_t id = 0;
        const size_t end = longest_piece(segmenter, start, &id);
        if (end == start) {
            segmenter->encoding->count = before;
            return false;
        }
        put(segmenter, id, sources[start], sources[end - 1] + 1);
        start = end;
    }
    return true;
}

void encl_split_end(encl_segmenter *segmenter) {
    if (segmenter->word_length == 0) {
        return;
    }
    if (segmenter->status == ENCL_OK) {
        segmenter->status = encl_encoding_reserve(segmenter->encoding, ENCL_WORD_CHARACTERS);
    }
    if (segmenter->status == ENCL_OK && (segmenter->word_length > ENCL_WORD_CHARACTERS || !put_pieces(segmenter))) {
        put(segmenter, segmenter->tokenizer->info.unk, segmenter->word_sources[0], segmenter->word_last + 1);
    }
    segmenter->word_length = 0;
}

void encl_split(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source) {
    if ((classes & (ENCL_UNICODE_SPACE | ENCL_UNICODE_PUNCTUATION)) == 0) {
        encl_word_push(segmenter, code_point, source);
        return;
    }
    encl_split_end(segmenter);
    if ((classes & ENCL_UNICODE_PUNCTUATION) != 0) {
        encl_word_push(segmenter, code_point, source);
        encl_split_end(segmenter);
    }
}
