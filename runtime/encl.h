// encl: encoders on OpenCL. Devices, graphs, executables, events and profiles.
//
// The way of the data: a graph is built once, compiled into an executable for one device, and run on packed
// batches. Models and tokenizers stand one floor higher, in encl_model.h.
//
// Conventions
//   Errors     Every fallible function returns encl_status. Outputs are set to NULL or 0 first and written only
//              on success. encl_status_detail() is a message about this thread's last failure.
//   Ownership  Who creates destroys. A `const` pointer handed out belongs to the object that gave it.
//   Threads    Devices and finished graphs may be shared by threads. An executable and its events are used by one
//              thread at a time. Callbacks (encl_event_on_done) come on a thread of the driver's.
//   Tensors    Row-major float32 unless said otherwise. T tokens, B sequences, R selected rows, H hidden width.
#ifndef ENCL_H
#define ENCL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ENCL_API __attribute__((visibility("default")))
#else
#define ENCL_API
#endif

// ---- Status -----------------------------------------------------------------------------------------------

// X(name, number, text). Numbers are stable.
#define ENCL_STATUS_LIST(X)                     \
    X(OK, 0, "ok")                              \
    X(INVALID, 1, "invalid argument")           \
    X(OUT_OF_MEMORY, 2, "out of host memory")   \
    X(IO, 3, "input or output failed")          \
    X(NOT_FOUND, 4, "not found")                \
    X(FORMAT, 5, "malformed data")              \
    X(UNSUPPORTED, 6, "not supported")          \
    X(NO_DEVICE, 7, "no OpenCL device")         \
    X(DEVICE, 8, "OpenCL call failed")          \
    X(DEVICE_MEMORY, 9, "out of device memory") \
    X(BUILD, 10, "kernel does not build")       \
    X(BUSY, 11, "too many runs in flight")      \
    X(TIMEOUT, 12, "timed out")                 \
    X(NOT_FINITE, 13, "a number is not finite") \
    X(INTERRUPTED, 14, "interrupted")           \
    X(INTERNAL, 15, "internal error")

typedef enum encl_status {
#define ENCL_STATUS_ENUM(name, number, text) ENCL_##name = (number),
    ENCL_STATUS_LIST(ENCL_STATUS_ENUM)
#undef ENCL_STATUS_ENUM
} encl_status;

ENCL_API const char *encl_status_name(encl_status status);    // "OUT_OF_MEMORY"; "?" for no status
ENCL_API const char *encl_status_message(encl_status status); // "out of host memory"
// This thread's last failure: place, found, expected. "" before the first. Valid until the next failure.
ENCL_API const char *encl_status_detail(void);

typedef enum encl_log_level {
    ENCL_LOG_QUIET = 0, // nothing
    ENCL_LOG_ERROR,
    ENCL_LOG_WARNING, // the default
    ENCL_LOG_INFO,
    ENCL_LOG_DEBUG,
} encl_log_level;
// Process-wide; lines go to stderr.
ENCL_API void encl_log_set_level(encl_log_level level);

ENCL_API const char *encl_version(void); // "0.1.0"
ENCL_API const char *encl_commit(void);  // abbreviated commit this was built from, or "unknown"

// ---- Devices ----------------------------------------------------------------------------------------------

typedef struct encl_device encl_device;

typedef enum encl_device_type {
    ENCL_DEVICE_CPU,
    ENCL_DEVICE_GPU,
    ENCL_DEVICE_ACCELERATOR,
} encl_device_type;

// Read once when the devices are listed. Texts live as long as the process. Bytes are bytes.
typedef struct encl_device_info {
    int32_t index; // in the process-wide list
    encl_device_type type;
    const char *platform;
    const char *platform_version;
    const char *name;
    const char *vendor;
    const char *driver;
    const char *opencl_c; // "OpenCL C 1.2 pocl"
    uint32_t vendor_id;
    uint32_t compute_units;
    uint32_t native_float_width; // floats in the device's vector registers, as the driver says
    uint32_t clock_mhz;
    uint64_t global_memory;
    uint64_t max_allocation; // ENCL_MAX_ALLOCATION (bytes) in the environment lowers it, for tests
    uint64_t local_memory;
    uint64_t max_group;      // work-items in a work-group
    uint32_t base_alignment; // of sub-buffers, in bytes
    uint64_t timer_resolution_ns;
    bool unified_memory; // host and device share memory
    bool subgroups;
    bool fp16;
    bool fp64;
    bool int_dot;   // dot products of four bytes, accelerated: cl_khr_integer_dot_product, or dp4a
    bool software;  // a software rasterizer (llvmpipe, softpipe, …)
    bool available; // compiler and device are there
} encl_device_info;

