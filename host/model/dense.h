// What sentence-transformers' modules do to a vector after pooling: Dense, activation(W · x + b), and Normalize.
#ifndef ENCL_MODEL_DENSE_H
#define ENCL_MODEL_DENSE_H

#include "host/checkpoint/checkpoint.h"
#include "runtime/encl.h"

// A Dense module; or, with `module` NULL, a Normalize that more modules follow.
typedef struct encl_dense {
    char *module; // its folder below the model's
    int32_t in, out;
    bool has_bias;
    encl_activation activation;
    // Since encl_dense_open.
    encl_folder *folder;
    encl_checkpoint *checkpoint;
    encl_weight weight, bias;
    char *names[2]; // of these: "2_Dense/linear.weight"
} encl_dense;

// Reads module/config.json, whose in_features must be `in`. UNSUPPORTED names an activation that there is none of. The
// caller frees *dense, also after a failure.
encl_status encl_dense_read(const encl_folder *folder, const char *module, int32_t in, encl_dense *dense);
// Opens the module's weights, linear.weight and linear.bias, in the files that sentence-transformers reads:
// model.safetensors, else pytorch_model.bin. The folder must outlive it.
encl_status encl_dense_open(const encl_folder *folder, encl_dense *dense);
void encl_dense_free(encl_dense *dense); // a zeroed one is allowed

// Adds the module to a graph: *value becomes its output.
encl_status encl_dense_add(const encl_dense *dense, encl_graph *graph, encl_value *value);

#endif
