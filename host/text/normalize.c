// Code points to normalized characters, in the order of the reference: clean, space around CJK, canonical
// decomposition without accents, lower case.
#include <stdlib.h>

#include "host/text/segment.h"

// The last stop: a character that is normalized.
static void deliver(encl_segmenter *segmenter, uint32_t code_point, int32_t source) {
    if (!segmenter->keep) {
        encl_split(segmenter, code_point, encl_classes(segmenter->tokenizer, code_point), source);
        return;
    }
    if (segmenter->status == ENCL_OK) {
        segmenter->status = encl_reserve((void **)&segmenter->kept, &segmenter->kept_capacity,
                                         segmenter->kept_count + 1, sizeof *segmenter->kept);
    }
    if (segmenter->status == ENCL_OK) {
        segmenter->kept[segmenter->kept_count++] = (encl_character){code_point, source};
    }
}

// A decomposed character in its right place: strip it or make it lower case.
static void finish(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source) {
    if ((classes & ENCL_UNICODE_MARK) != 0) {
        return;
    }
    if ((classes & ENCL_UNICODE_CASED) == 0) {
        deliver(segmenter, code_point, source);
    } else if (code_point == 0x130) { // İ, the one letter whose lower case is two characters
        deliver(segmenter, 'i', source);
        deliver(segmenter, 0x307, source);
    } else {
        deliver(segmenter, encl_unicode_lower(code_point), source);
    }
}

static int by_order(const void *left, const void *right) {
    const encl_waiting *a = left;
    const encl_waiting *b = right;
    return a->order != b->order ? (a->order < b->order ? -1 : 1) : (a->position < b->position ? -1 : 1);
}

// Puts the waiting characters in canonical order (Unicode 3.11, D109). The reference gives sources out again after
// ordering, one for each first part in turn; so it is done here.
static void settle(encl_segmenter *segmenter) {
    encl_waiting *waiting = segmenter->waiting;
    const size_t count = segmenter->waiting_count;
    const size_t survivors = segmenter->waiting_survivors;
    segmenter->waiting_count = 0;
    segmenter->waiting_survivors = 0;
    if (survivors == 0) {
        return;
    }
    int32_t source = segmenter->last_source;
    if (count > 1) {
        void *memory = NULL;
        segmenter->status = encl_allocate(count, sizeof(int32_t), &memory);
        if (segmenter->status != ENCL_OK) {
            return;
        }
        int32_t *sources = memory;
        size_t firsts = 0;
        for (size_t i = 0; i < count; i++) {
            if (waiting[i].first) {
                sources[firsts++] = waiting[i].source;
            }
        }
        qsort(waiting, count, sizeof *waiting, by_order);
        firsts = 0;
        for (size_t i = 0; i < count; i++) {
            source = waiting[i].first ? sources[firsts++] : source;
            waiting[i].source = source;
        }
        free(memory);
    }
    for (size_t i = 0; i < count; i++) {
        finish(segmenter, waiting[i].code_point, encl_classes(segmenter->tokenizer, waiting[i].code_point),
               waiting[i].source);
    }
}

static void wait_for_order(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source,
                           bool first) {
    if (segmenter->status != ENCL_OK) {
        return;
    }
    segmenter->status = encl_reserve((void **)&segmenter->waiting, &segmenter->waiting_capacity,
                                     segmenter->waiting_count + 1, sizeof *segmenter->waiting);
    if (segmenter->status != ENCL_OK) {
        return;
    }
    const size_t i = segmenter->waiting_count++;
    segmenter->waiting[i] = (encl_waiting){code_point, source, (int32_t)i, encl_unicode_order(code_point), first};
    segmenter->waiting_survivors += (classes & ENCL_UNICODE_MARK) == 0;
}

// One part of a decomposition.
static void take_part(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source, bool first) {
    if ((classes & ENCL_UNICODE_ORDERED) != 0) {
        wait_for_order(segmenter, code_point, classes, source, first);
        return;
    }
    settle(segmenter);
    segmenter->last_source = source;
    finish(segmenter, code_point, classes, source);
}

static void decompose(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source) {
    if ((classes & ENCL_UNICODE_DECOMPOSED) == 0) {
        take_part(segmenter, code_point, classes, source, true);
        return;
    }
    uint32_t parts[ENCL_UNICODE_PARTS];
    const size_t count = encl_unicode_decompose(code_point, parts);
    for (size_t i = 0; i < count; i++) {
        take_part(segmenter, parts[i], encl_classes(segmenter->tokenizer, parts[i]), source, i == 0);
    }
}

void encl_normalize(encl_segmenter *segmenter, uint32_t code_point, uint8_t classes, int32_t source) {
    if ((classes & ENCL_UNICODE_DROP) != 0) {
        return;
    }
    if ((classes & ENCL_UNICODE_SPACE) != 0) {
        take_part(segmenter, segmenter->tokenizer->clean ? ' ' : code_point, ENCL_UNICODE_SPACE, source, true);
    } else if ((classes & ENCL_UNICODE_CJK) != 0) {
        take_part(segmenter, ' ', ENCL_UNICODE_SPACE, source, true);
        decompose(segmenter, code_point, classes, source);
        take_part(segmenter, ' ', ENCL_UNICODE_SPACE, source, true);
    } else {
        decompose(segmenter, code_point, classes, source);
    }
}

void encl_normalize_end(encl_segmenter *segmenter) {
    settle(segmenter);
}
