// Classes, entities and rankings: cases worked by hand, and what seqeval, scikit-learn and scipy say
// (tests/golden/metrics.json).
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/task/metrics.h"
#include "runtime/base/json.h"

static const double golden_tolerance = 6e-8; // the file's numbers have seven digits
enum { MOST_VALUES = 64, MOST_TYPES = 16, GOLDEN_BYTES = 1 << 20 };

static void assert_near(double found, double expected, double tolerance) {
    if (!(fabs(found - expected) <= tolerance)) {
        fail_msg("found %.17g, expected %.17g", found, expected);
    }
}

static cJSON *golden;

static int open_golden(void **state) {
    (void)state;
    return encl_json_read("tests/golden/metrics.json", GOLDEN_BYTES, &golden) == ENCL_OK ? 0 : -1;
}

static int close_golden(void **state) {
    (void)state;
    cJSON_Delete(golden);
    return 0;
}

static const cJSON *member(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item == NULL) {
        fail_msg("no key '%s'", key);
    }
    return item;
}

// ---- Classes ----------------------------------------------------------------------------------------------

static void test_classes(void **state) {
    (void)state;
    static const int32_t gold[] = {0, 0, 0, 1, 1, 2};
    static const int32_t predicted[] = {0, 0, 1, 1, -1, 0};
    encl_tally tallies[4] = {{0}};
    encl_tally_classes(gold, predicted, 6, tallies);
    static const encl_tally expected[] = {{2, 3, 3}, {1, 2, 2}, {0, 0, 1}, {0, 0, 0}};
    assert_memory_equal(tallies, expected, sizeof expected);
    const encl_tally sum = encl_tally_sum(tallies, 4);
    assert_int_equal(sum.right, 3);
    assert_int_equal(sum.predicted, 5);
    assert_int_equal(sum.gold, 6);

    encl_f1 f1 = encl_tally_f1(&tallies[0]);
    assert_near(f1.precision, 2.0 / 3, 1e-15);
    assert_near(f1.recall, 2.0 / 3, 1e-15);
    assert_near(f1.f1, 2.0 / 3, 1e-15);
    f1 = encl_tally_f1(&sum); // 3/5 and 3/6: 2 · 0.6 · 0.5 / 1.1
    assert_near(f1.f1, 0.6 / 1.1, 1e-15);
    f1 = encl_tally_f1(&tallies[2]); // never predicted
    assert_true(f1.precision == 0 && f1.recall == 0 && f1.f1 == 0);
    f1 = encl_tally_f1(&tallies[3]); // not there at all
    assert_true(f1.precision == 0 && f1.recall == 0 && f1.f1 == 0);
}

static size_t read_ints(const cJSON *array, int32_t *values) {
    size_t count = 0;
    for (const cJSON *item = array->child; item != NULL; item = item->next) {
        assert_in_range(count, 0, MOST_VALUES - 1);
        values[count++] = (int32_t)item->valuedouble;
    }
    return count;
}

static void test_accuracy_golden(void **state) {
    (void)state;
    size_t cases = 0;
    for (const cJSON *item = member(golden, "accuracy")->child; item != NULL; item = item->next, cases++) {
        int32_t gold[MOST_VALUES];
        int32_t predicted[MOST_VALUES];
        encl_tally tallies[MOST_TYPES] = {{0}};
        const size_t count = read_ints(member(item, "expected"), gold);
        assert_int_equal(read_ints(member(item, "predicted"), predicted), count);
        encl_tally_classes(gold, predicted, count, tallies);
        const encl_tally sum = encl_tally_sum(tallies, MOST_TYPES);
        assert_near((double)sum.right / (double)count, member(item, "accuracy")->valuedouble, golden_tolerance);
    }
    assert_true(cases > 0);
}

// ---- Entities ---------------------------------------------------------------------------------------------

static void test_tags(void **state) {
    (void)state;
    static const struct {
        const char *text;
        char part;
        int32_t type;
    } good[] = {{"O", 'O', -1},    {"B-PER", 'B', 0}, {"I-PER", 'I', 0}, {"E-LOC", 'E', 1}, {"S-PER", 'S', 0},
                {"B-A-B", 'B', 2}, {"I", 'I', 3},     {"B-_", 'B', 3},   {"B-人名", 'B', 4}};
    static const char *const bad[] = {"", "o", "O-PER", "B-", "BPER", "X-PER", "M-PER", "-PER", "LABEL_0", "b-PER"};
    encl_tag_types types = {0};
    encl_tag tag;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(encl_tag_parse(good[i].text, strlen(good[i].text), &types, &tag));
        assert_int_equal(tag.part, good[i].part);
        assert_int_equal(tag.type, good[i].type);
    }
    assert_int_equal(types.count, 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(encl_tag_parse(bad[i], strlen(bad[i]), &types, &tag), ENCL_FORMAT);
        assert_non_null(strstr(encl_status_detail(), "expected O"));
    }
    assert_int_equal(encl_tag_parse("B-P\0R", 5, &types, &tag), ENCL_FORMAT);
    assert_int_equal(types.count, 5);
    for (int i = 0; i < 251; i++) { // 256 types are too many once
        char text[16];
        snprintf(text, sizeof text, "B-%d", i);
        assert_ok(encl_tag_parse(text, strlen(text), &types, &tag));
    }
    assert_int_equal(encl_tag_parse("B-one more", 10, &types, &tag), ENCL_FORMAT);
    encl_tag_types_free(&types);
}

