// Words of a text without ideographs, as NLTK's word_tokenize has them for one sentence: the Penn Treebank's
// tokenizer (MacIntyre 1995), with NLTK's additions for quotes and dashes (nltk.tokenize.destructive, 3.10).
//
// The text goes through a list of passes. Each looks for its pattern from left to right and puts spaces around what is
// a word of its own; at the end the words are what stands between spaces.
#include <stdlib.h>
#include <string.h>

#include "host/task/metrics.h"
#include "host/text/unicode.h"

typedef struct points {
    uint32_t *at;
    size_t count, capacity;
    encl_status status; // of the first append that failed
} points;

static void put(points *out, uint32_t code_point) {
    if (out->status == ENCL_OK) {
        void *at = out->at;
        out->status = encl_reserve(&at, &out->capacity, out->count + 1, sizeof *out->at);
        out->at = at;
    }
    if (out->status == ENCL_OK) {
        out->at[out->count++] = code_point;
    }
}

static void put_range(points *out, const points *in, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        put(out, in->at[i]);
    }
}

static void put_text(points *out, const char *ascii) {
    for (; *ascii != '\0'; ascii++) {
        put(out, (uint32_t)*ascii);
    }
}

// " x " for the `count` code points from `first`; gives how many they are.
static size_t pad(points *out, const points *in, size_t first, size_t count) {
    put(out, ' ');
    put_range(out, in, first, count);
    put(out, ' ');
    return count;
}

// ---- Classes of code points -------------------------------------------------------------------------------

