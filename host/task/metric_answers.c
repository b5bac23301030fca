// Answers: CMRC 2018's and CJRC's exact match and F1.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/task/metrics.h"
#include "host/text/unicode.h"
#include "runtime/base/json.h"

// ---- Code points ------------------------------------------------------------------------------------------

typedef struct points {
    uint32_t *at;
    size_t count;
} points;

// The text in lower case, code point by code point (no final sigma; U+0130 alone becomes two). Caller frees.
static encl_status read_lower(const char *text, points *lower) {
    const size_t length = strlen(text);
    const size_t valid = encl_utf8_valid_prefix(text, length);
    void *at = NULL;
    *lower = (points){0};
    if (valid != length) {
        return encl_fail(ENCL_FORMAT, "an answer: byte %zu: found 0x%02x, expected UTF-8", valid + 1,
                         (unsigned char)text[valid]);
    }
    encl_status status = encl_allocate(length, sizeof *lower->at, &at); // a code point has a byte, U+0130 has two
    lower->at = at;
    for (size_t i = 0, bytes = 0; i < length && status == ENCL_OK; i += bytes) {
        const uint32_t c = encl_utf8_next(text + i, &bytes);
        const bool cased = (encl_unicode_classes(c) & ENCL_UNICODE_CASED) != 0;
        lower->at[lower->count++] = c == 0x130 ? 'i' : cased ? encl_unicode_lower(c) : c;
        if (c == 0x130) {
            lower->at[lower->count++] = 0x307;
        }
    }
    return status;
}

// Keeps those that `keep` says.
static void filter(points *text, bool (*keep)(uint32_t)) {
    size_t kept = 0;
    for (size_t i = 0; i < text->count; i++) {
        if (keep(text->at[i])) {
            text->at[kept++] = text->at[i];
        }
    }
    text->count = kept;
}

static bool equal(const points *a, const points *b) {
    return a->count == b->count && (a->count == 0 || memcmp(a->at, b->at, a->count * sizeof *a->at) == 0);
}

static bool is_space(uint32_t c) {
    return encl_unicode_is_space(c) || (c >= 0x1C && c <= 0x1F); // as Python strips
}

static void strip(points *text) {
    size_t first = 0;
    while (first < text->count && is_space(text->at[first])) {
        first++;
    }
    while (text->count > first && is_space(text->at[text->count - 1])) {
        text->count--;
    }
    text->count -= first;
    memmove(text->at, text->at + first, text->count * sizeof *text->at);
}

// ---- Segments ---------------------------------------------------------------------------------------------

void encl_segments_free(encl_segments *segments) {
    encl_string_free(&segments->text);
    free(segments->ends);
    *segments = (encl_segments){0};
}

static size_t write_utf8(uint32_t c, char bytes[4]) {
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    const size_t count = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = count - 1; i > 0; i--, c >>= 6) {
        bytes[i] = (char)(0x80 | (c & 0x3F));
    }
    bytes[0] = (char)(leads[count] | c);
    return count;
}

encl_status encl_segments_add(encl_segments *segments, const uint32_t *code_points, size_t count) {
    void *ends = segments->ends;
    encl_status status = encl_reserve(&ends, &segments->capacity, segments->count + 1, sizeof *segments->ends);
    segments->ends = ends;
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        char bytes[4];
        status = encl_string_append(&segments->text, bytes, write_utf8(code_points[i], bytes));
    }
    if (status == ENCL_OK) {
        segments->ends[segments->count++] = segments->text.length;
    }
    return status;
}

// What CMRC 2018 deletes. (Its list also has an ellipsis of two code points, which no single one equals.)
static bool is_kept(uint32_t c) {
    static const uint32_t marks[] = {'-',    ':',    '_',    '*',    '^',    '/',    '\\',   '~',
                                     '`',    '+',    '=',    0xFF0C, 0x3002, 0xFF1A, 0xFF1F, 0xFF01,
                                     0x201C, 0x201D, 0xFF1B, 0x2019, 0x300A, 0x300B, 0xB7,   0x3001,
                                     0x300C, 0x300D, 0xFF08, 0xFF09, 0xFF0D, 0xFF5E, 0x300E, 0x300F};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (marks[i] == c) {
            return false;
        }
    }
    return true;
}

static encl_status segment(const points *text, encl_segments *segments) {
    encl_status status = ENCL_OK;
    size_t first = 0; // of the run between ideographs
    segments->text.length = 0;
    segments->count = 0;
    for (size_t i = 0; i <= text->count && status == ENCL_OK; i++) {
        const bool ideograph = i < text->count && text->at[i] >= 0x4E00 && text->at[i] <= 0x9FA5;
        if (i < text->count && !ideograph) {
            continue;
        }
        if (i > first) {
            status = encl_segment_words(text->at + first, i - first, segments);
        }
        if (ideograph && status == ENCL_OK) {
            status = encl_segments_add(segments, text->at + i, 1);
        }
        first = i + 1;
    }
    return status;
}

encl_status encl_segment_answer(const char *text, encl_segments *segments) {
    points lower = {0};
    encl_status status = read_lower(text, &lower);
    if (status == ENCL_OK) {
        strip(&lower);
        filter(&lower, is_kept);
        status = segment(&lower, segments);
    }
    free(lower.at);
    return status;
}

static bool same_segment(const encl_segments *a, size_t i, const encl_segments *b, size_t j) {
    const size_t first_a = i > 0 ? a->ends[i - 1] : 0;
    const size_t first_b = j > 0 ? b->ends[j - 1] : 0;
    const size_t length = a->ends[i] - first_a;
    return length == b->ends[j] - first_b && memcmp(a->text.text + first_a, b->text.text + first_b, length) == 0;
}

