#include "host/cli/bench/columns.h"

#define TEXT(name, heading) \
    { name, ENCL_BENCH_TEXT, 0, heading }
#define COUNT(name, heading) \
    { name, ENCL_BENCH_COUNT, 0, heading }
#define BYTES(name, heading) \
    { name, ENCL_BENCH_BYTES, 0, heading }
#define REAL(name, digits, heading) \
    { name, ENCL_BENCH_REAL, digits, heading }

// What every kind begins with: which case this is.
#define CASE                                                                                                   \
    TEXT("case_id", "case"), COUNT("device_id", "device"), TEXT("status", "status"), TEXT("reason", "reason"), \
        TEXT("dtype", NULL), TEXT("shape", NULL)

// What statistics say of a launch or run, in microseconds.
#define TIMES                                                                                                          \
    COUNT("n", "n"), COUNT("inner", NULL), COUNT("warmup", NULL), TEXT("stop", NULL), TEXT("timer", "timer"),          \
        REAL("first_us", 3, NULL), REAL("min_us", 3, NULL), REAL("p50_us", 3, "p50 us"), REAL("mean_us", 3, NULL),     \
        REAL("sd_us", 3, NULL), REAL("riqr_pct", 2, "spread %"), REAL("ci_lo_us", 3, NULL), REAL("ci_hi_us", 3, NULL), \
        REAL("p90_us", 3, NULL), REAL("p95_us", 3, NULL), REAL("p99_us", 3, NULL), REAL("max_us", 3, NULL),            \
        COUNT("outliers", NULL)

// How near that is to what the device can do.
#define ROOF                                                                                       \
    COUNT("flops", NULL), BYTES("bytes", NULL), REAL("gflops", 2, "GF/s"), REAL("gbs", 3, "GB/s"), \
        REAL("ai", 3, NULL), REAL("roof_pct", 1, "% roof"), TEXT("bound", "bound")

#define ERRORS REAL("max_abs_err", 9, NULL), REAL("max_rel_err", 9, "max error")

static const encl_bench_column peak_columns[] = {
    CASE,
    TEXT("figure", NULL),
    TEXT("kernel", "kernel"),
    TEXT("variant", "variant"),
    BYTES("buffer_bytes", NULL),
    REAL("value", 3, "value"), // rates of the best sample, times of the median one
    TEXT("unit", "unit"),
    TIMES,
    COUNT("flops", NULL),
    BYTES("moved_bytes", NULL),
    REAL("gflops", 2, NULL), // of the median sample
    REAL("gbs", 3, NULL),
};

static const encl_bench_column kernels_columns[] = {
    CASE,
    TEXT("op", NULL),
    TEXT("kernel", NULL),
    TEXT("variant", NULL),
    TEXT("family", NULL),
    TIMES,
    ROOF,
    ERRORS,
    TEXT("lws", NULL),
    TEXT("gws", NULL),
    BYTES("lmem_bytes", NULL),
    BYTES("pmem_bytes", NULL),
    TEXT("picked", "picked"),    // "yes" where the runtime would choose this row for the shape
    COUNT("rows_checked", NULL), // rows of the output that were held against the reference
    COUNT("buffer_sets", NULL),  // copies of the buffers that launches used in turn
};

static const encl_bench_column gemm_columns[] = {
    CASE,
    TEXT("kernel", "kernel"),
    TEXT("variant", NULL),
    COUNT("gemm_m", NULL), // M, N and K; "n" is the number of samples
    COUNT("gemm_n", NULL),
    COUNT("gemm_k", NULL),
    TEXT("ta", NULL),
    TEXT("tb", NULL),
    COUNT("batch", NULL),
    TEXT("epilogue", NULL),
    TEXT("impl", "impl"),
    TEXT("params", NULL),
    TIMES,
    REAL("wall_p50_us", 3, "wall us"),
    REAL("event_p50_us", 3, NULL),
    ROOF,
    ERRORS,
    TEXT("picked", "picked"),
    REAL("gain", 3, "gain"), // time of the best other row / time of the one picked, of which it stands in the line
    COUNT("rows_checked", NULL),
    COUNT("buffer_sets", NULL),
};

static const encl_bench_column model_columns[] = {
    CASE,
    TEXT("model", NULL),
    TEXT("sha256", NULL),
    TEXT("task", NULL),
    TEXT("gemm", "gemm"),
    TEXT("exact_layers", NULL),
    COUNT("batch", "batch"),
    COUNT("seq", "seq"),
    COUNT("texts", NULL),
    COUNT("real_tokens", "tokens"),
    COUNT("depth", NULL),
    TIMES,
    REAL("tokens_per_s", 3, "tokens/s"),
    REAL("seqs_per_s", 3, "texts/s"),
    REAL("tokenize_us", 3, NULL),
    REAL("h2d_us", 3, NULL),
    REAL("exec_us", 3, NULL),
    REAL("gaps_us", 3, NULL),
    REAL("d2h_us", 3, NULL),
    TEXT("cache", "cache"),
    COUNT("programs", NULL),
    COUNT("programs_from_cache", NULL),
    REAL("open_us", 3, NULL),   // opening the model, once for all cases
    REAL("create_us", 3, NULL), // making the executable: all of the next two, and more
    REAL("build_us", 3, NULL),
    REAL("upload_us", 3, NULL),
    REAL("ready_us", 3, "ready us"),     // create_us + first_us
    COUNT("starts", NULL),               // fresh processes of --start
    REAL("start_us", 3, "start us"),     // median time of a fresh process to its first result
    REAL("cold_start_us", 3, "cold us"), // the same of one process with empty caches
    BYTES("device_bytes", "device memory"),
    BYTES("weight_bytes", NULL),
    BYTES("arena_bytes", NULL),
    BYTES("peak_mem_bytes", "peak memory"),
};

static const encl_bench_column tokenizer_columns[] = {
    CASE,
    TEXT("model", NULL),
    COUNT("texts", "texts"),
    COUNT("real_tokens", "tokens"),
    BYTES("text_bytes", NULL),
    TIMES,
    REAL("tokens_per_s", 3, "tokens/s"),
    REAL("texts_per_s", 3, "texts/s"),
    REAL("bytes_per_s", 3, NULL),
};

static const encl_bench_column compare_columns[] = {
    TEXT("case_id", "case"),  TEXT("device", "device"), TEXT("verdict", "verdict"),  REAL("ratio", 4, "ratio"),
    REAL("ci_lo", 4, "from"), REAL("ci_hi", 4, "to"),   REAL("a_p50_us", 3, "A us"), REAL("b_p50_us", 3, "B us"),
    COUNT("a_n", "A n"),      COUNT("b_n", "B n"),      TEXT("reason", "reason"),
};

static const struct {
    const char *name;
    const encl_bench_column *columns;
    size_t count;
} kinds[] = {
#define KIND(kind, name) [kind] = {#name, name##_columns, sizeof name##_columns / sizeof name##_columns[0]}
    KIND(ENCL_BENCH_PEAK, peak),   KIND(ENCL_BENCH_KERNELS, kernels),     KIND(ENCL_BENCH_GEMM, gemm),
    KIND(ENCL_BENCH_MODEL, model), KIND(ENCL_BENCH_TOKENIZER, tokenizer), KIND(ENCL_BENCH_COMPARE, compare),
#undef KIND
};

const encl_bench_column *encl_bench_columns(encl_bench_kind kind, size_t *count) {
    *count = kinds[kind].count;
    return kinds[kind].columns;
}

const char *encl_bench_kind_name(encl_bench_kind kind) {
    return kinds[kind].name;
}