// Python's str.isspace: White_Space and the four information separators.
static bool is_space(uint32_t c) {
    return encl_unicode_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

// A code point of the text, 0 behind its end.
static uint32_t peek(const points *in, size_t i) {
    return i < in->count ? in->at[i] : 0;
}

static bool is_one_of(uint32_t c, const char *ascii) {
    return c > 0 && c < 0x80 && strchr(ascii, (int)c) != NULL;
}

// A part of a word. NLTK's patterns are split between two engines, which do not agree on marks and fractions.
typedef bool (*word_class)(uint32_t c);

// \w of Python's re, which has the contractions.
static bool is_alphanumeric(uint32_t c) {
    return encl_unicode_is_letter(c) || encl_unicode_is_number(c) || c == '_';
}

static bool is_at(const points *in, size_t i, word_class is_word) {
    return i < in->count && is_word(in->at[i]);
}

// Regular expressions' \b between i − 1 and i.
static bool is_boundary(const points *in, size_t i, word_class is_word) {
    return (i > 0 && is_at(in, i - 1, is_word)) != is_at(in, i, is_word);
}

// The text from i on begins with `ascii` (lower case), in any case of the text's.
static bool begins(const points *in, size_t i, const char *ascii) {
    for (; *ascii != '\0'; ascii++, i++) {
        const uint32_t c = peek(in, i);
        if ((c >= 'A' && c <= 'Z' ? c + 0x20 : c) != (uint32_t)*ascii) {
            return false;
        }
    }
    return true;
}

// ---- Passes -----------------------------------------------------------------------------------------------

// Where the pattern begins at i: writes what stands for it and gives how many code points it took. Else 0.
typedef size_t (*pass)(const points *in, size_t i, points *out);

static size_t opening_quote(const points *in, size_t i, points *out) {
    const uint32_t c = in->at[i];
    if (c == 0xAB || c == 0x201C || c == 0x2018 || c == 0x201E) { // « “ ‘ „
        return pad(out, in, i, 1);
    }
    size_t count = 0;
    while (peek(in, i + count) == '`') {
        count++;
    }
    return count > 0 ? pad(out, in, i, count) : 0;
}

static size_t quote_at_start(const points *in, size_t i, points *out) {
    if (i > 0 || in->at[i] != '"') {
        return 0;
    }
    put_text(out, "``");
    return 1;
}

static size_t double_backtick(const points *in, size_t i, points *out) {
    return begins(in, i, "``") ? pad(out, in, i, 2) : 0;
}

static size_t quote_after_bracket(const points *in, size_t i, points *out) {
    if (!is_one_of(in->at[i], " ([{<")) {
        return 0;
    }
    const size_t quote = peek(in, i + 1) == '"' ? 1 : begins(in, i + 1, "''") ? 2 : 0;
    if (quote == 0) {
        return 0;
    }
    put(out, in->at[i]);
    put_text(out, " `` ");
    return 1 + quote;
}

// 'word, but not a clitic such as 's.
static size_t apostrophe_before_word(const points *in, size_t i, points *out) {
    static const char *const clitics[] = {"re", "ve", "ll", "m", "t", "s", "d", "n"};
    const word_class is_word = encl_unicode_is_word; // of the package regex
    if (in->at[i] != '\'' || (i > 0 && is_at(in, i - 1, is_word)) || !is_at(in, i + 1, is_word)) {
        return 0;
    }
    for (size_t k = 0; k < sizeof clitics / sizeof clitics[0]; k++) {
        if (begins(in, i + 1, clitics[k]) && is_boundary(in, i + 1 + strlen(clitics[k]), is_word)) {
            return 0;
        }
    }
    put_text(out, "' ");
    return 1;
}

// The period that ends the text, with brackets and quotes behind it; not the last of an ellipsis. (Treebank's own rule
// for it, which NLTK keeps as a later pass, finds nothing that this one leaves.)
static size_t final_period(const points *in, size_t i, points *out) {
    if (in->at[i] == '.' || peek(in, i + 1) != '.') {
        return 0;
    }
    const size_t closing = i + 2;
    size_t end = closing;
    while (is_one_of(peek(in, end), "])}>\"' ") || peek(in, end) == 0xBB || peek(in, end) == 0x201D ||
           peek(in, end) == 0x2019) { // » ” ’
        end++;
    }
    size_t rest = end;
    while (rest < in->count && is_space(in->at[rest])) {
        rest++;
    }
    if (rest < in->count) {
        return 0;
    }
    put(out, in->at[i]);
    put_text(out, " . ");
    put_range(out, in, closing, end - closing);
    put(out, ' ');
    return rest - i;
}

// A colon or comma, unless a digit follows.
static size_t colon_or_comma(const points *in, size_t i, points *out) {
    if (!is_one_of(in->at[i], ":,") || i + 1 == in->count || encl_unicode_is_decimal(in->at[i + 1])) {
        return 0;
    }
    pad(out, in, i, 1);
    put(out, in->at[i + 1]);
    return 2;
}

static size_t colon_or_comma_at_end(const points *in, size_t i, points *out) {
    return is_one_of(in->at[i], ":,") && i + 1 == in->count ? pad(out, in, i, 1) : 0;
}

static size_t dots(const points *in, size_t i, points *out) {
    size_t count = 0;
    while (peek(in, i + count) == '.') {
        count++;
    }
    return count > 1 ? pad(out, in, i, count) : 0;
}

static size_t mark(const points *in, size_t i, points *out) {
    const uint32_t c = in->at[i];
    const bool dash = c >= 0x2012 && c <= 0x2015;
    return dash || is_one_of(c, ";@#$%&") ? pad(out, in, i, 1) : 0;
}

static size_t question_or_exclamation(const points *in, size_t i, points *out) {
    return is_one_of(in->at[i], "?!") ? pad(out, in, i, 1) : 0;
}

static size_t apostrophe_before_space(const points *in, size_t i, points *out) {
    if (in->at[i] == '\'' || !begins(in, i + 1, "' ")) {
        return 0;
    }
    put(out, in->at[i]);
    put_text(out, " ' ");
    return 3;
}

static size_t star_or_bracket(const points *in, size_t i, points *out) {
    return is_one_of(in->at[i], "*[](){}<>") ? pad(out, in, i, 1) : 0;
}

static size_t double_dash(const points *in, size_t i, points *out) {
    return begins(in, i, "--") ? pad(out, in, i, 2) : 0;
}

static size_t closing_quote(const points *in, size_t i, points *out) {
    const uint32_t c = in->at[i];
    return c == 0xBB || c == 0x201D || c == 0x2019 ? pad(out, in, i, 1) : 0; // » ” ’
}

static size_t double_apostrophe(const points *in, size_t i, points *out) {
    return begins(in, i, "''") ? pad(out, in, i, 2) : 0;
}

static size_t double_quote(const points *in, size_t i, points *out) {
    if (in->at[i] != '"') {
        return 0;
    }
    put_text(out, " '' ");
    return 1;
}

static size_t spaces(const points *in, size_t i, points *out) {
    size_t count = 0;
    while (i + count < in->count && is_space(in->at[i + count])) {
        count++;
    }
    if (count > 0) {
        put(out, ' ');
    }
    return count;
}

// What a space follows and is no word of its own before: "it's " → "it 's ".
static size_t split_clitic(const points *in, size_t i, points *out, const char *const *clitics, size_t count) {
    if (in->at[i] == '\'' || in->at[i] == ' ') {
        return 0;
    }
    for (size_t k = 0; k < count; k++) {
        const size_t length = strlen(clitics[k]);
        if (begins(in, i + 1, clitics[k]) && peek(in, i + 1 + length) == ' ') {
            put(out, in->at[i]);
            put(out, ' ');
            put_range(out, in, i + 1, length + 1);
            return length + 2;
        }
    }
    return 0;
}

static size_t short_clitic(const points *in, size_t i, points *out) {
    static const char *const clitics[] = {"'s", "'m", "'d", "'"};
    return split_clitic(in, i, out, clitics, sizeof clitics / sizeof clitics[0]);
}

// (NLTK takes these in all small or all capital letters only; answers are lower-cased before.)
static size_t long_clitic(const points *in, size_t i, points *out) {
    static const char *const clitics[] = {"'ll", "'re", "'ve", "n't"};
    return split_clitic(in, i, out, clitics, sizeof clitics / sizeof clitics[0]);
}

typedef struct contraction {
    const char *first, *second;
    bool after_space;  // a space stands before, and is part of the pattern; else a word's boundary
    bool before_space; // a space stands behind, and is not; else a word's boundary
} contraction;

static const contraction contractions[] = {
    {"can", "not", false, false}, {"d", "'ye", false, false},  {"gim", "me", false, false},
    {"gon", "na", false, false},  {"got", "ta", false, false}, {"lem", "me", false, false},
    {"more", "'n", false, false}, {"wan", "na", false, true},  {"'t", "is", true, false},
    {"'t", "was", true, false},
};

static size_t split_contraction(const points *in, size_t i, points *out, const contraction *row) {
    const size_t first = i + row->after_space;
    const size_t second = first + strlen(row->first);
    const size_t end = second + strlen(row->second);
    if ((row->after_space ? in->at[i] != ' ' : !is_boundary(in, i, is_alphanumeric)) ||
        !begins(in, first, row->first) || !begins(in, second, row->second) ||
        (row->before_space ? end == in->count || !is_space(in->at[end]) : !is_boundary(in, end, is_alphanumeric))) {
        return 0;
    }
    pad(out, in, first, second - first);
    pad(out, in, second, end - second);
    return end - i;
}

// ---- All of it --------------------------------------------------------------------------------------------

static const pass passes[] = {
    opening_quote,
    quote_at_start,
    double_backtick,
    quote_after_bracket,
    apostrophe_before_word,
    final_period,
    colon_or_comma,
    colon_or_comma_at_end,
    dots,
    mark,
    question_or_exclamation,
    apostrophe_before_space,
    star_or_bracket,
    double_dash,
};
// After a space was put at either end.
static const pass last_passes[] = {
    closing_quote, double_apostrophe, double_quote, spaces, short_clitic, long_clitic,
};

static void swap(points *a, points *b) {
    const points kept = *a;
    *a = *b;
    *b = kept;
}

// Runs one pass, or one contraction's, over the whole text.
static void run_pass(points *in, points *out, pass one, const contraction *row) {
    out->count = 0;
    for (size_t i = 0; i < in->count;) {
        const size_t used = row != NULL ? split_contraction(in, i, out, row) : one(in, i, out);
        if (used == 0) {
            put(out, in->at[i]);
        }
        i += used > 0 ? used : 1;
    }
    swap(in, out);
}

static encl_status add_words(const points *in, encl_segments *segments) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < in->count && status == ENCL_OK;) {
        size_t end = i;
        while (end < in->count && !is_space(in->at[end])) {
            end++;
        }
        if (end > i) {
            status = encl_segments_add(segments, in->at + i, end - i);
        }
        i = end + 1;
    }
    return status;
}

encl_status encl_segment_words(const uint32_t *code_points, size_t count, encl_segments *segments) {
    points in = {0};
    points out = {0};
    for (size_t i = 0; i < count; i++) {
        put(&in, code_points[i]);
    }
    for (size_t p = 0; p < sizeof passes / sizeof passes[0]; p++) {
        run_pass(&in, &out, passes[p], NULL);
    }
    out.count = 0;
    pad(&out, &in, 0, in.count);
    swap(&in, &out);
    for (size_t p = 0; p < sizeof last_passes / sizeof last_passes[0]; p++) {
        run_pass(&in, &out, last_passes[p], NULL);
    }
    for (size_t c = 0; c < sizeof contractions / sizeof contractions[0]; c++) {
        run_pass(&in, &out, NULL, &contractions[c]);
    }
    encl_status status = in.status != ENCL_OK ? in.status : out.status;
    if (status == ENCL_OK) {
        status = add_words(&in, segments);
    }
    free(in.at);
    free(out.at);
    return status;
}