// The devices of every platform, in platform order. The first call asks the drivers; later ones are free.
// No device at all is ENCL_NO_DEVICE with a message that says which packages bring one.
ENCL_API encl_status encl_devices(const encl_device *const **devices, size_t *count);
ENCL_API const encl_device_info *encl_device_get_info(const encl_device *device);

// Chooses devices by a specification: "auto" (or NULL), "all", "cpu", "gpu", "accelerator", an index, part of a
// platform's or device's name (any case), or a comma list of these. `auto` prefers a GPU, then an accelerator,
// then a CPU; within a type software rasterizers come last, then most units × native float width first, then
// platform order. Writes at most `capacity` devices, each once; *count is how many were chosen in all.
ENCL_API encl_status encl_device_select(const char *specification, const encl_device **devices, size_t capacity,
                                        size_t *count);

// ---- Graphs -----------------------------------------------------------------------------------------------

typedef struct encl_graph encl_graph;
typedef int32_t encl_value; // a tensor of the graph; 0 is none

typedef enum encl_activation {
    ENCL_ACTIVATION_NONE,
    ENCL_ACTIVATION_GELU,      // x/2 · (1 + erf(x/√2))                    Hendrycks & Gimpel 2016
    ENCL_ACTIVATION_GELU_TANH, // x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³)))
    ENCL_ACTIVATION_RELU,
    ENCL_ACTIVATION_SILU, // x / (1 + e^−x)
    ENCL_ACTIVATION_TANH,
} encl_activation;

// Over the n tokens of a sequence that the batch does not skip; i = 1, 2, … counts from the sequence's first token.
typedef enum encl_pooling {
    ENCL_POOLING_CLS, // first of them
    ENCL_POOLING_MAX,
    ENCL_POOLING_MEAN,          // Σh / n
    ENCL_POOLING_MEAN_SQRT_LEN, // Σh / √n
    ENCL_POOLING_WEIGHTED_MEAN, // Σ i·h_i / Σ i
    ENCL_POOLING_LAST,          // last token
    ENCL_POOLING_POOLER,        // BERT's pooler, tanh(W h_first + b): a model's, not a mode of encl_graph_pool
} encl_pooling;

typedef enum encl_selection {
    ENCL_SELECT_FIRST,  // the first token of every sequence: B rows
    ENCL_SELECT_LISTED, // the rows that the batch lists: R rows
} encl_selection;

// A weight: a name for messages, a shape (columns = 0 for a vector of `rows`), and where its numbers come from.
// `read` writes rows [row, row + count) as float32; it is called while an executable is made, from one thread at
// a time, and must work as long as the graph is used for making executables. `values` are the same numbers where they
// lie in memory, row after row, at any address that a float may have: a large table is then not copied for a CPU
// device. They must stay as they are as long as the graph and the executables that were made of it. NULL: only `read`
// has them.
typedef struct encl_weight {
    const char *name; // copied
    int64_t rows;
    int64_t columns;
    encl_status (*read)(void *context, int64_t row, int64_t count, float *destination);
    void *context;
    const float *values;
} encl_weight;

ENCL_API encl_status encl_graph_create(encl_graph **graph);
ENCL_API void encl_graph_destroy(encl_graph *graph);

// Nodes. Each adds one node and gives its value. A wrong shape is ENCL_INVALID naming the node.
// word[ids] + position[token − sequence start] + type[types], then LayerNorm: [T, H].
ENCL_API encl_status encl_graph_embed(encl_graph *graph, const encl_weight *word, const encl_weight *position,
                                      const encl_weight *type, const encl_weight *gamma, const encl_weight *beta,
                                      float epsilon, encl_value *value);
// x · Wᵀ + b; weight [N, K] as PyTorch stores it, bias [N] or NULL.
ENCL_API encl_status encl_graph_linear(encl_graph *graph, encl_value x, const encl_weight *weight,
                                       const encl_weight *bias, encl_value *value);
ENCL_API encl_status encl_graph_activation(encl_graph *graph, encl_value x, encl_activation activation,
                                           encl_value *value);
