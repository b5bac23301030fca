// What the files of `encl bench model` share.
#ifndef ENCL_CLI_BENCH_MODEL_H
#define ENCL_CLI_BENCH_MODEL_H

#include "host/cli/bench/bench.h"
#include "host/cli/random_batch.h"

// What is measured: one packed batch, or a stream of sequences in the batches that a task would make of them.
typedef struct encl_model_case {
    char *name;             // "minilm 8x128"
    bool stream;            // of sequences of many lengths
    bool tokens;            // the result has a row for every token
    int32_t batch, length;  // of a batch
    encl_random_batch made; // its tokens, or all of the stream's
} encl_model_case;

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
