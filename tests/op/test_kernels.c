// Every row of kernels.def on every device present, against the C reference.
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/op/check.h"
#include "runtime/op/kernel.h"

static const int32_t lengths_mixed[] = {1, 31, 32, 33, 7, 64, 12, 13};
static const int32_t lengths_long[] = {5, 513, 1030};
static const int32_t lengths_one[] = {1};
static const int32_t lengths_middle[] = {70, 1, 97};
static const int32_t rows_some[] = {0, 1, 5, 31, 40, 63, 64, 65, 66, 100, 150, 180, 192};
static const int32_t rows_long[] = {0, 4, 5, 6, 37, 38, 260, 516, 517, 518, 519, 1030, 1541, 1546, 1547};

typedef struct list {
    const int32_t *lengths;
    int32_t sequences;
    const int32_t *rows;
    int32_t row_count;
} list;
static const list lists[] = {
    {lengths_mixed, 8, NULL, 0},      {lengths_mixed, 8, rows_some, 13}, {lengths_middle, 3, NULL, 0},
    {lengths_long, 3, rows_long, 15}, // few rows: the reference takes a thousand keys for each
    {lengths_one, 1, NULL, 0},
};

static int failures;
static int checks;

static void check(const encl_device *device, const encl_kernel *kernel, const encl_check_case *test) {
    encl_check_result result;
    const encl_status status = encl_check_kernel(device, kernel, test, &result);
    checks++;
    if (status != ENCL_OK || !result.passed) {
        failures++;
        const encl_shape *s = &test->shape;
        print_error("%s on %s: rows %d columns %d depth %d heads %d × %d: %s, error %g > %g at %lld\n",
                    kernel->row->name, encl_device_get_info(device)->name, s->rows, s->columns, s->depth, s->heads,
                    s->head_size, status != ENCL_OK ? encl_status_detail() : result.reason, result.max_error,
                    result.tolerance, (long long)result.where);
    }
}

static void open_or_fail(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                         encl_kernel *kernel) {
    if (encl_kernel_open(device, row, shape, kernel) != ENCL_OK) {
        fail_msg("%s: %s", row->name, encl_status_detail());
    }
}

static int32_t words_of_x(const encl_shape *product) {
    return product->x == ENCL_NUMBERS_FLOATS ? product->depth
                                             : encl_quantized_words(product->precision, product->depth);
}

// Formats of int8 as there are rows, and others.
static void take_integers(encl_shape *shape, size_t i) {
    static const int32_t formats[][3] = {{255, 127, 0}, {255, 127, 2}, {255, 63, 1}, {127, 127, 4}, {181, 45, 2}};
    const int32_t *format = formats[i % (sizeof formats / sizeof formats[0])];
    if (shape->precision == ENCL_PRECISION_INT8) {
        shape->levels = format[0];
        shape->limit = format[1];
        shape->short_words = format[2];
    }
}

// Row counts around every tile edge; model widths and primes.
// Chunks of a weight as they are uploaded: whole panels with and without a tail, from the beginning of a panel or not.
static void check_whole_panels(const encl_device *device, const encl_kernel *kernel, encl_shape shape) {
    static const int32_t rows[] = {32, 64, 75};
    static const int32_t depths[] = {16, 64, 100, 128, 312};
    static const int32_t first_rows[] = {0, 32, 12};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
            encl_check_case test = {.shape = shape, .seed = 11 * i + j};
            test.shape.rows = rows[j];
            test.shape.depth = depths[i];
            test.shape.first_column = first_rows[(i + j) % (sizeof first_rows / sizeof first_rows[0])];
            check(device, kernel, &test);
        }
    }
}