ENCL_API encl_status encl_graph_add(encl_graph *graph, encl_value a, encl_value b, encl_value *value);
// (x − mean)/√(variance + ε) · γ + β over the row (Ba, Kiros & Hinton 2016, equations 3 and 4).
ENCL_API encl_status encl_graph_layer_norm(encl_graph *graph, encl_value x, const encl_weight *gamma,
                                           const encl_weight *beta, float epsilon, encl_value *value);
// softmax(QKᵀ/√d)·V within each sequence and head (Vaswani et al. 2017, equation 1). q, k, v: [T, heads · d]. So far k
// and v must be linear values of one input that nothing else reads; else making an executable is UNSUPPORTED.
ENCL_API encl_status encl_graph_attention(encl_graph *graph, encl_value q, encl_value k, encl_value v, int32_t heads,
                                          encl_value *value);
// Rows of x [T, H]: [B, H] or [R, H].
ENCL_API encl_status encl_graph_select(encl_graph *graph, encl_value x, encl_selection selection, encl_value *value);
// One row a sequence from x [T, H]; several modes stand side by side: [B, modes · H].
ENCL_API encl_status encl_graph_pool(encl_graph *graph, encl_value x, const encl_pooling *modes, size_t count,
                                     encl_value *value);
// Rows divided by max(‖row‖₂, 1e-12).
ENCL_API encl_status encl_graph_normalize(encl_graph *graph, encl_value x, encl_value *value);
// The k largest of every row of x [M, N], found on the device in parts so that a wide row need not be read back: rows
// of M stay, their columns are for encl_top_k_merge alone. k: 1 … ENCL_TOP_K_MOST; N: at most 2^24.
enum { ENCL_TOP_K_MOST = 64 };
ENCL_API encl_status encl_graph_top_k(encl_graph *graph, encl_value x, int32_t k, encl_value *value);
// What a row of that output says of a row of x: indices[k] and values[k] of its largest columns, falling, of equal ones
// the lower index first, and log Σ e^x over the whole row (NULL: not wanted), so that the softmax of a value is
// e^(value − log_sum_exp). NaN and −∞ are never among the k; where fewer are left, indices are −1 and values −∞. A NaN
// or +∞ in the row makes log_sum_exp NaN. columns is the output's, k the node's; INVALID where they do not agree.
// Needs no device; from any thread.
ENCL_API encl_status encl_top_k_merge(const float *row, int64_t columns, int32_t k, int32_t *indices, float *values,
                                      double *log_sum_exp);

// The group that following nodes belong to in profiles: 0 before the layers, 1 … L, L + 1 after them.
ENCL_API void encl_graph_set_layer(encl_graph *graph, int32_t layer);
// Linear nodes that are added from here on compute in float32 whatever the executable's precision, until it is called
// with false. Heads want that: they are small, and their errors are the answer's.
ENCL_API void encl_graph_keep_exact(encl_graph *graph, bool exact);
// Marks a value to be read back. Outputs are numbered from 0 in the order of these calls.
ENCL_API encl_status encl_graph_output(encl_graph *graph, encl_value value);

// ---- Executables ------------------------------------------------------------------------------------------

typedef struct encl_executable encl_executable;
typedef struct encl_event encl_event;
typedef struct encl_profile_record encl_profile_record;
typedef struct encl_run_profile encl_run_profile;

// The most that one run takes; 0 means the default, which is less where the device's memory asks for it.
typedef struct encl_capacity {
    int32_t tokens;    // default 16,384, on CPU devices 1,024, at least the longest sequence
    int32_t sequences; // default tokens / 8, rounded up
    int32_t selected;  // default 1,024
    int32_t panels;    // blocks of 32 keys that sequences fill: Σ ⌈length / 32⌉; default tokens/32 + sequences
} encl_capacity;

typedef enum encl_gemm {
    ENCL_GEMM_AUTO, // own tiles on CPU devices, CLBlast on GPUs that have no better row
    ENCL_GEMM_TILE, // own kernels only
    ENCL_GEMM_CLBLAST,
} encl_gemm;

// What matrix products compute in. Sums, biases, activations, residuals, LayerNorm, softmax and all that is not a
// product stay float32.
typedef enum encl_precision {
    ENCL_PRECISION_FP32,
    ENCL_PRECISION_BF16, // weights in bfloat16; activations rounded to it where the device multiplies in it
    ENCL_PRECISION_INT8, // weights in integers with a scale an output column, activations with a scale a row
} encl_precision;
ENCL_API const char *encl_precision_name(encl_precision precision);              // "bf16"
ENCL_API bool encl_precision_parse(const char *name, encl_precision *precision); // false for another name

