// From made-up logits to entities: every aggregation worked out by hand, and entities that overlap.
#include "test.h"

#include <math.h>
#include <string.h>

#include "host/task/entities.h"

static const char *const labels[] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"};
enum { LABELS = 5 };

// Logits whose softmax is these probabilities.
static void logits_of(const double (*scores)[LABELS], size_t count, float (*logits)[LABELS]) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < LABELS; j++) {
            logits[i][j] = (float)(log(scores[i][j]) + (double)i); // a shift changes nothing
        }
    }
}

typedef struct expected {
    const char *type;
    double score;
    int32_t start, end;
} expected;

static void expect(const encl_entity_list *list, const expected *wanted, size_t count) {
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++) {
        const encl_entity *entity = &list->entities[i];
        assert_string_equal(entity->type, wanted[i].type);
        assert_int_equal(entity->start, wanted[i].start);
        assert_int_equal(entity->end, wanted[i].end);
        assert_true(fabs(entity->score - wanted[i].score) < 1e-6);
    }
}
#define EXPECT(list, ...)                                            \
    do {                                                             \
        const expected wanted_[] = {__VA_ARGS__};                    \
        expect((list), wanted_, sizeof wanted_ / sizeof wanted_[0]); \
    } while (0)

// "Mary Smithson of Y-town": Mary, Smith, ##son, of, Y, ##town; the tokens of a word disagree.
static const encl_piece pieces[] = {{0, 4, 10, false},   {5, 10, 11, false},  {10, 13, 12, true},
                                    {14, 16, 13, false}, {17, 18, 14, false}, {18, 23, 15, true}};
static const double scores[][LABELS] = {
    {0.1, 0.6, 0.1, 0.1, 0.1},                                    // B-PER
    {0.1, 0.1, 0.5, 0.2, 0.1},                                    // I-PER
    {0.05, 0.05, 0.05, 0.05, 0.8},                                // I-LOC, surer
    {0.9, 0.025, 0.025, 0.025, 0.025}, {0.4, 0.1, 0.1, 0.3, 0.1}, // O, nearly B-LOC
    {0.2, 0.1, 0.05, 0.6, 0.05},                                  // B-LOC
};
enum { PIECES = 6 };

static void find(encl_aggregation aggregation, encl_entity_list *list) {
    float logits[PIECES][LABELS];
    logits_of(scores, PIECES, logits);
    assert_ok(encl_entity_list_init(labels, LABELS, aggregation, list));
    assert_ok(encl_entity_list_add(list, pieces, logits[0], PIECES));
}

static void none_gives_tokens(void **state) {
    (void)state;
    encl_entity_list list;
    find(ENCL_AGGREGATION_NONE, &list);
    EXPECT(&list, {"B-PER", 0.6, 0, 4}, {"I-PER", 0.5, 5, 10}, {"I-LOC", 0.8, 10, 13}, {"B-LOC", 0.6, 18, 23});
    assert_int_equal(list.entities[0].token, 1);
    assert_int_equal(list.entities[0].id, 10);
    assert_int_equal(list.entities[3].token, 6);
    assert_int_equal(list.entities[3].id, 15);
    encl_entity_list_free(&list);
}

static void simple_joins_tokens(void **state) {
    (void)state;
    encl_entity_list list;
    find(ENCL_AGGREGATION_SIMPLE, &list);
    EXPECT(&list, {"PER", 0.55, 0, 10}, {"LOC", 0.8, 10, 13}, {"LOC", 0.6, 18, 23});
    assert_int_equal(list.entities[0].token, -1);
    assert_int_equal(list.entities[0].id, -1);
    encl_entity_list_free(&list);
}

static void first_takes_the_first_token(void **state) {
    (void)state;
    encl_entity_list list;
    find(ENCL_AGGREGATION_FIRST, &list);
    EXPECT(&list, {"PER", 0.55, 0, 13}); // Y is O
    encl_entity_list_free(&list);
}

static void average_takes_the_mean(void **state) {
    (void)state;
    encl_entity_list list;
    find(ENCL_AGGREGATION_AVERAGE, &list);
    // Smithson: I-PER (0.5 + 0.05) / 2, I-LOC (0.1 + 0.8) / 2. Y-town: O 0.3, B-LOC 0.45.
    EXPECT(&list, {"PER", 0.6, 0, 4}, {"LOC", 0.45, 5, 13}, {"LOC", 0.45, 17, 23});
    encl_entity_list_free(&list);
}

static void max_takes_the_surest(void **state) {
    (void)state;
    encl_entity_list list;
    find(ENCL_AGGREGATION_MAX, &list);
    EXPECT(&list, {"PER", 0.6, 0, 4}, {"LOC", 0.8, 5, 13}, {"LOC", 0.6, 17, 23});
    encl_entity_list_free(&list);
}

// Two B- in a row are two; I- of another type begins one; O parts; a window's end closes what is open.
static void groups_part_where_they_must(void **state) {
    (void)state;
    static const double sure[][LABELS] = {
        {.1, .6, .1, .1, .1}, {.1, .6, .1, .1, .1}, {.1, .1, .6, .1, .1}, {.1, .1, .1, .1, .6},
        {.6, .1, .1, .1, .1}, {.1, .1, .1, .1, .6}, {.1, .1, .1, .6, .1},
    };
    static const encl_piece marks[] = {{0, 1, 0, false}, {1, 2, 0, false}, {2, 3, 0, false}, {3, 4, 0, false},
                                       {4, 5, 0, false}, {5, 6, 0, false}, {6, 7, 0, false}};
    float logits[7][LABELS];
    encl_entity_list list;
    logits_of(sure, 7, logits);
    assert_ok(encl_entity_list_init(labels, LABELS, ENCL_AGGREGATION_SIMPLE, &list));
    assert_ok(encl_entity_list_add(&list, marks, logits[0], 7));
    assert_ok(encl_entity_list_add(&list, marks, logits[0], 0)); // a window without a token
    assert_ok(encl_entity_list_add(&list, marks + 3, logits[3], 1));
    EXPECT(&list, {"PER", .6, 0, 1}, {"PER", .6, 1, 3}, {"LOC", .6, 3, 4}, {"LOC", .6, 5, 6}, {"LOC", .6, 6, 7},
           {"LOC", .6, 3, 4});
    encl_entity_list_free(&list);
}