// More rows than a work-item computes, and than there are in a block of the walk over them (walk.h), with tails.
static void check_many_rows(const encl_device *device, const encl_kernel *kernel, const encl_shape *shape) {
    static const int32_t rows[] = {49, 97, 144, 191, 193, 401};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_check_case test = {.shape = *shape, .seed = 23 * i};
        test.shape.rows = rows[i];
        test.shape.first_row = i % 2 == 1 ? 3 : 0;
        test.shape.columns = i % 3 == 0 ? 33 : 64;
        test.shape.depth = i % 2 == 0 ? 40 : 200;
        encl_kernel_take_format(kernel->row, &test.shape);
        if (encl_kernel_serves(kernel->row, &test.shape)) {
            check(device, kernel, &test);
        }
    }
}

static void check_dense(const encl_device *device, const encl_kernel_row *row, encl_shape shape, bool heavy) {
    static const int32_t rows[] = {1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 23, 25};
    static const int32_t columns[] = {1, 16, 31, 32, 33, 48, 96, 312, 384};
    static const int32_t depths[] = {1, 7, 32, 100, 384};
    encl_kernel kernel;
    open_or_fail(device, row, &shape, &kernel);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
            encl_check_case test = {.shape = shape, .seed = 7 * i + j};
            test.shape.columns = columns[i];
            test.shape.rows = rows[j];
            test.shape.depth = depths[(i + j) % (sizeof depths / sizeof depths[0])];
            encl_kernel_take_format(row, &test.shape);
            if (row->op == ENCL_OP_LINEAR) {
                test.shape.first_row = j % 3 == 2 ? rows[j] / 2 : 0;
                test.shape.first_column = i % 2 == 1 ? 64 : 0;
                test.shape.x_stride = words_of_x(&test.shape) + (i % 3 == 1 ? 16 : 0);
                test.shape.out_stride = test.shape.first_column + columns[i] + (j % 2 == 1 ? 5 : 0);
            } else if (row->op == ENCL_OP_PACK) {
                test.shape.first_column = (int32_t)(5 * i);
                take_integers(&test.shape, i + j);
            } else if (row->op == ENCL_OP_QUANTIZE) {
                test.shape.x_stride = columns[i] + (int32_t)(i % 3);
                test.shape.out_stride = encl_quantized_words(test.shape.precision, columns[i]) + (j % 2 == 1 ? 5 : 0);
                take_integers(&test.shape, i + j);
            }
            if (encl_kernel_serves(row, &test.shape) && (heavy || (i + j) % 3 == 0)) {
                check(device, &kernel, &test);
            }
        }
    }
    if (row->op == ENCL_OP_LINEAR && heavy) {
        encl_check_case test = {.shape = shape, .seed = 99};
        test.shape.rows = 20;
        test.shape.columns = 64;
        test.shape.depth = 3072;
        encl_kernel_take_format(row, &test.shape);
        check(device, &kernel, &test);
        check_many_rows(device, &kernel, &shape);
    }
    if (row->op == ENCL_OP_PACK) {
        check_whole_panels(device, &kernel, shape);
    }
    encl_kernel_close(&kernel);
}

static void check_sequences(const encl_device *device, const encl_kernel_row *row, encl_shape shape) {
    encl_kernel kernel;
    open_or_fail(device, row, &shape, &kernel);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const encl_check_case test = {.shape = shape,
                                      .lengths = lists[i].lengths,
                                      .sequences = lists[i].sequences,
                                      .rows = row->op == ENCL_OP_ATTENTION ? lists[i].rows : NULL,
                                      .row_count = lists[i].row_count,
                                      .seed = i};
        check(device, &kernel, &test);
    }
    encl_kernel_close(&kernel);
}

// Segments of every length, more kept than a segment or the row holds.
static void check_top_k(const encl_device *device, const encl_kernel_row *row, int32_t k) {
    static const int32_t columns[] = {1, 15, 16, 17, 63, 511, 512, 513, 529, 1024, 1100, 8193};
    const encl_shape shape = {.top_k = k};
    encl_kernel kernel;
    open_or_fail(device, row, &shape, &kernel);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        encl_check_case test = {.shape = shape, .seed = i};
        test.shape.columns = columns[i];
        test.shape.rows = (int32_t)(i % 3 + 1);
        check(device, &kernel, &test);
    }
    encl_kernel_close(&kernel);
}

