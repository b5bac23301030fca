// The parts of a check: what it says of an output that is wrong in one place, and what it sees when it may look at few
// rows only.
#include "op/find_row.h"
#include "test.h"

#include <math.h>
#include <string.h>

#include "runtime/op/check_buffers.h"
#include "runtime/op/check_quantized.h"
#include "runtime/op/quantized.h"
#include "runtime/op/reference.h"
#include "runtime/op/rehearsal.h"

static const int32_t lengths[] = {40, 1, 33, 12};
static const double all_rows = (double)INFINITY;
static const double few_rows = 1; // the first and the last: never less than two

// A case of every operator, with gaps in its output where the operator allows them.
static encl_check_case case_of(const encl_kernel_row *row) {
    encl_check_case check = {.lengths = lengths, .sequences = 4, .seed = 3};
    check.shape = (encl_shape){.rows = 21,
                               .columns = row->op == ENCL_OP_TOP_K ? ENCL_TOP_K_SEGMENT + 3 : 48,
                               .depth = 20,
                               .heads = 2,
                               .head_size = 16,
                               .activation = ENCL_ACTIVATION_GELU,
                               .residual = true,
                               .pooling = ENCL_POOLING_MEAN,
                               .top_k = 5,
                               .epsilon = 1e-12f};
    if (row->op == ENCL_OP_LINEAR) {
        check.shape.first_row = 4;
        check.shape.first_column = 3;
        check.shape.out_stride = 60;
    } else if (row->op == ENCL_OP_PACK) {
        check.shape.first_column = 5;
    } else if (row->op == ENCL_OP_QUANTIZE) {
        check.shape.out_stride = 60;
    }
    if (row->op == ENCL_OP_PACK || row->op == ENCL_OP_QUANTIZE) {
        check.shape.levels = 255;
        check.shape.limit = 127;
        check.shape.short_words = 2;
    }
    return check;
}

// What QUANTIZE and PACK write, which are no floats.
static uint32_t *quantized_by_reference(const encl_check_inputs *inputs) {
    const encl_shape *s = &inputs->shape;
    const float *source = inputs->operands[0].host;
    uint32_t *found = malloc((inputs->out_words + 2 * (size_t)ENCL_CHECK_GUARD) * sizeof *found);
    assert_non_null(found);
    for (size_t i = 0; i < inputs->out_words + 2 * (size_t)ENCL_CHECK_GUARD; i++) {
        found[i] = ENCL_CHECK_UNTOUCHED;
    }
    for (int64_t row = 0; row < s->rows; row++) {
        if (inputs->op == ENCL_OP_QUANTIZE) {
            encl_quantize_row(s, source + row * s->x_stride, found + ENCL_CHECK_GUARD + row * s->out_stride);
        } else {
            encl_pack_row(s, source + row * s->depth, s->first_column + row, found + ENCL_CHECK_GUARD);
        }
    }
    for (size_t i = 0; i < inputs->out_words; i++) {
        assert_int_equal(encl_check_writes(inputs, i), found[ENCL_CHECK_GUARD + i] != ENCL_CHECK_UNTOUCHED);
    }
    return found;
}

// What the operators' reference gives, as words between guards.
static uint32_t *found_by_reference(const encl_check_inputs *inputs) {
    const void *hosts[ENCL_OPERATOR_BUFFERS];
    const size_t words = inputs->out_words;
    if (encl_check_is_quantized(inputs)) {
        return quantized_by_reference(inputs);
    }
    double *values = malloc((words + 1) * sizeof *values);
    uint32_t *found = malloc((words + 2 * (size_t)ENCL_CHECK_GUARD) * sizeof *found);
    assert_non_null(values);
    assert_non_null(found);
    for (size_t i = 0; i < words; i++) {
        values[i] = (double)NAN;
    }
    for (size_t i = 0; i < ENCL_OPERATOR_BUFFERS; i++) {
        hosts[i] = inputs->operands[i].host;
    }
    encl_reference(inputs->op, &inputs->reference, hosts, values);
    for (size_t i = 0; i < words + 2 * (size_t)ENCL_CHECK_GUARD; i++) {
        const int64_t at = (int64_t)i - ENCL_CHECK_GUARD;
        found[i] = ENCL_CHECK_UNTOUCHED;
        if (at >= 0 && (size_t)at < words && !isnan(values[at])) {
            const float value = (float)values[at];
            memcpy(&found[i], &value, sizeof value);
        }
        if (at >= 0 && (size_t)at < words) {
            assert_int_equal(encl_check_writes(inputs, (size_t)at), !isnan(values[at]));
        }
    }
    free(values);
    return found;
}