typedef enum encl_same_bits {
    ENCL_SAME_BITS_AUTO, // on for CPU devices, off for others
    ENCL_SAME_BITS_ON,   // a sequence's result does not depend on what else is in the batch
    ENCL_SAME_BITS_OFF,
} encl_same_bits;

typedef struct encl_executable_options {
    encl_capacity capacity;
    encl_gemm gemm;
    encl_same_bits same_bits;
    encl_precision precision; // of the matrix products of nodes that are not kept exact (encl_graph_keep_exact)
    // [exact_layer_count] by number (encl_graph_set_layer): true keeps the products of that layer in float32; layers
    // beyond are not kept. NULL: none. Read until the executable is made; tasks keep a copy.
    const bool *exact_layers;
    size_t exact_layer_count;
    int32_t depth;      // runs in flight, 1 or 2; 0 means 2
    const char *family; // only rows of this kernel family ("plain", "tile", "group"); NULL: the device's
    // Not NULL: every run is profiled (see encl_executable_run) and told to this function before it is over; a failure
    // of it is the run's. On the thread that calls encl_executable_run; the profile is valid until it returns.
    encl_status (*on_profile)(void *context, const encl_executable *executable, const encl_run_profile *profile);
    void *on_profile_context;
} encl_executable_options;

enum { ENCL_EXACT_LAYERS_TEXT = 256 };
typedef struct encl_executable_info {
    encl_capacity capacity;
    size_t outputs;
    size_t nodes;            // steps of a run
    uint64_t weight_bytes;   // on the device
    uint64_t arena_bytes;    // activations, with reuse
    uint64_t unshared_bytes; // the same without reuse
    size_t arena_slabs;      // buffers it consists of
    const char *gemm;        // provider of the matrix products: "tile", "plain", "clblast"; "none"
    bool same_bits;
    encl_precision precision;                  // of the products that are not kept exact
    int32_t low_products;                      // how many steps compute in it; 0 for FP32
    char exact_layers[ENCL_EXACT_LAYERS_TEXT]; // layers that are kept exact beside it, "3,7"; "" where none is
    int64_t build_ns;                          // programs: compiling or loading
    int64_t upload_ns;                         // weights
    int32_t programs;
    int32_t programs_from_cache;
    int32_t quarantined;   // kernel rows that failed here, so that the next ones serve
    int64_t created_ns;    // host clock of profiles: when making it began
    uint64_t device_bytes; // all buffers: weights, arena, inputs, scratch
} encl_executable_info;

// Compiles a graph for a device: chooses kernels, uploads weights, plans memory, builds and warms programs.
// options may be NULL. The graph is not needed afterwards. Kernels that do not work here, and a default capacity that
// the device has no memory for, cost a warning where something else serves.
ENCL_API encl_status encl_executable_create(const encl_device *device, const encl_graph *graph,
                                            const encl_executable_options *options, encl_executable **executable);
// Waits for runs in flight, then frees. Events must have been released before.
ENCL_API void encl_executable_destroy(encl_executable *executable);
ENCL_API const encl_executable_info *encl_executable_get_info(const encl_executable *executable);

// A packed batch: sequences one after the other, no padding.
typedef struct encl_batch {
    int32_t tokens;         // T
    int32_t sequences;      // B; a sequence has at least one token
    int32_t selected;       // R
    const int32_t *ids;     // [T]
    const int32_t *types;   // [T], NULL: all 0
    const int32_t *offsets; // [B + 1], offsets[0] = 0, offsets[B] = T
    const int32_t *rows;    // [R] token rows, ascending; NULL when R = 0
    // [B] tokens at the beginning of each sequence that encl_graph_pool leaves out, fewer than it has; NULL: none.
    // INVALID for a graph that has ENCL_SELECT_FIRST beside pooling of ENCL_POOLING_CLS alone.
    const int32_t *skips;
} encl_batch;

// Checks and copies the inputs, starts the run and returns at once. ENCL_BUSY when `depth` runs are in flight
// (an event counts until it is released). profile: time every command (needs a queue of its own; waits for runs
// in flight, and finishes before it returns).
ENCL_API encl_status encl_executable_run(encl_executable *executable, const encl_batch *batch, bool profile,
                                         encl_event **event);