// Labels that are no BIO: no prefix is I-; the type is what stands behind the first hyphen; whatever is called O is
// left out.
static void odd_labels_do_as_the_reference(void **state) {
    (void)state;
    static const char *const odd[] = {"O", "LABEL-1", "B-O", "PER", "I-PER"};
    static const double sure[][LABELS] = {
        {.1, .1, .1, .6, .1}, {.1, .1, .1, .1, .6}, {.1, .1, .6, .1, .1}, {.1, .6, .1, .1, .1}, {.1, .6, .1, .1, .1},
    };
    static const encl_piece marks[] = {
        {0, 1, 0, false}, {1, 2, 0, false}, {2, 3, 0, false}, {3, 4, 0, false}, {4, 5, 0, true}};
    float logits[5][LABELS];
    encl_entity_list list;
    logits_of(sure, 5, logits);
    assert_ok(encl_entity_list_init(odd, LABELS, ENCL_AGGREGATION_SIMPLE, &list));
    assert_ok(encl_entity_list_add(&list, marks, logits[0], 5));
    EXPECT(&list, {"PER", .6, 0, 2}, {"1", .6, 3, 5});
    encl_entity_list_free(&list);
    assert_ok(encl_entity_list_init(odd, LABELS, ENCL_AGGREGATION_NONE, &list));
    assert_ok(encl_entity_list_add(&list, marks, logits[0], 5));
    EXPECT(&list, {"PER", .6, 0, 1}, {"I-PER", .6, 1, 2}, {"B-O", .6, 2, 3}, {"LABEL-1", .6, 3, 4},
           {"LABEL-1", .6, 4, 5});
    encl_entity_list_free(&list);
}

// A first token that claims to continue has no word before it.
static void a_window_may_begin_within_a_word(void **state) {
    (void)state;
    static const double sure[][LABELS] = {{.1, .1, .6, .1, .1}, {.6, .1, .1, .1, .1}};
    static const encl_piece marks[] = {{7, 9, 0, true}, {9, 10, 0, true}};
    float logits[2][LABELS];
    encl_entity_list list;
    logits_of(sure, 2, logits);
    assert_ok(encl_entity_list_init(labels, LABELS, ENCL_AGGREGATION_FIRST, &list));
    assert_ok(encl_entity_list_add(&list, marks, logits[0], 2));
    EXPECT(&list, {"PER", .6, 7, 10});
    encl_entity_list_free(&list);
}

static void overlaps_leave_one(void **state) {
    (void)state;
    static const encl_entity found[] = {
        {.type = "a", .score = .9, .start = 0, .end = 2},  {.type = "b", .score = .5, .start = 4, .end = 6},
        {.type = "c", .score = .5, .start = 8, .end = 10}, {.type = "d", .score = .9, .start = 1, .end = 4},
        {.type = "e", .score = .6, .start = 4, .end = 6},  {.type = "f", .score = .5, .start = 8, .end = 10},
        {.type = "g", .score = .1, .start = 9, .end = 10}, {.type = "h", .score = .1, .start = 10, .end = 11},
    };
    enum { FOUND = 8 };
    encl_entity entities[FOUND];
    encl_entity_list list = {.entities = entities, .count = FOUND};
    memcpy(entities, found, sizeof found);
    encl_entity_list_merge(&list);
    // d is longer than a, e surer than b; of the equal c and f the first stays; g lies within.
    EXPECT(&list, {"d", .9, 1, 4}, {"e", .6, 4, 6}, {"c", .5, 8, 10}, {"h", .1, 10, 11});
    list.count = 0;
    encl_entity_list_merge(&list);
    assert_int_equal(list.count, 0);
}

static void names_go_both_ways(void **state) {
    (void)state;
    encl_aggregation found;
    for (encl_aggregation a = ENCL_AGGREGATION_NONE; a < ENCL_AGGREGATIONS; a++) {
        assert_ok(encl_aggregation_parse(encl_aggregation_name(a), &found));
        assert_int_equal(found, a);
    }
    assert_int_equal(encl_aggregation_parse("Simple", &found), ENCL_INVALID);
    assert_non_null(strstr(encl_status_detail(), "'Simple', expected none, simple"));
    assert_string_equal(encl_aggregation_name(ENCL_AGGREGATIONS), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_gives_tokens),
        cmocka_unit_test(simple_joins_tokens),
        cmocka_unit_test(first_takes_the_first_token),
        cmocka_unit_test(average_takes_the_mean),
        cmocka_unit_test(max_takes_the_surest),
        cmocka_unit_test(groups_part_where_they_must),
        cmocka_unit_test(odd_labels_do_as_the_reference),
        cmocka_unit_test(a_window_may_begin_within_a_word),
        cmocka_unit_test(overlaps_leave_one),
        cmocka_unit_test(names_go_both_ways),
    };
    return encl_test_main(tests);
}