static void expect(const encl_check_inputs *inputs, const uint32_t *found, double most_flops, const char *reason,
                   int64_t where) {
    encl_check_result result;
    assert_ok(encl_check_compare(inputs, found, most_flops, &result));
    if (reason == NULL) {
        assert_null(result.reason);
        assert_true(result.passed);
        return;
    }
    assert_false(result.passed);
    assert_string_equal(result.reason, reason);
    assert_int_equal(result.where, where);
}

static void set_float(uint32_t *word, float value) {
    memcpy(word, &value, sizeof value);
}

// The first element from `from` on that the operator writes, or not.
static size_t element(const encl_check_inputs *inputs, size_t from, bool written) {
    while (from < inputs->out_words && encl_check_writes(inputs, from) != written) {
        from++;
    }
    return from;
}

static void spoil(const encl_check_inputs *inputs, uint32_t *found) {
    uint32_t *out = found + ENCL_CHECK_GUARD;
    const size_t first = element(inputs, 0, true);
    const size_t middle = element(inputs, inputs->out_words / 2, true);
    const size_t gap = element(inputs, 0, false);
    uint32_t kept = out[first];
    expect(inputs, found, all_rows, NULL, 0);
    expect(inputs, found, few_rows, NULL, 0);
    // A number that is off, in a row that is always looked at and in one that is not.
    set_float(&out[first], 1000.0f);
    expect(inputs, found, all_rows, "error too large", (int64_t)first);
    expect(inputs, found, few_rows, "error too large", (int64_t)first);
    out[first] = kept;
    kept = out[middle];
    set_float(&out[middle], 1000.0f);
    expect(inputs, found, all_rows, "error too large", (int64_t)middle);
    // Unwritten, or no number: seen anywhere.
    out[middle] = ENCL_CHECK_UNTOUCHED;
    expect(inputs, found, few_rows, "not finite", (int64_t)middle);
    out[middle] = kept;
    // A write into a gap or beyond an end: likewise.
    if (gap < inputs->out_words) {
        set_float(&out[gap], 1.0f);
        expect(inputs, found, few_rows, "wrote outside", (int64_t)gap);
        out[gap] = ENCL_CHECK_UNTOUCHED;
    }
    set_float(&found[ENCL_CHECK_GUARD - 1], 0.0f);
    expect(inputs, found, few_rows, "wrote outside", -1);
    found[ENCL_CHECK_GUARD - 1] = ENCL_CHECK_UNTOUCHED;
    set_float(&out[inputs->out_words], 0.0f);
    expect(inputs, found, few_rows, "wrote outside", (int64_t)inputs->out_words);
    out[inputs->out_words] = ENCL_CHECK_UNTOUCHED;
    expect(inputs, found, all_rows, NULL, 0);
}

static void what_is_spoiled_is_found_in_its_place(void **state) {
    (void)state;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        const encl_check_case check = case_of(&encl_kernel_rows[i]);
        encl_check_inputs inputs;
        assert_ok(encl_check_inputs_make(&encl_kernel_rows[i], &check, &inputs));
        uint32_t *found = found_by_reference(&inputs);
        spoil(&inputs, found);
        free(found);
        encl_check_inputs_free(&inputs);
    }
}

static void few_rows_are_the_first_the_last_and_spread_ones(void **state) {
    (void)state;
    const encl_kernel_row *row = find_row("linear_plain");
    encl_check_case check = {.shape = {.rows = 101, .columns = 8, .depth = 8}, .seed = 1};
    encl_check_inputs inputs;
    encl_check_result result;
    assert_ok(encl_check_inputs_make(row, &check, &inputs));
    uint32_t *found = found_by_reference(&inputs);
    assert_true(inputs.flops == 2.0 * 101 * 8 * 8);
    assert_ok(encl_check_compare(&inputs, found, all_rows, &result));
    assert_int_equal(result.rows_checked, 101);
    assert_ok(encl_check_compare(&inputs, found, few_rows, &result));
    assert_int_equal(result.rows_checked, 2);
    // As much as three rows take: the middle one too.
    const double each = fmax(inputs.flops, inputs.bytes) / 101;
    set_float(&found[ENCL_CHECK_GUARD + 50 * 8], 1000.0f);
    assert_ok(encl_check_compare(&inputs, found, 3.5 * each, &result));
    assert_int_equal(result.rows_checked, 3);
    assert_int_equal(result.where, 50 * 8);
    assert_ok(encl_check_compare(&inputs, found, 2.5 * each, &result));
    assert_true(result.passed);
    free(found);
    encl_check_inputs_free(&inputs);
}

