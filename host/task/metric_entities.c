// Entities: tags taken apart, and where seqeval's default mode sees an entity.
#include <stdlib.h>
#include <string.h>

#include "host/task/metrics.h"
#include "runtime/base/json.h"

enum { TYPE_LIMIT = 256, SHOWN_BYTES = 40 };

void encl_tag_types_free(encl_tag_types *types) {
    for (size_t i = 0; i < types->count; i++) {
        free(types->names[i]);
    }
    free(types->names);
    *types = (encl_tag_types){0};
}

static encl_status enter_type(const char *name, size_t length, encl_tag_types *types, int32_t *type) {
    for (size_t i = 0; i < types->count; i++) {
        if (strlen(types->names[i]) == length && memcmp(types->names[i], name, length) == 0) {
            *type = (int32_t)i;
            return ENCL_OK;
        }
    }
    if (types->count == TYPE_LIMIT) {
        return encl_fail(ENCL_FORMAT, "found more than %d types of entities, expected fewer", TYPE_LIMIT);
    }
    void *names = types->names;
    encl_status status = encl_reserve(&names, &types->capacity, types->count + 1, sizeof(char *));
    types->names = names;
    if (status == ENCL_OK) {
        status = encl_copy_text(name, length, &types->names[types->count]);
    }
    if (status == ENCL_OK) {
        *type = (int32_t)types->count++;
    }
    return status;
}

encl_status encl_tag_parse(const char *text, size_t length, encl_tag_types *types, encl_tag *tag) {
    *tag = (encl_tag){.part = 'O', .type = -1};
    if (length == 1 && text[0] == 'O') {
        return ENCL_OK;
    }
    const char c = length > 0 ? text[0] : '\0';
    const bool part = c == 'B' || c == 'I' || c == 'E' || c == 'S';
    if (!part || memchr(text, '\0', length) != NULL || (length > 1 && (text[1] != '-' || length == 2))) {
        const int shown = (int)encl_utf8_valid_prefix(text, length < SHOWN_BYTES ? length : SHOWN_BYTES);
        return encl_fail(ENCL_FORMAT, "found tag '%.*s', expected O, or B-, I-, E- or S- and a type", shown, text);
    }
    int32_t type = 0;
    encl_status status = length > 1 ? enter_type(text + 2, length - 2, types, &type) : enter_type("_", 1, types, &type);
    if (status == ENCL_OK) {
        *tag = (encl_tag){.part = c, .type = type};
    }
    return status;
}

static const encl_tag outside = {.part = 'O', .type = -1};

// An entity ends before `tag`, where the word before has `last`.
static bool ends(encl_tag last, encl_tag tag) {
    return last.part != 'O' && (last.part == 'E' || last.part == 'S' || tag.part == 'O' || tag.part == 'B' ||
                                tag.part == 'S' || last.type != tag.type);
}

static bool starts(encl_tag last, encl_tag tag) {
    return tag.part != 'O' && (tag.part == 'B' || tag.part == 'S' || last.part == 'O' || last.part == 'E' ||
                               last.part == 'S' || last.type != tag.type);
}

void encl_tally_entities(const encl_tag *gold, const encl_tag *predicted, size_t count, encl_tally *tallies) {
    encl_tag last_gold = outside;
    encl_tag last_predicted = outside;
    size_t first_gold = 0;
    size_t first_predicted = 0;
    for (size_t i = 0; i <= count; i++) {
        const encl_tag here_gold = i < count ? gold[i] : outside;
        const encl_tag here_predicted = i < count ? predicted[i] : outside;
        const bool gold_ends = ends(last_gold, here_gold);
        const bool predicted_ends = ends(last_predicted, here_predicted);
        if (gold_ends) {
            tallies[last_gold.type].gold++;
        }
        if (predicted_ends) {
            tallies[last_predicted.type].predicted++;
        }
        if (gold_ends && predicted_ends && last_gold.type == last_predicted.type && first_gold == first_predicted) {
            tallies[last_gold.type].right++;
        }
        first_gold = starts(last_gold, here_gold) ? i : first_gold;
        first_predicted = starts(last_predicted, here_predicted) ? i : first_predicted;
        last_gold = here_gold;
        last_predicted = here_predicted;
    }
}
