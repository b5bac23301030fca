// Two sets of results, row by row: what is faster, slower, the same, or cannot be told.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/compare.h"
#include "host/cli/options.h"
#include "runtime/base/log.h"

enum { BOOTSTRAP_SEED = 1 };
static const double threshold_default_pct = 2;
static const double threshold_most_pct = 100;

encl_status encl_compare_option(encl_compare_options *options, int key, const char *value) {
    switch (key) {
    case ENCL_COMPARE_KEY_THRESHOLD:
        return encl_option_number("--threshold", value, 0.01, threshold_most_pct, &options->threshold_pct);
    case ENCL_COMPARE_KEY_FAIL_ON:
        if (strcmp(value, "slower") != 0) {
            return encl_fail(ENCL_INVALID, "--fail-on: found '%s', expected slower", value);
        }
        options->fail_on_slower = true;
        return ENCL_OK;
    default:
        return encl_bench_option(&options->bench, key, value);
    }
}

// ---- What differs -----------------------------------------------------------------------------------------

static const cJSON *only_device(const encl_bench_file *file) {
    const cJSON *devices = encl_json_member(file->header, "devices");
    return cJSON_GetArraySize(devices) == 1 ? devices->child : NULL;
}

static encl_status check_kinds(const encl_bench_file *a, const encl_bench_file *b) {
    const char *of_a = encl_json_member_text(a->header, "kind");
    const char *of_b = encl_json_member_text(b->header, "kind");
    if (strcmp(of_a, of_b) != 0) {
        return encl_fail(ENCL_INVALID, "%s is of bench %s, %s of bench %s, expected the same", a->place, of_a, b->place,
                         of_b);
    }
    return ENCL_OK;
}

static void warn_text(const char *what, const char *a, const char *b) {
    if (strcmp(a, b) != 0) {
        encl_warn("the two have different %s: '%s' and '%s'", what, a, b);
    }
}

static void warn_devices(const encl_bench_file *a, const encl_bench_file *b) {
    static const struct {
        const char *key, *name;
    } facts[] = {{"name", "devices"}, {"platform", "platforms"}, {"driver", "drivers"}};
    const cJSON *device = NULL;
    cJSON_ArrayForEach(device, encl_json_member(a->header, "devices")) {
        const cJSON *other = only_device(b);
        const cJSON *candidate = NULL;
        cJSON_ArrayForEach(candidate, encl_json_member(b->header, "devices")) {
            other = strcmp(encl_json_member_text(candidate, "name"), encl_json_member_text(device, "name")) == 0
                        ? candidate
                        : other;
        }
        for (size_t i = 0; other != NULL && i < sizeof facts / sizeof facts[0]; i++) {
            warn_text(facts[i].name, encl_json_member_text(device, facts[i].key),
                      encl_json_member_text(other, facts[i].key));
        }
    }
}

static void warn_differences(const encl_bench_file *a, const encl_bench_file *b) {
    warn_devices(a, b);
    warn_text("processors", encl_json_member_text(encl_json_member(a->header, "host"), "cpu"),
              encl_json_member_text(encl_json_member(b->header, "host"), "cpu"));
    for (size_t i = 0; i < a->count; i++) {
        const encl_bench_entry *other = encl_bench_find(b, a->entries[i].case_id, NULL);
        if (other != NULL && strcmp(a->entries[i].sha256, other->sha256) != 0) {
            encl_warn("%s: the two have different models (SHA-256 of the weights)", a->entries[i].case_id);
            break; // one file has one model: the others say nothing new
        }
    }
    if (!a->complete || !b->complete) {
        encl_warn("%s: ended before its last case", a->complete ? b->place : a->place);
    }
}

// ---- Rows -------------------------------------------------------------------------------------------------

typedef struct comparison {
    encl_bench *bench;
    const encl_bench_file *a, *b;
    double threshold;
    bool one_device; // in each: then rows match whatever the device's name
    size_t matched, slower, faster, same, unclear, alone;
    double log_sum; // of the matched rows' ratios
} comparison;