// Waits at most timeout_ns (negative: for ever). ENCL_TIMEOUT, or the run's own status.
ENCL_API encl_status encl_event_wait(encl_event *event, int64_t timeout_ns);
ENCL_API bool encl_event_poll(encl_event *event); // true when the run is over
// Calls done(context, status) once when the run is over, at once if it is already. One an event: a second is INVALID. A
// release waits for its return, so done must not release the event.
ENCL_API encl_status encl_event_on_done(encl_event *event, void (*done)(void *context, encl_status status),
                                        void *context);
// After a successful wait: output `index`, [rows, columns], valid until the event is released.
ENCL_API encl_status encl_event_output(encl_event *event, size_t index, const float **data, int64_t *rows,
                                       int64_t *columns);
ENCL_API void encl_event_release(encl_event *event); // waits for the run

// ---- Packed weights ----------------------------------------------------------------------------------------

// The weights as they lie on the device, for a store. A key names the layout, the numbers and the sources, "panels[32]
// fp32: encoder.layer.0.attention.self.query.weight+…": what has one key serves alike, whichever device made it (the
// same bytes, but for int8, whose scales are not found in one way everywhere). NULL and 0 beyond the last. Keys live as
// long as the executable; some may be there twice.
ENCL_API size_t encl_executable_weight_count(const encl_executable *executable);
ENCL_API const char *encl_executable_weight_key(const encl_executable *executable, size_t index);
ENCL_API uint64_t encl_executable_weight_bytes(const encl_executable *executable, size_t index);
// Copies bytes [offset, offset + bytes). Waits for runs in flight.
ENCL_API encl_status encl_executable_weight_read(const encl_executable *executable, size_t index, uint64_t offset,
                                                 uint64_t bytes, void *destination);

// Weights in the layouts of a device, which were read back from an executable (encl_executable_weight_read).
typedef struct encl_weight_store {
    // Gives the bytes of a weight by its key; where there is none, UNSUPPORTED says what there is. They begin on a page
    // of 4 KiB and must stay as they are as long as an executable that was made with them: on CPU devices its buffers
    // are these bytes. Called while executables are made, from one thread at a time.
    encl_status (*find)(void *context, const char *key, const void **data, uint64_t *bytes);
    void *context;
    // What the executable that they are of was made with (encl_executable_options).
    encl_precision precision;
    const bool *exact_layers; // [exact_layer_count], as long as executables are made
    size_t exact_layer_count;
} encl_weight_store;
// Executables take all weights of the graph from the store, and compute in its precision; options that name another one
// but FP32 are INVALID. No weight's read() is called.
ENCL_API void encl_graph_use_store(encl_graph *graph, const encl_weight_store *store);

// ---- Profiles ---------------------------------------------------------------------------------------------

// One command of a profiled run. queued … end are by the device's clock, enqueue_… by the host's (encl_host_clock_ns);
// all in nanoseconds. Texts live as long as the executable.
struct encl_profile_record {
    int32_t layer;                // see encl_graph_set_layer
    const char *op;               // operator: "linear", "attention", …, "upload", "download"
    const char *kernel;           // kernel row or provider
    const char *why;              // why this row: "best of 2 rows", "only row", …; "" for copies
    const char *fused;            // what else the command does: "bias+gelu", "bias+residual"; "" nothing
    int32_t rows, columns, depth; // of a matrix product M, N, K; else rows and columns (depth 0)
    encl_precision precision;     // of a matrix product, and of what makes its operand; FP32 of all else
    int64_t queued_ns, submit_ns, start_ns, end_ns;
    int64_t enqueue_begin_ns, enqueue_end_ns; // around the call that enqueued it
    double flops;                             // floating-point operations, multiply and add counted apart
    double bytes;                             // each tensor once
};

// A profiled run: its commands in the order they ran.
struct encl_run_profile {
    const encl_profile_record *records;
    size_t count;
    int64_t begin_ns, end_ns; // host's clock: encl_executable_run was called, the last output was read back
    int32_t tokens, sequences, selected;
};

// The host's clock of profiles: CLOCK_MONOTONIC_RAW. From any thread.
ENCL_API int64_t encl_host_clock_ns(void);

// After a successful wait on a profiled run; INVALID for any other. Valid until the event is released.
ENCL_API encl_status encl_event_profile(encl_event *event, const encl_run_profile **profile);

#ifdef __cplusplus
}
#endif

#endif