static size_t parse_sentence(const char *text, encl_tag_types *types, encl_tag *tags) {
    size_t count = 0;
    while (*text != '\0') {
        const size_t length = strcspn(text, " ");
        assert_in_range(count, 0, MOST_VALUES - 1);
        assert_ok(encl_tag_parse(text, length, types, &tags[count++]));
        text += length + (text[length] == ' ');
    }
    return count;
}

// right, predicted, gold of all types.
static void check_entities(const char *gold, const char *predicted, int64_t right, int64_t found, int64_t there) {
    encl_tag_types types = {0};
    encl_tag gold_tags[MOST_VALUES];
    encl_tag predicted_tags[MOST_VALUES];
    encl_tally tallies[MOST_TYPES] = {{0}};
    const size_t count = parse_sentence(gold, &types, gold_tags);
    assert_int_equal(parse_sentence(predicted, &types, predicted_tags), count);
    encl_tally_entities(gold_tags, predicted_tags, count, tallies);
    const encl_tally sum = encl_tally_sum(tallies, MOST_TYPES);
    if (sum.right != right || sum.predicted != found || sum.gold != there) {
        fail_msg("'%s' for '%s': found %lld of %lld, %lld, expected %lld of %lld, %lld", predicted, gold,
                 (long long)sum.right, (long long)sum.predicted, (long long)sum.gold, (long long)right,
                 (long long)found, (long long)there);
    }
    encl_tag_types_free(&types);
}

static void test_entities(void **state) {
    (void)state;
    check_entities("", "", 0, 0, 0);
    check_entities("O O", "O O", 0, 0, 0);
    check_entities("B-A I-A O B-B", "B-A I-A O B-B", 2, 2, 2);
    check_entities("B-A I-A O B-B", "B-A O O B-B", 1, 2, 2); // too short
    check_entities("B-A I-A O", "B-B I-B O", 0, 1, 1);       // another type
    check_entities("B-A I-A O", "I-A I-A O", 1, 1, 1);       // I after O begins one
    check_entities("B-A I-A B-B", "B-A I-A I-B", 2, 2, 2);   // I of another type, too
    check_entities("B-A I-A I-A", "B-A I-B I-A", 0, 3, 1);   // … and so does the one after it
    check_entities("B-A B-A", "B-A I-A", 0, 1, 2);           // B always begins one
    check_entities("S-A S-A", "B-A B-A", 2, 2, 2);           // S is one
    check_entities("B-A E-A I-A", "B-A I-A B-A", 2, 2, 2);   // E ends one
    check_entities("E-A E-A", "S-A S-A", 2, 2, 2);           // E after O begins one
    check_entities("O B-A I-A I-A", "O O B-A I-A", 0, 1, 1); // the same end, not the same start
    check_entities("B-A I-A O O", "B-A I-A I-A O", 0, 1, 1); // the same start, not the same end
    check_entities("B I O", "B-_ I-_ O", 1, 1, 1);           // no type is a type
}

static size_t read_tags(const cJSON *array, encl_tag_types *types, encl_tag *tags) {
    size_t count = 0;
    for (const cJSON *item = array->child; item != NULL; item = item->next) {
        assert_in_range(count, 0, MOST_VALUES - 1);
        assert_ok(encl_tag_parse(item->valuestring, strlen(item->valuestring), types, &tags[count++]));
    }
    return count;
}

static void check_f1(const encl_tally *tally, const cJSON *expected) {
    const encl_f1 f1 = encl_tally_f1(tally);
    assert_near(f1.precision, member(expected, "precision")->valuedouble, golden_tolerance);
    assert_near(f1.recall, member(expected, "recall")->valuedouble, golden_tolerance);
    assert_near(f1.f1, member(expected, "f1")->valuedouble, golden_tolerance);
}