static void check_row(const encl_device *device, const encl_kernel_row *row) {
    encl_shape shape = {.epsilon = 1e-12f};
    const bool heavy = strcmp(encl_device_family(device), "tile") == 0;
    switch (row->op) {
    case ENCL_OP_LINEAR:
    case ENCL_OP_EPILOGUE:
        for (int activation = ENCL_ACTIVATION_NONE; activation <= ENCL_ACTIVATION_TANH; activation++) {
            // One tile height carries all activations; the others share their code.
            const bool all = row->rank <= 1;
            if (all || activation <= ENCL_ACTIVATION_GELU) {
                shape.activation = (encl_activation)activation;
                shape.residual = activation == ENCL_ACTIVATION_NONE;
                check_dense(device, row, shape, heavy);
            }
        }
        break;
    case ENCL_OP_ATTENTION:
    case ENCL_OP_KEYS: {
        static const int32_t sizes[] = {64, 32, 16, 26, 128};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            shape.heads = 2;
            shape.head_size = sizes[i];
            if (encl_kernel_serves(row, &shape) && (heavy || i < 3)) {
                check_sequences(device, row, shape);
            }
        }
        break;
    }
    case ENCL_OP_POOL:
        for (int pooling = ENCL_POOLING_CLS; pooling <= ENCL_POOLING_LAST; pooling++) {
            shape.pooling = (encl_pooling)pooling;
            shape.columns = 37;
            check_sequences(device, row, shape);
        }
        break;
    case ENCL_OP_TOP_K: {
        static const int32_t kept[] = {1, 2, 5, 10, 63, ENCL_TOP_K_MOST};
        for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
            check_top_k(device, row, kept[i]);
        }
        break;
    }
    default:
        check_dense(device, row, shape, heavy);
        break;
    }
}

// ---- Quantizing -------------------------------------------------------------------------------------------

// What is not finite stays visible, in its own row only, and what is very small is nothing.
static void quantize_rows(const encl_device *device) {
    enum { ROWS = 6, COLUMNS = 21, WORDS = ENCL_QUANTIZED_HEAD + 6 };
    static const float odd[ROWS] = {1.5f, NAN, INFINITY, -INFINITY, 1e-35f, 3e38f};
    encl_shape shape = {.rows = ROWS, .columns = COLUMNS, .x_stride = COLUMNS, .out_stride = WORDS, .levels = 255};
    encl_family family = ENCL_FAMILY_PLAIN;
    const encl_kernel_row *rows[8];
    (void)encl_family_parse(encl_device_family(device), &family);
    shape.precision = ENCL_PRECISION_INT8;
    const size_t count = encl_kernel_candidates(ENCL_OP_QUANTIZE, &shape, family, NULL, rows, 8);
    assert_ok(encl_device_acquire(device));
    for (size_t i = 0; i < count; i++) {
        float x[(ROWS + 16) * COLUMNS] = {0};
        uint32_t out[ROWS * WORDS];
        encl_kernel kernel;
        encl_buffer buffers[2];
        for (int m = 0; m < ROWS; m++) {
            for (int k = 0; k < COLUMNS; k++) {
                x[m * COLUMNS + k] = m == 4 ? 0.0f : (float)(k - 7) / 8;
            }
            x[m * COLUMNS + 19] = odd[m];
        }
        x[5 * COLUMNS + 3] = -3e38f; // the difference is not finite either
        open_or_fail(device, rows[i], &shape, &kernel);
        assert_ok(encl_buffer_create(device, sizeof x, &buffers[0]));
        assert_ok(encl_buffer_create(device, sizeof out, &buffers[1]));
        assert_ok(encl_queue_write(encl_device_queue(device), buffers[0], 0, sizeof x, x, NULL));
        assert_ok(encl_kernel_enqueue(&kernel, encl_device_queue(device), &shape, buffers, NULL));
        assert_ok(encl_queue_read(encl_device_queue(device), buffers[1], 0, sizeof out, out, NULL));
        assert_ok(encl_queue_finish(encl_device_queue(device)));
        for (int m = 0; m < ROWS; m++) {
            float scale;
            memcpy(&scale, &out[m * WORDS], sizeof scale);
            if (m == 0) {
                assert_true(scale > 0);
            } else if (m == 4) {
                assert_true(scale == 0);
            } else {
                assert_true(isnan(scale));
            }
            for (int k = ENCL_QUANTIZED_HEAD; m != 0 && k < WORDS; k++) {
                assert_int_equal(out[m * WORDS + k], 0);
            }
        }
        encl_buffer_release(buffers[0]);
        encl_buffer_release(buffers[1]);
        encl_kernel_close(&kernel);
    }
    assert_true(count > 0);
    encl_device_release(device);
}

