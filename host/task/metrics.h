// What predictions are worth: the figures that data sets are published with, in double precision, computed exactly as
// their published scorers do. Functions of their arguments only; any thread may call them.
#ifndef ENCL_TASK_METRICS_H
#define ENCL_TASK_METRICS_H

#include "runtime/base/memory.h"

// ---- Classes and entities ---------------------------------------------------------------------------------

// Of one class (or type of entity): how many were right, predicted at all, and there to be found (the support).
typedef struct encl_tally {
    int64_t right, predicted, gold;
} encl_tally;

// precision = right / predicted, recall = right / gold, F1 = 2 right / (predicted + gold), their harmonic mean
// (van Rijsbergen 1979, ch. 7); each 0 where its divisor is, as scikit-learn and seqeval have it.
typedef struct encl_f1 {
    double precision, recall, f1;
} encl_f1;
encl_f1 encl_tally_f1(const encl_tally *tally);
// Of all classes: the micro average's tally.
encl_tally encl_tally_sum(const encl_tally *tallies, size_t count);

// Adds `count` examples to tallies[], one a class. A prediction of -1 is none of the classes.
// Accuracy = the sum's right / count.
void encl_tally_classes(const int32_t *gold, const int32_t *predicted, size_t count, encl_tally *tallies);

// A tag taken apart: "B-PER" → 'B' and the number of PER among the types; "O" → 'O' and -1.
typedef struct encl_tag {
    char part; // O, B, I, E or S
    int32_t type;
} encl_tag;
// The types in the order in which they were first seen. Zero-initialise.
typedef struct encl_tag_types {
    char **names;
    size_t count, capacity;
} encl_tag_types;
void encl_tag_types_free(encl_tag_types *types);
// Reads "O", "B-PER" or "B" (whose type is "_"), and enters a new type. FORMAT says only what was found and expected:
// the caller puts the place before it. At most 256 types.
encl_status encl_tag_parse(const char *text, size_t length, encl_tag_types *types, encl_tag *tag);

// Adds the entities of one sentence to tallies[], one a type. An entity is right where type, first and last word are
// (CoNLL-2003). Where entities begin and end is what seqeval's default mode says (as conlleval before it): an I or E
// after O, or after another type, begins one; E and S end one. Both arrays have `count` words.
void encl_tally_entities(const encl_tag *gold, const encl_tag *predicted, size_t count, encl_tally *tallies);

// ---- Correlation ------------------------------------------------------------------------------------------

// Pearson's r of a[count] and b[count]. NaN where there are fewer than two values or one side is constant.
double encl_pearson(const double *a, const double *b, size_t count);
// Spearman's rho: Pearson's r of the ranks, equal values sharing the mean of their ranks (as scipy.stats.spearmanr).
// NaN as above, and where a value is NaN.
encl_status encl_spearman(const double *a, const double *b, size_t count, double *rho);

// ---- Answers ----------------------------------------------------------------------------------------------

// Of one question, 0 … 1.
typedef struct encl_answer_score {
    double exact, f1;
} encl_answer_score;

// Scores a prediction against the accepted answers. All are UTF-8 and end with NUL.
typedef encl_status (*encl_answer_scorer)(const char *prediction, const char *const *answers, size_t answer_count,
                                          encl_answer_score *score);

// CMRC 2018 and DRCD (cmrc2018_evaluate.py): the best of all answers, 0 without any. Both sides are lower-cased and
// stripped, and lose 32 punctuation marks. exact: what is left is equal. F1: from the longest run of segments that both
// sides have. Takes time in proportion to the product of both sides' segments.
encl_status encl_score_cmrc(const char *prediction, const char *const *answers, size_t answer_count,
                            encl_answer_score *score);
// CJRC (its evaluate.py, after CoQA's): both sides are lower-cased and keep letters and digits only. exact: equal.
// F1: of the bags of characters; where one is empty, 1 if both are. With k > 1 answers the mean of k maxima, each
// leaving one answer out. Without any, the one answer is the empty text.
encl_status encl_score_cjrc(const char *prediction, const char *const *answers, size_t answer_count,
                            encl_answer_score *score);

// Segments of a text, one after the other as UTF-8: segment i is the bytes [ends[i - 1], ends[i]) of text.
// Zero-initialise; reused by later calls.
typedef struct encl_segments {
    encl_string text;
    size_t *ends;
    size_t count, capacity;
} encl_segments;
void encl_segments_free(encl_segments *segments);
// As CMRC 2018's F1 cuts a text: every ideograph of U+4E00 … U+9FA5 alone, what lies between into words.
encl_status encl_segment_answer(const char *text, encl_segments *segments);
// The words of a text without ideographs, as NLTK's word_tokenize has them for one sentence (Penn Treebank's rules with
// NLTK's additions). Appends to the segments. code_points[count].
encl_status encl_segment_words(const uint32_t *code_points, size_t count, encl_segments *segments);
// Appends one segment.
encl_status encl_segments_add(encl_segments *segments, const uint32_t *code_points, size_t count);

#endif