static const encl_bench_entry *find_other(const comparison *of, const encl_bench_file *in,
                                          const encl_bench_entry *entry) {
    return encl_bench_find(in, entry->case_id, of->one_device ? NULL : entry->device);
}

static bool was_measured(const encl_bench_entry *entry) {
    return entry != NULL && entry->samples_ns != NULL;
}

static void fill_side(encl_bench *bench, const encl_bench_entry *entry, const char *p50, const char *n) {
    encl_statistics found;
    if (was_measured(entry) && encl_statistics_of(entry->samples_ns, entry->count, &found) == ENCL_OK) {
        encl_bench_number(bench, p50, found.p50 / 1e3);
        encl_bench_number(bench, n, (double)entry->count);
    }
}

static void count_verdict(comparison *of, encl_verdict verdict) {
    size_t *counts[] = {[ENCL_VERDICT_FASTER] = &of->faster,
                        [ENCL_VERDICT_SLOWER] = &of->slower,
                        [ENCL_VERDICT_SAME] = &of->same,
                        [ENCL_VERDICT_UNCLEAR] = &of->unclear};
    (*counts[verdict])++;
}

static encl_status fill_ratio(comparison *of, const encl_bench_entry *a, const encl_bench_entry *b) {
    encl_ratio ratio;
    const encl_status status =
        encl_ratio_of_medians(a->samples_ns, a->count, b->samples_ns, b->count, BOOTSTRAP_SEED, &ratio);
    if (status != ENCL_OK) {
        return status;
    }
    const encl_verdict verdict = encl_verdict_of(&ratio, of->threshold);
    encl_bench_number(of->bench, "ratio", ratio.ratio);
    encl_bench_number(of->bench, "ci_lo", ratio.lo);
    encl_bench_number(of->bench, "ci_hi", ratio.hi);
    encl_bench_text(of->bench, "verdict", encl_verdict_name(verdict));
    if (!isfinite(ratio.lo)) {
        encl_bench_text(of->bench, "reason", "too few samples for a confidence interval");
    }
    count_verdict(of, verdict);
    of->matched++;
    of->log_sum += log(ratio.ratio);
    return ENCL_OK;
}

// One of the two may be NULL.
static encl_status write_row(comparison *of, const encl_bench_entry *a, const encl_bench_entry *b) {
    const encl_bench_entry *some = a != NULL ? a : b;
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_bench_row(of->bench, NULL, some->case_id));
    encl_bench_text(of->bench, "device", some->device);
    fill_side(of->bench, a, "a_p50_us", "a_n");
    fill_side(of->bench, b, "b_p50_us", "b_n");
    if (was_measured(a) && was_measured(b)) {
        ENCL_TRY(fill_ratio(of, a, b));
    } else {
        const encl_bench_entry *failed = a != NULL && !was_measured(a) ? a : b != NULL && !was_measured(b) ? b : NULL;
        char reason[256] = "";
        if (failed != NULL) {
            snprintf(reason, sizeof reason, "%s is %s%s%s", failed == a ? "A" : "B", failed->status,
                     failed->reason[0] != '\0' ? ": " : "", failed->reason);
        }
        encl_bench_text(of->bench, "verdict", was_measured(b) ? "new" : "missing");
        encl_bench_text(of->bench, "reason", reason);
        of->alone++;
    }
    ENCL_TRY(encl_bench_row_end(of->bench));
cleanup:
    return status;
}

static encl_status write_mean(comparison *of) {
    char reason[64];
    if (of->matched == 0) {
        return ENCL_OK;
    }
    const encl_status status = encl_bench_row(of->bench, NULL, "(geometric mean)");
    if (status != ENCL_OK) {
        return status;
    }
    snprintf(reason, sizeof reason, "of %zu row%s", of->matched, of->matched == 1 ? "" : "s");
    encl_bench_number(of->bench, "ratio", exp(of->log_sum / (double)of->matched));
    encl_bench_text(of->bench, "reason", reason);
    return encl_bench_row_end(of->bench);
}

