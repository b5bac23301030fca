// Files of shapes for `bench kernels`: which calls are measured. A line is an operator and what it needs as key=value
// words; '#' begins a comment. Strides are those of the runtime.
//
//     linear rows=128 columns=3072 depth=768 activation=gelu
//     attention heads=12 head_size=64 lengths=8x128,1x31
#ifndef ENCL_CLI_BENCH_SHAPES_H
#define ENCL_CLI_BENCH_SHAPES_H

#include "runtime/base/embedded.h"
#include "runtime/op/check.h"

extern const encl_embedded_file encl_shape_files[]; // bench/shapes
extern const size_t encl_shape_file_count;

typedef struct encl_bench_shape {
    encl_operator op;
    encl_check_case check; // lengths and rows belong to the shape
    char *text;            // "rows=128 columns=3072 depth=768 activation=gelu": the line's words, in one order
} encl_bench_shape;

typedef struct encl_bench_shapes {
    encl_bench_shape *shapes;
    size_t count, capacity;
} encl_bench_shapes;

// name: one of those in the binary ("base"), else a file. A line that says what another says is left out. A wrong line
// is FORMAT: "file:line: found …, expected …". On failure *shapes is empty.
encl_status encl_bench_shapes_read(const char *name, encl_bench_shapes *shapes);
void encl_bench_shapes_free(encl_bench_shapes *shapes);

#endif
