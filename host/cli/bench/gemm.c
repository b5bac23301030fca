// encl bench gemm: matrix products by own kernels and by CLBlast, and what the runtime's choice between them gains.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/session.h"
#include "host/cli/options.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/measure/products.h"

enum { KEY_M = ENCL_BENCH_KEYS_END, KEY_NK, KEY_IMPL };
enum { SIZE_LIMIT = 1 << 16, LIST_LIMIT = 256, ROW_LIMIT = 16 };
static const double tune_flops = 4e8; // of the product that parameters are tried on, at most
static const double tune_seconds = 60;
static const char default_m[] = "1,16,128,1024,4096";
static const char default_nk[] = "768x768,2304x768,3072x768,768x3072,1024x1024,4096x1024,1024x4096,384x384,1536x384,"
                                 "384x1536";

typedef enum impl { OWN, CLBLAST, CLBLAST_TUNED, IMPLS } impl;
static const char *const impl_names[IMPLS] = {"own", "clblast", "clblast-tuned"};

typedef struct settings {
    encl_bench_options bench;
    const char *m, *nk; // NULL: the defaults
    bool impl_given, impls[IMPLS];
} settings;

static const struct argp_option options[] = {
    {"m", KEY_M, "LIST", 0, "Rows of the product, M (default 1,16,128,1024,4096)", 0},
    {"nk", KEY_NK, "LIST", 0, "Columns and depth, N x K: 768x768,3072x768,… (default: those of the model family)", 0},
    {"impl", KEY_IMPL, "LIST", 0, "Of own, clblast, clblast-tuned (default: all)", 0},
    ENCL_BENCH_OPTION_HOT,
    ENCL_BENCH_OPTIONS,
    {0},
};

// ---- Options ----------------------------------------------------------------------------------------------

static encl_status check_new(int32_t (*pairs)[2], size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (memcmp(pairs[i], pairs[count], sizeof pairs[i]) == 0) {
            return encl_fail(ENCL_INVALID, "--nk: found %dx%d twice, expected each once", (int)pairs[i][0],
                             (int)pairs[i][1]);
        }
    }
    return ENCL_OK;
}

// "768x3072,…" as pairs of numbers, each once. nk holds LIST_LIMIT pairs.
static encl_status parse_nk(const char *text, int32_t (*nk)[2], size_t *count) {
    *count = 0;
    for (const char *at = text;; at++) {
        int32_t pair[2];
        for (int i = 0; i < 2; i++) {
            char *end = NULL;
            const long value = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
            if (value < 1 || value > SIZE_LIMIT || (i == 0 ? *end != 'x' : *end != ',' && *end != '\0') ||
                *count == LIST_LIMIT) {
                return encl_fail(
                    ENCL_INVALID,
                    "--nk: found '%s', expected a list such as 768x768,3072x768 of at most %d, with numbers "
                    "from 1 to %d",
                    text, LIST_LIMIT, SIZE_LIMIT);
            }
            pair[i] = (int32_t)value;
            at = i == 0 ? end + 1 : end;
        }
        memcpy(nk[*count], pair, sizeof pair);
        const encl_status status = check_new(nk, *count);
        if (status != ENCL_OK) {
            return status;
        }
        ++*count;
        if (*at == '\0') {
            return ENCL_OK;
        }
    }
}

static encl_status parse_impls(const char *text, settings *chosen) {
    chosen->impl_given = true;
    for (const char *word = text;;) {
        const size_t length = strcspn(word, ",");
        size_t i = 0;
        while (i < IMPLS && (strlen(impl_names[i]) != length || strncmp(impl_names[i], word, length) != 0)) {
            i++;
        }
        if (i == IMPLS) {
            return encl_fail(ENCL_INVALID, "--impl: found '%s', expected a list of own, clblast, clblast-tuned", text);
        }
        chosen->impls[i] = true;
        if (word[length] == '\0') {
            return ENCL_OK;
        }
        word += length + 1;
    }
}

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    int32_t nk[LIST_LIMIT][2];
    size_t count = 0;
    switch (key) {
    case KEY_M:
        chosen->m = value;
        return encl_option_integers_check("--m", value, 1, SIZE_LIMIT);
    case KEY_NK:
        chosen->nk = value;
        return parse_nk(value, nk, &count);
    case KEY_IMPL:
        return parse_impls(value, chosen);
    default:
        return encl_bench_option(&chosen->bench, key, value);
    }
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    return encl_bench_options_check(&chosen->bench);
}

// ---- Who computes -----------------------------------------------------------------------------------------