static encl_status write_notes(const comparison *of, encl_compare_kind kind) {
    encl_status status = ENCL_OK;
    const encl_bench_file *files[] = {of->a, of->b};
    for (int i = 0; i < 2; i++) {
        const cJSON *build = encl_json_member(files[i]->header, "encl");
        ENCL_TRY(encl_bench_note(of->bench, "- %s: %s, encl %s (%s), %s", i == 0 ? "A" : "B", files[i]->place,
                                 encl_json_member_text(build, "version"), encl_json_member_text(build, "commit"),
                                 encl_json_member_text(encl_json_member(files[i]->header, "run"), "started")));
    }
    ENCL_TRY(encl_bench_note(of->bench,
                             "- ratio: time of B / time of A (medians) with its 95 %% confidence interval; faster and "
                             "slower lie wholly beyond +-%g %%, same wholly within",
                             100 * of->threshold));
    ENCL_TRY(encl_bench_note(of->bench, "- %s",
                             kind == ENCL_COMPARE_FILES
                                 ? "one process each: within-run only, samples of one process are alike; bench ab "
                                   "compares processes"
                                 : "samples are medians of whole processes, A and B in turn"));
    status = encl_bench_note(of->bench, "- %zu faster, %zu slower, %zu same, %zu unclear, %zu missing or new",
                             of->faster, of->slower, of->same, of->unclear, of->alone);
cleanup:
    return status;
}

static cJSON *side_block(const encl_bench_file *file) {
    static const char *const keys[] = {"encl", "run", "host", "devices", "models"};
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "place", file->place);
    encl_line_bool(&line, "complete", file->complete);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const cJSON *item = encl_json_member(file->header, keys[i]);
        if (item != NULL) {
            encl_line_item(&line, keys[i], cJSON_Duplicate(item, true));
        }
    }
    return encl_line_take(&line);
}

static encl_status write_rows(comparison *of) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < of->a->count; i++) {
        ENCL_TRY(write_row(of, &of->a->entries[i], find_other(of, of->b, &of->a->entries[i])));
    }
    for (size_t i = 0; i < of->b->count; i++) {
        if (find_other(of, of->a, &of->b->entries[i]) == NULL) {
            ENCL_TRY(write_row(of, NULL, &of->b->entries[i]));
        }
    }
    ENCL_TRY(write_mean(of));
cleanup:
    return status;
}

encl_status encl_compare_report(const encl_compare_options *options, const encl_call *call, encl_compare_kind kind,
                                const encl_bench_file *a, const encl_bench_file *b, bool complete, size_t *slower) {
    encl_status status = ENCL_OK;
    const double pct = options->threshold_pct > 0 ? options->threshold_pct : threshold_default_pct;
    comparison of = {
        .a = a, .b = b, .threshold = pct / 100, .one_device = only_device(a) != NULL && only_device(b) != NULL};
    *slower = 0;
    ENCL_TRY(check_kinds(a, b));
    warn_differences(a, b);
    ENCL_TRY(encl_bench_open(&options->bench, call, ENCL_BENCH_COMPARE, NULL, NULL, 0, &of.bench));
    encl_bench_header(of.bench, "threshold_pct", cJSON_CreateNumber(pct));
    encl_bench_header(of.bench, "samples", cJSON_CreateString(kind == ENCL_COMPARE_FILES ? "runs" : "processes"));
    encl_bench_header(of.bench, "a", side_block(a));
    encl_bench_header(of.bench, "b", side_block(b));
    ENCL_TRY(write_rows(&of));
    ENCL_TRY(write_notes(&of, kind));
    encl_bench *bench = of.bench;
    of.bench = NULL;
    ENCL_TRY(encl_bench_finish(bench, complete));
    *slower = of.slower;
cleanup:
    return encl_bench_close(of.bench, status);
}