// The longest common run of segments. lengths[b->count + 1] is scratch: of the runs that end at i − 1 and j − 1.
static size_t longest_run(const encl_segments *a, const encl_segments *b, size_t *lengths) {
    size_t longest = 0;
    memset(lengths, 0, (b->count + 1) * sizeof *lengths);
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = b->count; j > 0; j--) { // downwards: lengths[j − 1] is still that of i − 1
            lengths[j] = same_segment(a, i, b, j - 1) ? lengths[j - 1] + 1 : 0;
            longest = lengths[j] > longest ? lengths[j] : longest;
        }
    }
    return longest;
}

// ---- CMRC 2018 --------------------------------------------------------------------------------------------

// 2PR / (P + R) with P = same / predicted, R = same / gold.
static double f1_of(size_t same, size_t predicted, size_t gold) {
    return same > 0 ? 2 * (double)same / (double)(predicted + gold) : 0;
}

encl_status encl_score_cmrc(const char *prediction, const char *const *answers, size_t answer_count,
                            encl_answer_score *score) {
    encl_status status = ENCL_OK;
    points ours = {0};
    points theirs = {0};
    encl_segments our_segments = {0};
    encl_segments their_segments = {0};
    void *lengths = NULL;
    encl_answer_score best = {0};
    *score = best;
    ENCL_TRY(read_lower(prediction, &ours));
    strip(&ours);
    filter(&ours, is_kept);
    ENCL_TRY(segment(&ours, &our_segments));
    ENCL_TRY(encl_allocate(our_segments.count + 1, sizeof(size_t), &lengths));
    for (size_t i = 0; i < answer_count; i++) {
        free(theirs.at);
        ENCL_TRY(read_lower(answers[i], &theirs));
        strip(&theirs);
        filter(&theirs, is_kept);
        ENCL_TRY(segment(&theirs, &their_segments));
        const size_t same = longest_run(&their_segments, &our_segments, lengths);
        best.f1 = fmax(best.f1, f1_of(same, our_segments.count, their_segments.count));
        best.exact = equal(&ours, &theirs) ? 1 : best.exact;
    }
    *score = best;
cleanup:
    free(ours.at);
    free(theirs.at);
    free(lengths);
    encl_segments_free(&our_segments);
    encl_segments_free(&their_segments);
    return status;
}

// ---- CJRC -------------------------------------------------------------------------------------------------

static bool is_letter_or_digit(uint32_t c) {
    return encl_unicode_is_letter(c) || encl_unicode_is_digit(c);
}

static int compare_points(const void *left, const void *right) {
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

// How many characters two sorted bags share.
static size_t count_shared(const points *a, const points *b) {
    size_t shared = 0;
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        const int order = compare_points(&a->at[i], &b->at[j]);
        shared += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return shared;
}

static encl_status read_bag(const char *text, points *letters, points *bag) {
    void *at = NULL;
    encl_status status = read_lower(text, letters);
    if (status == ENCL_OK) {
        filter(letters, is_letter_or_digit);
        status = encl_allocate(letters->count, sizeof *bag->at, &at);
    }
    *bag = (points){at, status == ENCL_OK ? letters->count : 0};
    if (bag->count > 0) {
        memcpy(bag->at, letters->at, bag->count * sizeof *bag->at);
        qsort(bag->at, bag->count, sizeof *bag->at, compare_points);
    }
    return status;
}

static encl_status score_one(const points *ours, const points *our_bag, const char *answer, encl_answer_score *score) {
    points theirs = {0};
    points their_bag = {0};
    encl_status status = read_bag(answer, &theirs, &their_bag);
    if (status == ENCL_OK) {
        score->exact = equal(ours, &theirs) ? 1 : 0;
        score->f1 = ours->count == 0 || theirs.count == 0
                        ? (double)(ours->count == theirs.count)
                        : f1_of(count_shared(our_bag, &their_bag), ours->count, theirs.count);
    }
    free(theirs.at);
    free(their_bag.at);
    return status;
}

// The mean, over i, of the maximum of all values but values[i]: the maximum, but where i alone has it, the second.
static double mean_without_one(double highest, double second, size_t count) {
    return ((double)(count - 1) * highest + second) / (double)count;
}

encl_status encl_score_cjrc(const char *prediction, const char *const *answers, size_t answer_count,
                            encl_answer_score *score) {
    static const char *const none[] = {""};
    encl_status status = ENCL_OK;
    points ours = {0};
    points our_bag = {0};
    encl_answer_score highest = {-1, -1};
    encl_answer_score second = {-1, -1}; // in rank: equal to the highest where two answers have it
    *score = (encl_answer_score){0};
    answers = answer_count > 0 ? answers : none;
    answer_count = answer_count > 0 ? answer_count : 1;
    ENCL_TRY(read_bag(prediction, &ours, &our_bag));
    for (size_t i = 0; i < answer_count; i++) {
        encl_answer_score one = {0};
        ENCL_TRY(score_one(&ours, &our_bag, answers[i], &one));
        second.exact = fmax(second.exact, fmin(highest.exact, one.exact));
        second.f1 = fmax(second.f1, fmin(highest.f1, one.f1));
        highest.exact = fmax(highest.exact, one.exact);
        highest.f1 = fmax(highest.f1, one.f1);
    }
    *score = highest;
    if (answer_count > 1) {
        score->exact = mean_without_one(highest.exact, second.exact, answer_count);
        score->f1 = mean_without_one(highest.f1, second.f1, answer_count);
    }
cleanup:
    free(ours.at);
    free(our_bag.at);
    return status;
}