// One way to compute a product.
typedef struct way {
    impl by;
    const encl_kernel_row *row; // OWN
    double fastest;             // GF/s that were reached with it,
    int32_t fastest_m;          // on a product of so many rows
} way;

typedef struct outcome {
    way *way; // NULL: none yet
    encl_trial trial;
    encl_status status;
    bool skipped;
    char detail[256]; // why, where the status is not OK
} outcome;

typedef struct gemm {
    encl_bench_session session;
    const settings *chosen;
    encl_trial_options how;
    encl_product *products;
    size_t product_count;
    size_t *order; // of the products
    // Of the device in turn:
    size_t device;
    way ways[ROW_LIMIT + IMPLS];
    size_t way_count;
    const char *tuning; // the library's parameters that were chosen; NULL: none
    double *best_other; // [product_count] ns of the fastest way but the one picked; INFINITY: none yet
    outcome *held;      // [product_count] of what the runtime picks
} gemm;

static const char *way_name(const way *w) {
    return w->by == OWN ? w->row->name : impl_names[w->by];
}

static bool uses(const gemm *g, impl by) {
    return !g->chosen->impl_given || g->chosen->impls[by];
}

// Own kernels of the device's family and the plain one, then the library.
static void list_ways(gemm *g) {
    g->way_count = 0;
    for (size_t i = 0; i < encl_kernel_row_count && uses(g, OWN) && g->way_count < ROW_LIMIT; i++) {
        const encl_kernel_row *row = &encl_kernel_rows[i];
        if (row->op == ENCL_OP_LINEAR && row->format.precision == ENCL_PRECISION_FP32 &&
            (row->family == g->session.families[g->device] || row->family == ENCL_FAMILY_PLAIN)) {
            g->ways[g->way_count++] = (way){.by = OWN, .row = row};
        }
    }
    for (impl by = CLBLAST; by < IMPLS; by++) {
        if (uses(g, by)) {
            g->ways[g->way_count++] = (way){.by = by};
        }
    }
}

static bool is_picked(const gemm *g, const way *w, const encl_product *product) {
    const encl_globals *globals = g->session.call->globals;
    const encl_product_choice choice =
        encl_product_choose(g->session.devices[g->device], globals->gemm, globals->same_bits, product);
    return choice.library ? w->by == CLBLAST : w->by == OWN && w->row == choice.row;
}

// ---- One row ----------------------------------------------------------------------------------------------

static double flops_of(const encl_product *p) {
    return 2.0 * p->m * p->n * p->k;
}

// The table shows product by product what was measured way by way.
static size_t place_of(const gemm *g, const way *w, const encl_product *p) {
    const size_t product = g->device * g->product_count + (size_t)(p - g->products);
    return product * (ROW_LIMIT + IMPLS) + (size_t)(w - g->ways);
}

static encl_status begin_row(gemm *g, const way *w, const encl_product *p) {
    encl_status status = ENCL_OK;
    encl_bench *bench = g->session.bench;
    char shape[64];
    encl_string id = {0};
    snprintf(shape, sizeof shape, "%dx%dx%d", (int)p->m, (int)p->n, (int)p->k);
    ENCL_TRY(encl_string_format(&id, "%s %s%s", way_name(w), shape, g->how.hot ? " hot" : ""));
    ENCL_TRY(encl_bench_row(bench, g->session.devices[g->device], id.text));
    encl_bench_place(bench, place_of(g, w, p));
    encl_bench_text(bench, "kernel", w->by == OWN ? w->row->name : "Sgemm");
    encl_bench_text(bench, "variant", w->by == OWN ? w->row->options : NULL);
    encl_bench_text(bench, "dtype", "f32");
    encl_bench_text(bench, "shape", shape);
    encl_bench_number(bench, "gemm_m", p->m);
    encl_bench_number(bench, "gemm_n", p->n);
    encl_bench_number(bench, "gemm_k", p->k);
    encl_bench_text(bench, "ta", "n");
    encl_bench_text(bench, "tb", "t");
    encl_bench_number(bench, "batch", 1);
    encl_bench_text(bench, "epilogue", w->by == OWN ? "bias" : "none");
    encl_bench_text(bench, "impl", impl_names[w->by]);
    encl_bench_text(bench, "params", w->by == CLBLAST_TUNED ? g->tuning : NULL);
    encl_bench_text(bench, "picked", is_picked(g, w, p) ? "yes" : "no");
cleanup:
    encl_string_free(&id);
    return status;
}

static encl_status measure(const gemm *g, const way *w, const encl_product *p, encl_trial *trial) {
    const encl_device *device = g->session.devices[g->device];
    const encl_check_case check = encl_product_case(p);
    return w->by == OWN ? encl_trial_run(device, w->row, &check, &g->how, trial)
                        : encl_product_run(device, p, &g->how, trial);
}

