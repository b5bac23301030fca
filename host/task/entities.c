#include "host/task/entities.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char outside[] = "O"; // the label of what is no entity

// ---- Names ------------------------------------------------------------------------------------------------

static const char *const names[ENCL_AGGREGATIONS] = {"none", "simple", "first", "average", "max"};

const char *encl_aggregation_name(encl_aggregation aggregation) {
    return aggregation >= 0 && aggregation < ENCL_AGGREGATIONS ? names[aggregation] : "";
}

encl_status encl_aggregation_parse(const char *text, encl_aggregation *aggregation) {
    for (size_t i = 0; i < ENCL_AGGREGATIONS; i++) {
        if (strcmp(text, names[i]) == 0) {
            *aggregation = (encl_aggregation)i;
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_INVALID, "aggregation: found '%s', expected none, simple, first, average or max", text);
}

// "B-PER" begins an entity; a label without B- or I- is read as I-.
static bool begins(const char *label) {
    return strncmp(label, "B-", 2) == 0;
}

// What makes neighbours belong together.
static const char *tag_of(const char *label) {
    return begins(label) || strncmp(label, "I-", 2) == 0 ? label + 2 : label;
}

// What an entity is called: whatever stands behind the first hyphen.
static const char *type_of(const char *label) {
    const char *hyphen = strchr(label, '-');
    return hyphen != NULL ? hyphen + 1 : label;
}

// ---- Scores -----------------------------------------------------------------------------------------------

int32_t encl_highest(const float *logits, size_t count) {
    size_t highest = 0;
    for (size_t i = 1; i < count; i++) {
        highest = logits[i] > logits[highest] ? i : highest;
    }
    return (int32_t)highest;
}

static size_t highest_score(const double *scores, size_t count) {
    size_t highest = 0;
    for (size_t i = 1; i < count; i++) {
        highest = scores[i] > scores[highest] ? i : highest;
    }
    return highest;
}

static void softmax(const float *logits, size_t count, double *scores) {
    const double highest = (double)logits[encl_highest(logits, count)];
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        scores[i] = exp((double)logits[i] - highest);
        sum += scores[i];
    }
    for (size_t i = 0; i < count; i++) {
        scores[i] /= sum;
    }
}

// The label of a word of `count` tokens, and its score.
static size_t label_word(const encl_entity_list *list, const float *logits, size_t count, double *score) {
    const size_t labels = list->label_count;
    double *word = list->scores;
    double *token = list->scores + labels;
    softmax(logits, labels, word);
    for (size_t i = 1; i < count && list->aggregation != ENCL_AGGREGATION_FIRST; i++) {
        softmax(logits + i * labels, labels, token);
        if (list->aggregation == ENCL_AGGREGATION_AVERAGE) {
            for (size_t j = 0; j < labels; j++) {
                word[j] += (token[j] - word[j]) / (double)(i + 1);
            }
        } else if (token[highest_score(token, labels)] > word[highest_score(word, labels)]) {
            memcpy(word, token, labels * sizeof *word);
        }
    }
    const size_t highest = highest_score(word, labels);
    *score = word[highest];
    return highest;
}

// ---- Grouping ---------------------------------------------------------------------------------------------

encl_status encl_entity_list_init(const char *const *labels, size_t label_count, encl_aggregation aggregation,
                                  encl_entity_list *list) {
    *list = (encl_entity_list){.aggregation = aggregation, .labels = labels, .label_count = label_count};
    return encl_allocate(2 * label_count, sizeof *list->scores, (void **)&list->scores);
}

void encl_entity_list_free(encl_entity_list *list) {
    free(list->scores);
    free(list->entities);
    *list = (encl_entity_list){0};
}

static encl_status append(encl_entity_list *list, const encl_entity *entity) {
    void *entities = list->entities;
    const encl_status status = encl_reserve(&entities, &list->capacity, list->count + 1, sizeof *entity);
    list->entities = entities;
    if (status == ENCL_OK) {
        list->entities[list->count++] = *entity;
    }
    return status;
}

// Neighbours of one type.
typedef struct group {
    const char *first, *last; // labels; NULL: the group is empty
    int32_t start, end;
    double sum; // of the scores
    size_t words;
} group;

static encl_status close_group(encl_entity_list *list, group *g) {
    encl_status status = ENCL_OK;
    if (g->first != NULL && strcmp(type_of(g->first), outside) != 0) {
        status = append(list, &(encl_entity){.type = type_of(g->first),
                                             .score = g->sum / (double)g->words,
                                             .start = g->start,
                                             .end = g->end,
                                             .token = -1,
                                             .id = -1});
    }
    *g = (group){0};
    return status;
}

static encl_status add_to_group(encl_entity_list *list, group *g, const char *label, double score,
                                const encl_piece *first, const encl_piece *last) {
    if (g->first == NULL || begins(label) || strcmp(tag_of(label), tag_of(g->last)) != 0) {
        const encl_status status = close_group(list, g);
        if (status != ENCL_OK) {
            return status;
        }
        g->first = label;
        g->start = first->start;
    }
    g->last = label;
    g->end = last->end;
    g->sum += score;
    g->words++;
    return ENCL_OK;
}

// `at` is the token's place behind [CLS].
static encl_status add_token(encl_entity_list *list, const char *label, double score, const encl_piece *piece,
                             size_t at) {
    if (strcmp(label, outside) == 0) {
        return ENCL_OK;
    }
    return append(list, &(encl_entity){.type = label,
                                       .score = score,
                                       .start = piece->start,
                                       .end = piece->end,
                                       .token = (int32_t)at + 1,
                                       .id = piece->id});
}

encl_status encl_entity_list_add(encl_entity_list *list, const encl_piece *pieces, const float *logits, size_t count) {
    encl_status status = ENCL_OK;
    group g = {0};
    for (size_t first = 0, end = 0; first < count; first = end) {
        end = first + 1;
        while (list->aggregation > ENCL_AGGREGATION_SIMPLE && end < count && pieces[end].continues) {
            end++;
        }
        double score = 0;
        const char *label = list->labels[label_word(list, logits + first * list->label_count, end - first, &score)];
        ENCL_TRY(list->aggregation == ENCL_AGGREGATION_NONE
                     ? add_token(list, label, score, &pieces[first], first)
                     : add_to_group(list, &g, label, score, &pieces[first], &pieces[end - 1]));
    }
    ENCL_TRY(close_group(list, &g));
cleanup:
    return status;
}

// ---- Windows ----------------------------------------------------------------------------------------------

// By where they start, in the order in which they came. Windows come in order, so few entities move, and not far.
static void sort(encl_entity *entities, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const encl_entity moved = entities[i];
        size_t at = i;
        for (; at > 0 && entities[at - 1].start > moved.start; at--) {
            entities[at] = entities[at - 1];
        }
        entities[at] = moved;
    }
}

static bool is_better(const encl_entity *a, const encl_entity *b) {
    const int32_t length = a->end - a->start;
    const int32_t other = b->end - b->start;
    return length > other || (length == other && a->score > b->score);
}

void encl_entity_list_merge(encl_entity_list *list) {
    encl_entity *entities = list->entities;
    size_t kept = 0; // entities[kept] is the last one, which may still give way to a better one
    sort(entities, list->count);
    for (size_t i = 1; i < list->count; i++) {
        if (entities[i].start >= entities[kept].end) {
            entities[++kept] = entities[i];
        } else if (is_better(&entities[i], &entities[kept])) {
            entities[kept] = entities[i];
        }
    }
    list->count = list->count > 0 ? kept + 1 : 0;
}
