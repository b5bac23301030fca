// The rows of kernels/kernels.def, and which of them serve. kernel.h builds and launches one.
#ifndef ENCL_OP_KERNEL_ROW_H
#define ENCL_OP_KERNEL_ROW_H

#include "runtime/device/features.h"
#include "runtime/op/operator.h"

typedef enum encl_family { ENCL_FAMILY_PLAIN, ENCL_FAMILY_TILE, ENCL_FAMILY_GROUP } encl_family;
typedef enum encl_keys { ENCL_KEYS_NONE, ENCL_KEYS_ROWS, ENCL_KEYS_PANELS } encl_keys;
typedef enum encl_axis { ENCL_AXIS_ONE, ENCL_AXIS_ROWS, ENCL_AXIS_COLUMNS, ENCL_AXIS_DEPTH, ENCL_AXIS_HEADS } encl_axis;

typedef struct encl_grid {
    encl_axis axis;
    int32_t block; // of the axis, covered by one work-group
    int32_t local; // work-items of a work-group in this dimension
} encl_grid;

// The formats of a product (LINEAR), or what PACK and QUANTIZE write. Rows of one step agree in all of it. Rows of PACK
// and QUANTIZE take levels, limit and short_words from the shape; theirs are 0.
typedef struct encl_product_format {
    encl_precision precision;
    encl_numbers x;      // what LINEAR reads; anything but FLOATS is made by a QUANTIZE step
    int32_t levels;      // INT8: the largest integer of x that this row's instructions sum without overflow
    int32_t limit;       // INT8: the largest |integer| of a weight, likewise
    int32_t short_words; // INT8: words of weights whose products its instructions add in 16 bits (operator.h)
} encl_product_format;

typedef struct encl_kernel_row {
    const char *name;
    encl_operator op;
    encl_family family;
    int32_t rank;
    const char *file;
    const char *entry;
    const char *options;
    int32_t order;
    encl_keys keys;
    encl_grid grid[2];
    int32_t columns_multiple;
    int32_t head_multiple;
    int32_t head_maximum; // 0: no bound
    encl_product_format format;
    const char *needs; // what the device must have that its compiler does not check: "pocl avx2", …; "": nothing
    int32_t tile_rows; // whose sums a tile holds; else 0
    int32_t tiles;     // of ATTENTION: tiles in an entry of its work list; 0 is 1
} encl_kernel_row;

extern const encl_kernel_row encl_kernel_rows[];
extern const size_t encl_kernel_row_count;
enum { ENCL_KERNEL_ROWS_MOST = 128 }; // as many flags hold all rows

// True where the device has what the row needs.
bool encl_kernel_is_possible(const encl_kernel_row *row, const encl_device *device);
// Marks the rows that are not, so that selection passes them over like quarantined ones; returns how many.
// flags: [encl_kernel_row_count].
size_t encl_kernel_mark_impossible(const encl_device *device, bool *flags);

// Makes a shape of LINEAR, PACK or QUANTIZE one of the row's precision and format; others stay as they are. (What is
// packed and quantized for a product takes the format of its row.)
void encl_kernel_take_format(const encl_kernel_row *row, encl_shape *shape);

// True where the row's domain holds the shape and it computes in the shape's precision.
bool encl_kernel_serves(const encl_kernel_row *row, const encl_shape *shape);

// Rows that serve an operator and shape on a family, best rank first: the family's own, then PLAIN ones. Quarantined
// rows (flags[row index] true; may be NULL) are passed over. Writes at most `capacity`; returns how many there are.
size_t encl_kernel_candidates(encl_operator op, const encl_shape *shape, encl_family family, const bool *quarantined,
                              const encl_kernel_row **rows, size_t capacity);

// True where a tile's sums, and what is multiplied for them, stand in a CPU's vector registers of float_width floats
// (encl_device_info.native_float_width; 0: unknown, everything does). Rows of other families hold nothing there.
bool encl_kernel_fits_registers(const encl_kernel_row *row, uint32_t float_width);

// Columns of the output that a work-group covers, or 0 where it does not go by columns: the tile's width.
int32_t encl_kernel_tile_columns(const encl_kernel_row *row);

// The rows that a step of this operator and shape keeps, best first: one, the best that fits the registers, or the last
// where none does; of LINEAR all tile heights of that row's family, width and format, each by its best row; with
// one_order only those that add in the same order. Writes at most `capacity`; returns how many.
size_t encl_kernel_choose_rows(encl_operator op, const encl_shape *shape, encl_family family, uint32_t float_width,
                               const bool *quarantined, bool one_order, const encl_kernel_row **rows, size_t capacity);

// Of rows that are tile heights of one product, that for M rows of it: fewest padded rows, weighed by the loads of
// weights that the rows of a tile share. One launch does all rows: a second one for the rest would read all weights
// again, which costs as much as some 20 rows. The index in rows; count must not be 0.
size_t encl_kernel_choose_height(const encl_kernel_row *const *rows, size_t count, int32_t m);

// Rows of the output whose sums a tile holds, else those that a work-group covers, or 1.
int32_t encl_kernel_tile_rows(const encl_kernel_row *row);
// The most query rows of an entry in the work list of a row of ATTENTION.
int32_t encl_kernel_block_rows(const encl_kernel_row *row);

// True where the runtime gives matrix products to CLBlast: asked for, or by itself for devices of the group family,
// which has none of its own in float32 yet. CLBlast states no order of summation, so it cannot serve same bits.
bool encl_kernel_prefers_library(encl_gemm gemm, encl_family family, bool same_bits);

// True where a sequence's result must not depend on its batch: asked for, or by itself on CPU devices.
bool encl_kernel_keeps_bits(encl_same_bits same_bits, encl_device_type type);

// "plain", "tile", "group" → family; false for another name.
bool encl_family_parse(const char *name, encl_family *family);
const char *encl_family_name(encl_family family);

// The work-items of a launch in both dimensions, and of a work-group; 0 where there is nothing to launch.
typedef struct encl_launch {
    size_t global[2], local[2];
} encl_launch;
encl_launch encl_kernel_launch(const encl_kernel_row *row, const encl_shape *shape);

#endif
