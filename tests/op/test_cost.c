// What operators cost: operations and bytes that are counted by hand.
#include "runtime/op/operator.h"
#include "test.h"

typedef struct cost_row {
    encl_operator op;
    encl_shape shape;
    encl_operator_work work;
    double flops, floats; // of 4 bytes that are read and written
} cost_row;

static const cost_row rows[] = {
    {ENCL_OP_LINEAR, {.rows = 3, .columns = 5, .depth = 7}, {0}, 2 * 3 * 5 * 7, 3 * 7 + 5 * 7 + 5 + 3 * 5},
    {ENCL_OP_LINEAR,
     {.rows = 5, .first_row = 2, .columns = 5, .depth = 7, .residual = true},
     {0},
     2 * 3 * 5 * 7,
     3 * 7 + 5 * 7 + 5 + 2 * 3 * 5},
    {ENCL_OP_EPILOGUE, {.rows = 3, .columns = 5}, {0}, 15, 15 + 5 + 15},
    {ENCL_OP_EPILOGUE,
     {.rows = 3, .columns = 5, .residual = true, .activation = ENCL_ACTIVATION_GELU},
     {0},
     15 * 11,
     3 * 15 + 5},
    {ENCL_OP_LAYER_NORM, {.rows = 1, .columns = 8}, {0}, 56, 8 + 2 * 8 + 8},
    // Sequences of 2 and 3 tokens: every token asks, then the first of each.
    {ENCL_OP_ATTENTION,
     {.rows = 2, .heads = 2, .head_size = 4},
     {.tokens = 5, .queries = 5, .pairs = 13},
     13 * (4 * 8 + 5 * 2),
     4 * 5 * 8},
    {ENCL_OP_ATTENTION,
     {.rows = 2, .heads = 2, .head_size = 4},
     {.tokens = 5, .queries = 2, .pairs = 5},
     5 * (4 * 8 + 5 * 2),
     2 * 2 * 8 + 2 * 5 * 8},
    {ENCL_OP_KEYS, {.rows = 2, .heads = 2, .head_size = 4}, {.tokens = 5}, 0, 5 * 8 + 2 * 32 * 8},
    {ENCL_OP_POOL, {.rows = 2, .columns = 8, .pooling = ENCL_POOLING_MEAN}, {.tokens = 5}, 0, 5 * 8 + 2 * 8},
    {ENCL_OP_POOL, {.rows = 2, .columns = 8, .pooling = ENCL_POOLING_CLS}, {.tokens = 5}, 0, 2 * 8 + 2 * 8},
    {ENCL_OP_GATHER, {.rows = 3, .columns = 5}, {0}, 0, 15 + 3 + 15},
    {ENCL_OP_NORMALIZE, {.rows = 3, .columns = 5}, {0}, 45, 30},
    {ENCL_OP_PACK, {.rows = 3, .depth = 5}, {0}, 0, 30},
    {ENCL_OP_PACK, {.rows = 3, .depth = 5, .precision = ENCL_PRECISION_BF16}, {0}, 0, 3 * 5 + 3 * 3},
    {ENCL_OP_PACK, {.rows = 3, .depth = 5, .precision = ENCL_PRECISION_INT8}, {0}, 0, 3 * 5 + 3 * (2 + 2)},
    {ENCL_OP_QUANTIZE, {.rows = 3, .columns = 5, .precision = ENCL_PRECISION_BF16}, {0}, 0, 3 * 5 + 3 * 3},
    {ENCL_OP_QUANTIZE, {.rows = 3, .columns = 5, .precision = ENCL_PRECISION_INT8}, {0}, 0, 3 * 5 + 3 * (16 + 2)},
    {ENCL_OP_LINEAR,
     {.rows = 3, .columns = 5, .depth = 7, .precision = ENCL_PRECISION_BF16},
     {0},
     2 * 3 * 5 * 7,
     3 * 7 + 5 * 4 + 5 + 3 * 5},
    {ENCL_OP_LINEAR,
     {.rows = 3, .columns = 5, .depth = 7, .precision = ENCL_PRECISION_INT8, .x = ENCL_NUMBERS_INT8},
     {0},
     2 * 3 * 5 * 7,
     3 * (16 + 2) + 5 * (2 + 2) + 5 + 3 * 5},
};

static void test_cost(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double flops = -1;
        double bytes = -1;
        encl_operator_cost(rows[i].op, &rows[i].shape, &rows[i].work, &flops, &bytes);
        if (flops != rows[i].flops || bytes != 4 * rows[i].floats) {
            fail_msg("row %zu, %s: found %g operations and %g bytes, expected %g and %g", i,
                     encl_operator_name(rows[i].op), flops, bytes, rows[i].flops, 4 * rows[i].floats);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