static void write_trial(gemm *g, const encl_trial *trial) {
    encl_bench *bench = g->session.bench;
    const double wall_ns = trial->times.wall.p50;
    encl_bench_trial(&g->session, g->device, trial);
    encl_bench_number(bench, "wall_p50_us", wall_ns / 1e3);
    encl_bench_number(bench, "event_p50_us",
                      trial->times.timer[0] == 'e' ? trial->times.samples.statistics.p50 / 1e3 : (double)NAN);
}

// The seconds that one call will take at least, judged by those before it; 0: nothing is known. Few rows cannot keep a
// device busy, so a product of more rows may do better, but hardly more than 8 times.
static double expected_seconds(const way *w, const encl_product *p) {
    const double growth = w->fastest_m > 0 ? fmin(8, fmax(1, (double)p->m / w->fastest_m)) : 1;
    return w->fastest > 0 ? flops_of(p) / (w->fastest * growth) / 1e9 : 0;
}

static encl_status skip_long(const gemm *g, const way *w, const encl_product *p, bool *skipped) {
    const double seconds = expected_seconds(w, p);
    const double most = (double)g->how.sampling.most_ns / 1e9;
    *skipped = seconds > most;
    return *skipped
               ? encl_fail(ENCL_TIMEOUT, "a call would take about %.3g s, more than --max-ms, %.3g s", seconds, most)
               : ENCL_OK;
}

static encl_status write_outcome(gemm *g, size_t index, const outcome *o, double best_other) {
    encl_bench *bench = g->session.bench;
    const encl_status status = begin_row(g, o->way, &g->products[index]);
    if (status != ENCL_OK) {
        return status;
    }
    if (o->status == ENCL_OK) {
        const double ns = o->trial.times.samples.statistics.p50;
        write_trial(g, &o->trial);
        if (isfinite(best_other)) {
            encl_bench_number(bench, "gain", best_other / ns);
        }
    } else if (o->skipped) {
        encl_bench_status(bench, "skipped", o->detail);
    } else {
        encl_status_set_detail(o->detail);
    }
    return encl_bench_session_row_end(&g->session, o->skipped ? ENCL_OK : o->status);
}

// A row is written at once, but for that of what the runtime picks: it tells what the pick gains, so it waits for the
// others.
static encl_status run_row(gemm *g, way *w, size_t index) {
    const encl_product *p = &g->products[index];
    outcome o = {.way = w};
    encl_status status = begin_row(g, w, p); // for the progress
    if (status != ENCL_OK) {
        return status;
    }
    o.status = skip_long(g, w, p, &o.skipped);
    if (o.status == ENCL_OK) {
        o.status = w->by == CLBLAST_TUNED && g->tuning == NULL
                       ? encl_fail(ENCL_UNSUPPORTED, "CLBlast works with none of the known sets of parameters")
                       : measure(g, w, p, &o.trial);
    }
    if (o.status == ENCL_INTERRUPTED) {
        return o.status;
    }
    if (o.status == ENCL_OK) {
        const double speed = flops_of(p) / o.trial.times.samples.statistics.p50;
        w->fastest_m = speed > w->fastest ? p->m : w->fastest_m;
        w->fastest = fmax(w->fastest, speed);
    } else {
        snprintf(o.detail, sizeof o.detail, "%s", encl_status_detail());
    }
    if (is_picked(g, w, p)) {
        g->held[index] = o;
        return ENCL_OK;
    }
    if (o.status == ENCL_OK && o.trial.check.passed) {
        g->best_other[index] = fmin(g->best_other[index], o.trial.times.samples.statistics.p50);
    }
    status = write_outcome(g, index, &o, (double)INFINITY);
    encl_trial_free(&o.trial);
    return status;
}

// ---- One device -------------------------------------------------------------------------------------------

// A product in the middle of those that are measured, but not so large that a slow set of parameters takes long.
static const encl_product *product_to_tune_on(const gemm *g) {
    const encl_product *found = &g->products[0];
    for (size_t i = 1; i < g->product_count; i++) {
        const double size = flops_of(&g->products[i]);
        const double best = flops_of(found);
        if (best > tune_flops ? size < best : size > best && size <= tune_flops) {
            found = &g->products[i];
        }
    }
    return found;
}

static encl_status tune(gemm *g) {
    const encl_status status = encl_product_tune(g->session.devices[g->device], product_to_tune_on(g), &g->how.sampling,
                                                 tune_seconds, &g->tuning);
    if (status == ENCL_OK && g->tuning != NULL) {
        encl_info("CLBlast's parameters: %s", g->tuning);
    }
    return status;
}

