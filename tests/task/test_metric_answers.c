// Answers: cases worked by hand, and NLTK's words and the scorers' figures (tests/golden/metrics.json).
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/task/metrics.h"
#include "host/text/unicode.h"
#include "runtime/base/json.h"

static const double golden_tolerance = 6e-8; // the file's numbers have seven digits
enum { MOST_ANSWERS = 16, MOST_POINTS = 512, GOLDEN_BYTES = 1 << 20 };

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

// ---- Words and segments -----------------------------------------------------------------------------------

// "a|b": the segments, for messages.
static const char *join(const encl_segments *segments, char text[2048]) {
    size_t used = 0;
    size_t start = 0;
    text[0] = '\0';
    for (size_t i = 0; i < segments->count; i++) {
        used += (size_t)snprintf(text + used, 2048 - used, "%s%.*s", i > 0 ? "|" : "", (int)(segments->ends[i] - start),
                                 segments->text.text + start);
        assert_true(used < 2048);
        start = segments->ends[i];
    }
    return text;
}

static void expect_segments(const char *text, const encl_segments *segments, const cJSON *expected) {
    char found[2048];
    join(segments, found);
    size_t start = 0;
    size_t i = 0;
    for (const cJSON *item = expected->child; item != NULL; item = item->next, i++) {
        const size_t length = strlen(item->valuestring);
        if (i >= segments->count || segments->ends[i] - start != length ||
            memcmp(segments->text.text + start, item->valuestring, length) != 0) {
            fail_msg("'%s': found %s, expected '%s' at %zu", text, found, item->valuestring, i);
        }
        start = segments->ends[i];
    }
    if (i != segments->count) {
        fail_msg("'%s': found %s, expected %zu segments", text, found, i);
    }
}

static size_t read_points(const char *text, uint32_t *points) {
    size_t count = 0;
    for (size_t bytes = 0; *text != '\0'; text += bytes) {
        assert_in_range(count, 0, MOST_POINTS - 1);
        points[count++] = encl_utf8_next(text, &bytes);
    }
    return count;
}

static void test_words_golden(void **state) {
    (void)state;
    size_t cases = 0;
    encl_segments segments = {0};
    for (const cJSON *item = member(golden, "words")->child; item != NULL; item = item->next, cases++) {
        uint32_t points[MOST_POINTS];
        const char *text = member(item, "text")->valuestring;
        const size_t count = read_points(text, points);
        segments.text.length = 0;
        segments.count = 0;
        assert_ok(encl_segment_words(points, count, &segments));
        expect_segments(text, &segments, member(item, "words"));
    }
    assert_true(cases > 100);
    encl_segments_free(&segments);
}

static void check_segments(const char *text, const char *expected) {
    encl_segments segments = {0};
    char found[2048];
    assert_ok(encl_segment_answer(text, &segments));
    assert_string_equal(join(&segments, found), expected);
    encl_segments_free(&segments);
}

static void test_segments(void **state) {
    (void)state;
    check_segments("", "");
    check_segments("，。！", "");
    check_segments("  北京 ", "北|京");
    check_segments("Hello, World 2018年", "hello|,|world|2018|年");
    check_segments("《红楼梦》——曹雪芹", "红|楼|梦|—|—|曹|雪|芹"); // dashes are no marks of the list
    check_segments("it's 3,000 km.", "it|'s|3,000|km|.");
    check_segments("a-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』b", "ab"); // the whole list
    check_segments("a-b_c", "abc");                                          // marks go before words are looked for
    check_segments("\xe9\xbe\xa5\xe9\xbe\xa6", "\xe9\xbe\xa5|\xe9\xbe\xa6"); // U+9FA5; U+9FA6 is a word
    check_segments("\xe9\xbe\xa6\xe9\xbe\xa6", "\xe9\xbe\xa6\xe9\xbe\xa6");
    check_segments("\xc4\xb0", "i\xcc\x87"); // U+0130 in lower case
}

// ---- CMRC 2018 --------------------------------------------------------------------------------------------

static void check_score(encl_answer_scorer scorer, const char *prediction, const char *const *answers, size_t count,
                        double exact, double f1, double tolerance) {
    encl_answer_score score = {-1, -1};
    assert_ok(scorer(prediction, answers, count, &score));
    if (fabs(score.exact - exact) > tolerance || fabs(score.f1 - f1) > tolerance) {
        fail_msg("'%s': found %.9g, %.9g, expected %.9g, %.9g", prediction, score.exact, score.f1, exact, f1);
    }
}