static void check_entity_case(const cJSON *item) {
    encl_tag_types types = {0};
    encl_tally tallies[MOST_TYPES] = {{0}};
    const cJSON *predicted = member(item, "predicted")->child;
    for (const cJSON *gold = member(item, "expected")->child; gold != NULL; gold = gold->next) {
        encl_tag gold_tags[MOST_VALUES];
        encl_tag predicted_tags[MOST_VALUES];
        const size_t count = read_tags(gold, &types, gold_tags);
        assert_int_equal(read_tags(predicted, &types, predicted_tags), count);
        encl_tally_entities(gold_tags, predicted_tags, count, tallies);
        predicted = predicted->next;
    }
    const encl_tally sum = encl_tally_sum(tallies, MOST_TYPES);
    check_f1(&sum, item);
    assert_int_equal(sum.predicted, cJSON_GetArraySize(member(item, "entities")));
    int found = 0;
    for (size_t i = 0; i < types.count; i++) {
        const cJSON *class = cJSON_GetObjectItemCaseSensitive(member(item, "classes"), types.names[i]);
        assert_int_equal(class != NULL, tallies[i].gold + tallies[i].predicted > 0);
        if (class != NULL) {
            check_f1(&tallies[i], class);
            assert_int_equal(tallies[i].gold, (int64_t)member(class, "support")->valuedouble);
            found++;
        }
    }
    assert_int_equal(found, cJSON_GetArraySize(member(item, "classes")));
    encl_tag_types_free(&types);
}

static void test_entities_golden(void **state) {
    (void)state;
    size_t cases = 0;
    for (const cJSON *item = member(golden, "entities")->child; item != NULL; item = item->next, cases++) {
        print_message("  %s\n", member(item, "name")->valuestring);
        check_entity_case(item);
    }
    assert_true(cases > 0);
}

// ---- Correlation ------------------------------------------------------------------------------------------

static void test_correlation(void **state) {
    (void)state;
    static const double a[] = {1, 2, 3, 4};
    static const double b[] = {10, 100, 1000, 10000};
    static const double ties[] = {1, 2, 2, 3};  // ranks 1, 2.5, 2.5, 4
    static const double other[] = {1, 3, 2, 4}; // d² = 0, 0.25, 0.25, 0
    static const double same[] = {5, 5, 5, 5};
    static const double holes[] = {1, NAN, 3, 4};
    double rho = 0;
    assert_ok(encl_spearman(a, b, 4, &rho));
    assert_near(rho, 1, 1e-15);
    assert_true(encl_pearson(a, b, 4) < 0.9);
    // r of the ranks: Σ(x − 2.5)(y − 2.5) = 2.25 + 0 + 0 + 2.25 = 4.5; Σx² = 4.5, Σy² = 5.
    assert_ok(encl_spearman(ties, other, 4, &rho));
    assert_near(rho, 4.5 / sqrt(4.5 * 5), 1e-15);
    assert_ok(encl_spearman(a, same, 4, &rho));
    assert_true(isnan(rho));
    assert_ok(encl_spearman(a, holes, 4, &rho));
    assert_true(isnan(rho));
    assert_ok(encl_spearman(a, b, 1, &rho));
    assert_true(isnan(rho));
    assert_ok(encl_spearman(a, b, 0, &rho));
    assert_true(isnan(rho));
    // Constant, though the mean of three 0.1 is not 0.1.
    assert_true(isnan(encl_pearson((const double[]){0.1, 0.1, 0.1}, (const double[]){1, 2, 3}, 3)));
    // r = Σ(x − 2)(y − 4/3) / … for (1, 2, 3) and (1, 1, 2): 1 / √(2 · 2/3)
    assert_near(encl_pearson((const double[]){1, 2, 3}, (const double[]){1, 1, 2}, 3), 1 / sqrt(4.0 / 3), 1e-15);
}

static size_t read_numbers(const cJSON *array, double *values) {
    size_t count = 0;
    for (const cJSON *item = array->child; item != NULL; item = item->next) {
        assert_in_range(count, 0, MOST_VALUES - 1);
        values[count++] = item->valuedouble;
    }
    return count;
}

static void test_rank_golden(void **state) {
    (void)state;
    size_t cases = 0;
    for (const cJSON *item = member(golden, "rank")->child; item != NULL; item = item->next, cases++) {
        double x[MOST_VALUES];
        double y[MOST_VALUES];
        double rho = 0;
        const cJSON *expected = member(item, "spearman");
        const size_t count = read_numbers(member(item, "x"), x);
        assert_int_equal(read_numbers(member(item, "y"), y), count);
        assert_ok(encl_spearman(x, y, count, &rho));
        if (cJSON_IsNull(expected)) {
            assert_true(isnan(rho));
        } else {
            assert_near(rho, expected->valuedouble, golden_tolerance);
        }
    }
    assert_true(cases > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),     cmocka_unit_test(test_accuracy_golden), cmocka_unit_test(test_tags),
        cmocka_unit_test(test_entities),    cmocka_unit_test(test_entities_golden), cmocka_unit_test(test_correlation),
        cmocka_unit_test(test_rank_golden),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