// What the picks gained, for people.
static encl_status note_gain(gemm *g) {
    double logs = 0;
    size_t count = 0;
    for (size_t i = 0; i < g->product_count; i++) {
        const outcome *o = &g->held[i];
        if (o->way != NULL && o->status == ENCL_OK && isfinite(g->best_other[i])) {
            logs += log(g->best_other[i] / o->trial.times.samples.statistics.p50);
            count++;
        }
    }
    if (count == 0) {
        return ENCL_OK;
    }
    return encl_bench_note(g->session.bench,
                           "%s: a gain of %.3f, the geometric mean over %zu products: the time of the best other row / "
                           "that of the row which the runtime picks",
                           encl_device_get_info(g->session.devices[g->device])->name, exp(logs / (double)count), count);
}

static encl_status write_held(gemm *g, encl_status status) {
    encl_status written = note_gain(g);
    for (size_t i = 0; i < g->product_count; i++) {
        if (g->held[i].way != NULL && written == ENCL_OK) {
            written = write_outcome(g, i, &g->held[i], g->best_other[i]);
        }
        encl_trial_free(&g->held[i].trial);
        g->held[i] = (outcome){0};
    }
    return status != ENCL_OK ? status : written;
}

// The library's defaults before its other parameters, because there is no way back.
static encl_status run_device(gemm *g, size_t device) {
    encl_status status = ENCL_OK;
    g->device = device;
    g->tuning = NULL;
    list_ways(g);
    for (size_t i = 0; i < g->product_count; i++) {
        g->best_other[i] = (double)INFINITY;
    }
    for (size_t w = 0; w < g->way_count && status == ENCL_OK; w++) {
        status = g->ways[w].by == CLBLAST_TUNED ? tune(g) : ENCL_OK;
        for (size_t i = 0; i < g->product_count && status == ENCL_OK; i++) {
            status = run_row(g, &g->ways[w], g->order[i]);
        }
    }
    return write_held(g, status);
}

// ---- The command ------------------------------------------------------------------------------------------

static encl_status list_products(gemm *g) {
    encl_status status = ENCL_OK;
    int32_t nk[LIST_LIMIT][2];
    int64_t *m = NULL;
    size_t m_count = 0;
    size_t nk_count = 0;
    ENCL_TRY(encl_option_integers("--m", g->chosen->m != NULL ? g->chosen->m : default_m, 1, SIZE_LIMIT, &m, &m_count));
    ENCL_TRY(parse_nk(g->chosen->nk != NULL ? g->chosen->nk : default_nk, nk, &nk_count));
    ENCL_TRY(encl_allocate(m_count * nk_count, sizeof *g->products, (void **)&g->products));
    ENCL_TRY(encl_allocate(m_count * nk_count, sizeof *g->best_other, (void **)&g->best_other));
    ENCL_TRY(encl_allocate(m_count * nk_count, sizeof *g->held, (void **)&g->held));
    for (size_t i = 0; i < m_count * nk_count; i++) {
        const int32_t *pair = nk[i / m_count];
        g->products[g->product_count++] = (encl_product){(int32_t)m[i % m_count], pair[0], pair[1]};
    }
    ENCL_TRY(encl_bench_order(g->product_count, encl_bench_seed(&g->chosen->bench), &g->order));
cleanup:
    free(m);
    return status;
}

static encl_status run(encl_call *call) {
    const settings *chosen = call->settings;
    encl_status status = ENCL_OK;
    gemm g = {
        .chosen = chosen,
        .how = {
            .sampling = encl_bench_sampling(&chosen->bench), .hot = chosen->bench.hot, .marked = true, .wall = true}};
    ENCL_TRY(list_products(&g));
    ENCL_TRY(encl_bench_session_open(&chosen->bench, call, ENCL_BENCH_GEMM, &g.session));
    for (size_t i = 0; i < g.session.device_count && status == ENCL_OK; i++) {
        status = run_device(&g, i);
    }
    status = encl_bench_session_close(&g.session, status);
cleanup:
    free(g.products);
    free(g.order);
    free(g.best_other);
    free(g.held);
    return status;
}

const encl_command encl_command_bench_gemm = {
    .name = "bench gemm",
    .summary = "Time matrix products: own kernels and CLBlast",
    .arguments = "",
    .text =
        "Time matrix products by own kernels, by CLBlast as it is and by CLBlast with other parameters, and say which "
        "the runtime picks and what that gains. Both clocks are shown: the device's, between markers, and the host's."
        "\vExample:\n  encl bench gemm --m 1,128 --nk 768x768",
    .options = options,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = run,
};