// A kernel's own output: looked at in few rows, its error is that of these rows.
static void check_on(const encl_device *device) {
    static const char *const names[] = {"linear_plain", "attention_plain", "layer_norm_plain", "top_k_plain"};
    assert_ok(encl_device_acquire(device));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const encl_kernel_row *row = find_row(names[i]);
        const encl_check_case check = case_of(row);
        encl_kernel kernel;
        encl_check_inputs inputs;
        encl_check_buffers buffers;
        encl_check_result all;
        encl_check_result few;
        uint32_t *found = NULL;
        assert_ok(encl_kernel_open(device, row, &check.shape, &kernel));
        assert_ok(encl_check_inputs_make(row, &check, &inputs));
        assert_ok(encl_check_buffers_create(device, &inputs, false, &buffers));
        assert_true(encl_check_buffers_bytes(&inputs) > 4 * inputs.out_words);
        assert_ok(encl_kernel_enqueue(&kernel, encl_device_queue(device), &inputs.shape, buffers.at, NULL));
        assert_ok(encl_check_buffers_read(device, &inputs, &buffers, &found));
        assert_ok(encl_check_compare(&inputs, found, all_rows, &all));
        assert_ok(encl_check_compare(&inputs, found, few_rows, &few));
        assert_true(all.passed && few.passed);
        assert_true(few.max_error <= all.max_error);
        assert_true(few.rows_checked < all.rows_checked);
        assert_ok(encl_check_kernel(device, &kernel, &check, &few));
        assert_true(few.max_error == all.max_error && few.rows_checked == all.rows_checked);
        free(found);
        encl_check_buffers_free(&buffers);
        encl_check_inputs_free(&inputs);
        encl_kernel_close(&kernel);
    }
    encl_device_release(device);
}

static void a_kernel_is_judged_by_few_rows(void **state) {
    (void)state;
    encl_test_on_devices(check_on);
}

static void heights_are_chosen_by_rows(void **state) {
    (void)state;
    const encl_kernel_row *rows[] = {find_row("linear_tile_8"), find_row("linear_tile_4")};
    const encl_kernel_row *plain = find_row("linear_plain");
    assert_int_equal(encl_kernel_choose_height(rows, 2, 8), 0);
    assert_int_equal(encl_kernel_choose_height(rows, 2, 1), 1);
    assert_int_equal(encl_kernel_choose_height(rows, 2, 4), 1);
    assert_int_equal(encl_kernel_choose_height(rows, 2, 4096), 0);
    assert_int_equal(encl_kernel_choose_height(&plain, 1, 100), 0);
    assert_true(encl_kernel_prefers_library(ENCL_GEMM_AUTO, ENCL_FAMILY_GROUP, false));
    assert_false(encl_kernel_prefers_library(ENCL_GEMM_AUTO, ENCL_FAMILY_GROUP, true));
    assert_false(encl_kernel_prefers_library(ENCL_GEMM_AUTO, ENCL_FAMILY_TILE, false));
    assert_true(encl_kernel_prefers_library(ENCL_GEMM_CLBLAST, ENCL_FAMILY_TILE, false));
}