static void test_rows_that_are_not_finite(void **state) {
    (void)state;
    encl_test_on_devices(quantize_rows);
}

// ---- Every row --------------------------------------------------------------------------------------------

static void test_every_row_on_every_device(void **state) {
    (void)state;
    const encl_device *const *devices;
    size_t count;
    if (encl_devices(&devices, &count) != ENCL_OK) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    for (size_t d = 0; d < count; d++) {
        if (!encl_test_usable(devices[d])) {
            continue;
        }
        assert_int_equal(encl_device_acquire(devices[d]), ENCL_OK);
        for (size_t i = 0; i < encl_kernel_row_count; i++) {
            // The tile family is for devices with vector registers; elsewhere its code is only slow. What is meant for
            // GPUs must be right wherever it builds.
            if (encl_kernel_is_possible(&encl_kernel_rows[i], devices[d]) &&
                (encl_kernel_rows[i].family != ENCL_FAMILY_TILE ||
                 strcmp(encl_device_family(devices[d]), "tile") == 0)) {
                check_row(devices[d], &encl_kernel_rows[i]);
            }
        }
        encl_device_release(devices[d]);
        print_message("%s: %d checks, %d failures so far\n", encl_device_get_info(devices[d])->name, checks, failures);
    }
    assert_int_equal(failures, 0);
    assert_true(checks > 0);
}

// The check itself must notice a wrong kernel: a row whose options change what it computes.
static void test_check_notices_errors(void **state) {
    (void)state;
    const encl_device *device;
    size_t count;
    if (encl_device_select("cpu", &device, 1, &count) != ENCL_OK) {
        skip();
    }
    assert_int_equal(encl_device_acquire(device), ENCL_OK);
    encl_kernel_row wrong = {0};
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (strcmp(encl_kernel_rows[i].name, "pool") == 0) {
            wrong = encl_kernel_rows[i];
        }
    }
    encl_shape node = {.columns = 37, .pooling = ENCL_POOLING_MEAN};
    encl_check_case test;
    encl_check_result result;
    encl_kernel kernel;
    encl_check_small(&wrong, &node, &test);
    // Built for the mean, held against the maximum.
    open_or_fail(device, &wrong, &node, &kernel);
    test.shape.pooling = ENCL_POOLING_MAX;
    assert_int_equal(encl_check_kernel(device, &kernel, &test, &result), ENCL_OK);
    assert_false(result.passed);
    assert_string_equal(result.reason, "error too large");
    encl_kernel_close(&kernel);
    // A grid too small leaves outputs unwritten.
    test.shape.pooling = ENCL_POOLING_MEAN;
    wrong.grid[1].block = 2;
    open_or_fail(device, &wrong, &node, &kernel);
    assert_int_equal(encl_check_kernel(device, &kernel, &test, &result), ENCL_OK);
    assert_false(result.passed);
    assert_string_equal(result.reason, "not finite");
    encl_kernel_close(&kernel);
    encl_device_release(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_that_are_not_finite),
        cmocka_unit_test(test_every_row_on_every_device),
        cmocka_unit_test(test_check_notices_errors),
    };
    return encl_test_main(tests);
}