#define ANSWERS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void test_cmrc(void **state) {
    (void)state;
    const encl_answer_scorer cmrc = encl_score_cmrc;
    check_score(cmrc, "北京大学", ANSWERS("北京大学"), 1, 1, 1e-15);
    check_score(cmrc, " “北京”大学。", ANSWERS("北京大学"), 1, 1, 1e-15); // marks do not count
    check_score(cmrc, "北京", ANSWERS("北京大学"), 0, 2.0 / 3, 1e-15);    // P 1, R 1/2
    check_score(cmrc, "上海", ANSWERS("北京大学"), 0, 0, 1e-15);
    check_score(cmrc, "北大京学", ANSWERS("北京大学"), 0, 1.0 / 4, 1e-15);           // a run, not a bag: 1 of 4
    check_score(cmrc, "在北京大学", ANSWERS("上海", "北京大学"), 0, 8.0 / 9, 1e-15); // P 4/5, R 1
    check_score(cmrc, "iPhone 12", ANSWERS("IPHONE 12"), 1, 1, 1e-15);
    check_score(cmrc, "iPhone 12", ANSWERS("IPHONE12"), 0, 0, 1e-15); // other words
    check_score(cmrc, "1,000", ANSWERS("1000"), 0, 0, 1e-15);         // an ASCII comma is kept
    check_score(cmrc, "", ANSWERS("北京"), 0, 0, 1e-15);
    check_score(cmrc, "，", ANSWERS("。"), 1, 0, 1e-15); // nothing left: equal, no segment
    check_score(cmrc, "北京", NULL, 0, 0, 0, 1e-15);
    check_score(cmrc, "a-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』b", ANSWERS("ab"), 1, 1, 1e-15);
    encl_answer_score score;
    assert_int_equal(cmrc("\xff", ANSWERS("a"), &score), ENCL_FORMAT);
    assert_int_equal(cmrc("a", ANSWERS("b\xe4\xbd"), &score), ENCL_FORMAT);
}

// ---- CJRC -------------------------------------------------------------------------------------------------

static void test_cjrc(void **state) {
    (void)state;
    const encl_answer_scorer cjrc = encl_score_cjrc;
    check_score(cjrc, "张三", ANSWERS("张三"), 1, 1, 1e-15);
    check_score(cjrc, "张三。", ANSWERS("“张 三”"), 1, 1, 1e-15); // letters and digits only
    check_score(cjrc, "三张", ANSWERS("张三"), 0, 1, 1e-15);      // a bag
    check_score(cjrc, "张三三", ANSWERS("张三"), 0, 0.8, 1e-15);  // P 2/3, R 1
    check_score(cjrc, "", ANSWERS(""), 1, 1, 1e-15);
    check_score(cjrc, "。", NULL, 0, 1, 1, 1e-15); // no answer is the empty one
    check_score(cjrc, "张", ANSWERS(""), 0, 0, 1e-15);
    check_score(cjrc, "", ANSWERS("张"), 0, 0, 1e-15);
    check_score(cjrc, "ABC①½", ANSWERS("abc①"), 1, 1, 1e-15); // ① is a digit, ½ is none
    // Three answers of which one fits: leaving it out gives the others' best, twice it stays.
    check_score(cjrc, "张三", ANSWERS("张三", "张", "李四"), 2.0 / 3, (1 + 1 + 2.0 / 3) / 3, 1e-15);
    check_score(cjrc, "张三", ANSWERS("张三", "张三", "李四"), 1, 1, 1e-15);
    check_score(cjrc, "张三", ANSWERS("张三", "李四"), 0.5, 0.5, 1e-15);
    encl_answer_score score;
    assert_int_equal(cjrc("\xff", ANSWERS("a"), &score), ENCL_FORMAT);
    assert_int_equal(cjrc("a", ANSWERS("b\xe4\xbd"), &score), ENCL_FORMAT);
}

// ---- Goldens ----------------------------------------------------------------------------------------------

static size_t check_scores(const char *key, encl_answer_scorer scorer) {
    size_t cases = 0;
    encl_segments segments = {0};
    for (const cJSON *item = member(golden, key)->child; item != NULL; item = item->next, cases++) {
        const char *answers[MOST_ANSWERS];
        size_t count = 0;
        for (const cJSON *answer = member(item, "answers")->child; answer != NULL; answer = answer->next) {
            assert_in_range(count, 0, MOST_ANSWERS - 1);
            answers[count++] = answer->valuestring;
        }
        const char *prediction = member(item, "prediction")->valuestring;
        check_score(scorer, prediction, answers, count, member(item, "exact")->valuedouble,
                    member(item, "f1")->valuedouble, golden_tolerance);
        const cJSON *expected = cJSON_GetObjectItemCaseSensitive(item, "segments");
        if (expected != NULL) {
            assert_ok(encl_segment_answer(prediction, &segments));
            expect_segments(prediction, &segments, expected);
        }
    }
    encl_segments_free(&segments);
    return cases;
}

static void test_scores_golden(void **state) {
    (void)state;
    assert_true(check_scores("reading", encl_score_cmrc) > 10);
    assert_true(check_scores("law", encl_score_cjrc) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_golden), cmocka_unit_test(test_segments),      cmocka_unit_test(test_cmrc),
        cmocka_unit_test(test_cjrc),         cmocka_unit_test(test_scores_golden),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
