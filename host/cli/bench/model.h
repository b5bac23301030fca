// What the files of `encl bench model` share.
#ifndef ENCL_CLI_BENCH_MODEL_H
#define ENCL_CLI_BENCH_MODEL_H

#include "host/cli/bench/bench.h"
#include "host/cli/precision.h"
#include "host/cli/random_batch.h"
#include "runtime/base/hash.h"

enum {
    ENCL_MODEL_POOLINGS = 8,
    ENCL_MODEL_LIST_MOST = 1 << 16, // of --batch and --seq
};

// What the command line says.
typedef struct encl_model_settings {
    encl_bench_options bench;
    const char *shape;       // a comma list; NULL: the model of a path
    const char *batch, *seq; // comma lists
    const char *lengths;
    int64_t depth;
    bool tokens;
    const char *pooling_text;
    encl_pooling pooling[ENCL_MODEL_POOLINGS];
    size_t pooling_count;
    int64_t starts;
    bool once; // this is such a fresh process: run once, say so, end
} encl_model_settings;

typedef struct encl_bench_model {
    const char *path; // NULL for a shape
    const char *name; // the shape's, or the last part of the path
    encl_model *model;
    const encl_model_info *info;
    int64_t open_ns;
    char sha256[ENCL_HASH_TEXT]; // of the weights' file; "" of a shape
} encl_bench_model;

// What is measured: one packed batch, or a stream of sequences in the batches that a task would make of them.
typedef struct encl_model_case {
    const encl_bench_model *model;
    char *name;             // "minilm 8x128"
    bool stream;            // of sequences of many lengths
    bool tokens;            // the result has a row for every token
    int32_t batch, length;  // of a batch
    encl_random_batch made; // its tokens, or all of the stream's
} encl_model_case;

typedef struct encl_model_cases {
    encl_bench_model *models; // [model_count]
    size_t model_count;
    encl_model_case *cases; // [count] model after model
    size_t count, capacity;
    char *names; // of shapes: the list, cut
} encl_model_cases;

// Opens the models of --shape, or that of the path, and makes the cases of each. INVALID, naming the option, where a
// model does not take a length. On a failure *cases is empty.
encl_status encl_model_cases_open(const encl_model_settings *settings, const char *path, encl_model_cases *cases);
void encl_model_cases_close(encl_model_cases *cases); // empty ones are allowed

typedef struct encl_model_figures {
    encl_executable_info info;
    char gemm[16]; // info.gemm points here
    int64_t create_ns;
    encl_samples samples;              // wall time of a run, or of the whole stream
    double h2d, exec, gaps, d2h, wall; // nanoseconds, means of some profiled runs after the samples; NAN of a stream
    double peak_bytes;                 // resident, of this process, while this case ran; NAN: not known
} encl_model_figures;

// Makes the case's executable and samples it. A stream's pipeline takes the graph over and makes it NULL. options:
// capacity is set here. On a failure *figures is empty.
encl_status encl_model_measure(const encl_device *device, encl_graph **graph, const encl_model_case *measured,
                               const encl_executable_options *options, int64_t max_length,
                               const encl_sampling *sampling, encl_model_figures *figures);
void encl_model_figures_free(encl_model_figures *figures);

// Fresh processes that run a case once, for --start, timed from just before their start until they have the first
// result. arguments: argv of each, NULL-terminated. cold_ns: of one whose caches (encl's and those of drivers that can
// be moved) are empty; warm_ns: the median of `starts` more.
encl_status encl_model_start(char *const *arguments, int64_t starts, double *warm_ns, double *cold_ns);
// What such a process prints once it has it.
extern const char encl_model_started[];

#endif