// A GPU takes the best that it has of the ways to multiply bytes; a CPU none of them, whatever its driver says.
static void gpus_multiply_bytes_by_what_they_have(void **state) {
    (void)state;
    const encl_shape shape = {.columns = 768, .depth = 768, .precision = ENCL_PRECISION_INT8};
    encl_device device = {.info = {.type = ENCL_DEVICE_GPU, .platform = "NVIDIA CUDA"}};
    const encl_kernel_row *rows[4];
    for (int has = 0; has < 4; has++) {
        bool impossible[ENCL_KERNEL_ROWS_MOST] = {false};
        device.dot_khr = has % 2 == 1;
        device.dot_dp4a = has >= 2;
        encl_kernel_mark_impossible(&device, impossible);
        const size_t count =
            encl_kernel_choose_rows(ENCL_OP_LINEAR, &shape, ENCL_FAMILY_GROUP, 1, impossible, true, rows, 4);
        static const char *const first[] = {"linear_group_int8_8", "linear_group_int8_khr_8",
                                            "linear_group_int8_dp4a_8", "linear_group_int8_dp4a_8"};
        assert_string_equal(rows[0]->name, first[has]);
        assert_int_equal(count, 2); // heights, not ways
        assert_int_equal(encl_kernel_choose_height(rows, count, 128), 0);
        assert_int_equal(encl_kernel_choose_height(rows, count, 1), 1);
        encl_kernel_choose_rows(ENCL_OP_LINEAR, &shape, ENCL_FAMILY_TILE, 8, impossible, true, rows, 4);
        assert_string_equal(rows[0]->name, "linear_plain_int8");
    }
    assert_false(encl_rehearsal_is_due(find_row("linear_group_int8_dp4a_8")));
    assert_false(encl_rehearsal_is_due(find_row("linear_plain_int8")));
    assert_true(encl_rehearsal_is_due(find_row("linear_tile_int8_avx2")));
}

// The rows that a product of BERT's sizes keeps on a device with such registers.
static size_t choose(uint32_t float_width, const bool *quarantined, const encl_kernel_row **rows, size_t capacity) {
    const encl_shape shape = {.columns = 768, .depth = 768};
    return encl_kernel_choose_rows(ENCL_OP_LINEAR, &shape, ENCL_FAMILY_TILE, float_width, quarantined, true, rows,
                                   capacity);
}

static void expect_width(uint32_t float_width, int32_t columns, bool fits) {
    const encl_kernel_row *rows[8];
    const size_t count = choose(float_width, NULL, rows, 8);
    assert_true(count >= 1 && count <= 3); // each costs a compilation
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(encl_kernel_tile_columns(rows[i]), columns);
        assert_true(i == 0 || encl_kernel_tile_rows(rows[i]) < encl_kernel_tile_rows(rows[i - 1]));
    }
    assert_true(encl_kernel_fits_registers(rows[0], float_width) == fits);
}

static void widths_are_chosen_by_registers(void **state) {
    (void)state;
    enum { AVX512 = 16, AVX2 = 8, SSE = 4 };
    bool failed[64] = {false};
    const encl_kernel_row *rows[8];
    assert_true(encl_kernel_row_count <= sizeof failed / sizeof failed[0]);
    expect_width(AVX512, 32, true);
    expect_width(AVX2, 16, true);
    expect_width(0, 32, true);
#if !defined(__aarch64__) // whose 32 registers of 4 floats hold 6 x 16 sums
    expect_width(SSE, 16, false);
#endif
    assert_true(encl_kernel_fits_registers(find_row("linear_plain"), 1)); // holds no tile
    // Another width serves where this one's rows failed, and plain rows after all of them.
    failed[find_row("linear_tile_8") - encl_kernel_rows] = true;
    assert_int_equal(choose(AVX512, failed, rows, 8), 1);
    assert_ptr_equal(rows[0], find_row("linear_tile_4"));
    failed[find_row("linear_tile_4") - encl_kernel_rows] = true;
    assert_true(choose(AVX512, failed, rows, 8) >= 1);
    assert_int_equal(encl_kernel_tile_columns(rows[0]), 16);
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        failed[i] = encl_kernel_rows[i].family == ENCL_FAMILY_TILE;
    }
    assert_int_equal(choose(AVX512, failed, rows, 8), 1);
    assert_ptr_equal(rows[0], find_row("linear_plain"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spoiled_is_found_in_its_place),
        cmocka_unit_test(few_rows_are_the_first_the_last_and_spread_ones),
        cmocka_unit_test(a_kernel_is_judged_by_few_rows),
        cmocka_unit_test(heights_are_chosen_by_rows),
        cmocka_unit_test(gpus_multiply_bytes_by_what_they_have),
        cmocka_unit_test(widths_are_chosen_by_registers),
    };
    return encl_test_main(tests);
}
