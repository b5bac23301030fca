// A graph lowered for one device: steps (one kernel or library call each) over tensors and device weights.
//
// Lowering does, in one walk over the nodes:
//   needed rows   what a head does not read is not computed: token rows shrink to the B first or R listed rows wherever
//                 nothing else is read (needs.h)
//   fusion        activation and residual sum become epilogues of the matrix product before them; projections of one
//                 input become one product
//   selection     the kernel rows of every step, their layouts joined (attention ↔ key panels)
#ifndef ENCL_GRAPH_SCHEDULE_H
#define ENCL_GRAPH_SCHEDULE_H

#include "runtime/graph/graph.h"
#include "runtime/op/kernel.h"

// What a dimension of rows is counted by, at run time and for capacity.
typedef enum encl_count {
    ENCL_COUNT_TOKENS,
    ENCL_COUNT_SEQUENCES,
    ENCL_COUNT_SELECTED,
    ENCL_COUNT_PANELS,
    ENCL_COUNT_BLOCKS_ALL,      // attention work lists: every token row,
    ENCL_COUNT_BLOCKS_FIRST,    // first rows,
    ENCL_COUNT_BLOCKS_SELECTED, // listed rows
    ENCL_COUNTS
} encl_count;

// Arrays that the host makes for every batch.
typedef enum encl_input {
    ENCL_INPUT_IDS,
    ENCL_INPUT_TYPES,
    ENCL_INPUT_POSITIONS,
    ENCL_INPUT_OFFSETS,
    ENCL_INPUT_BEGINS,     // where the pooled tokens of a sequence begin
    ENCL_INPUT_FIRST_ROWS, // first tokens; where only pooling reads them, the first pooled ones
    ENCL_INPUT_SELECTED_ROWS,
    ENCL_INPUT_PANELS,
    ENCL_INPUT_BLOCKS_ALL,
    ENCL_INPUT_BLOCKS_FIRST,
    ENCL_INPUT_BLOCKS_SELECTED,
    ENCL_INPUTS
} encl_input;

typedef enum encl_operand_kind {
    ENCL_OPERAND_NONE,
    ENCL_OPERAND_TENSOR,
    ENCL_OPERAND_WEIGHT,
    ENCL_OPERAND_INPUT
} encl_operand_kind;

typedef struct encl_operand {
    encl_operand_kind kind;
    int32_t index;
} encl_operand;

// An activation tensor in the arena: [count + row padding, width] words of 4 bytes.
typedef struct encl_tensor_plan {
    encl_count count;
    int32_t width; // words from one row to the next: floats, or what QUANTIZE writes; and padding where that speeds
                   // reading
    int32_t first_step, last_step; // the steps between which it must stand
} encl_tensor_plan;

// A weight on the device: graph weights one below the other (Q over K over V), in one layout.
typedef enum encl_weight_layout {
    ENCL_LAYOUT_ROWS,   // as given: tables, vectors, and matrices for CLBlast
    ENCL_LAYOUT_PANELS, // [⌈N/32⌉] panels (encl_panel_words)
} encl_weight_layout;

enum { ENCL_WEIGHT_SOURCES = 3, ENCL_STEP_ROWS = 4, ENCL_ROW_PADDING = 16 };

typedef struct encl_weight_plan {
    encl_weight_layout layout;
    int32_t sources[ENCL_WEIGHT_SOURCES]; // graph weights; -1: zeros (a product without bias)
    int32_t source_count;
    int64_t rows;                // of all sources
    int64_t columns;             // 0: a vector
    int32_t parts;               // most buffers it may lie in
    bool unaligned;              // ROWS: may begin at any float, as encl's own kernels read it
    encl_product_format format;  // PANELS: of the product
    const encl_kernel_row *pack; // PANELS: the row that writes them
} encl_weight_plan;

typedef struct encl_step {
    encl_operator op;
    encl_shape shape; // rows are filled in for every run
    encl_count count; // what shape.rows is
    encl_operand operands[ENCL_OPERATOR_BUFFERS];
    bool library;                                // LINEAR by CLBlast
    const encl_kernel_row *rows[ENCL_STEP_ROWS]; // LINEAR: tile heights, tallest first; else one row
    size_t row_count;
    const char *why[ENCL_STEP_ROWS]; // each of these rows (or at 0 the library) serves, for profiles; the schedule's
    int32_t layer;
} encl_step;

typedef struct encl_schedule {
    encl_step *steps;
    size_t step_count, step_capacity;
    encl_tensor_plan *tensors;
    size_t tensor_count, tensor_capacity;
    encl_weight_plan *weights;
    size_t weight_count, weight_capacity;
    struct {
        int32_t tensor;
        encl_count count;
        int32_t width;
    } * outputs;
    size_t output_count;
    bool inputs[ENCL_INPUTS];  // which arrays the steps read
    int32_t low_products;      // LINEAR steps that do not compute in float32
    bool selects_first;        // a node reads first tokens
    bool pools_first;          // pooling reads first rows without a kernel of its own
    int32_t queries;           // query rows in a block of the attention work lists
    int32_t max_position;      // rows of the position table: the longest sequence; INT32_MAX without one
    int32_t vocabulary, types; // ids and type ids must be below these
    char **texts;              // of steps' whys
    size_t text_count, text_capacity;
} encl_schedule;

typedef struct encl_lowering {
    encl_family family;
    uint32_t float_width;     // of the device's registers, for the width of tiles; 0: unknown
    bool library;             // matrix products in float32 by CLBlast
    bool one_order;           // all rows of a step must share one order id
    encl_precision precision; // of products that are not kept exact
    const bool *exact_layers; // [exact_layer_count] layers whose products are
    size_t exact_layer_count;
    const bool *quarantined; // [encl_kernel_row_count]; NULL: none
    const bool *impossible;  // likewise, of these: what the device does not have the instructions for
    bool family_asked;       // the caller named the family,
    bool gemm_asked;         // the provider of products
} encl_lowering;

encl_status encl_schedule_create(const encl_graph *graph, const encl_lowering *lowering, encl_schedule **schedule);
void encl_schedule_destroy(encl_schedule *schedule);

// Which of a node's rows are read: carried backwards from the outputs. NONE: the node is not computed at all.
typedef enum encl_need { ENCL_NEED_NONE, ENCL_NEED_FIRST, ENCL_NEED_SELECTED, ENCL_NEED_ALL } encl_need;
// needs[node_count] is written.
void encl_needs(const encl_graph *graph, encl_need *needs);

#endif
