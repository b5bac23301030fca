// Conversion to float32, against values that are computed from the definition of each format.
#include <math.h>
#include <string.h>

#include "host/checkpoint/checkpoint.h"
#include "test.h"

enum { HALVES = 1 << 16 };

// A tensor over bytes that do not start at an even address: files need not align anything.
static encl_tensor unaligned(encl_dtype dtype, const void *values, size_t count, uint8_t **bytes) {
    const size_t size = count * encl_dtype_bytes(dtype);
    *bytes = malloc(size + 1);
    assert_non_null(*bytes);
    memcpy(*bytes + 1, values, size);
    return (encl_tensor){.name = "w",
                         .dtype = dtype,
                         .dimensions = 1,
                         .shape = {(int64_t)count},
                         .strides = {1},
                         .elements = (int64_t)count,
                         .data = *bytes + 1,
                         .bytes = size};
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// sign, `exponent_bits` of exponent, `fraction_bits` of fraction, as IEEE 754 defines their value.
static float value_of(uint32_t bits, int exponent_bits, int fraction_bits) {
    const int sign = (bits >> (exponent_bits + fraction_bits)) & 1;
    const int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const int fraction = (int)(bits & ((1u << fraction_bits) - 1));
    const int bias = (1 << (exponent_bits - 1)) - 1;
    double value;
    if (exponent == (1 << exponent_bits) - 1) {
        value = fraction == 0 ? (double)INFINITY : (double)NAN;
    } else if (exponent == 0) {
        value = ldexp(fraction, 1 - bias - fraction_bits);
    } else {
        value = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    }
    return (float)(sign ? -value : value);
}

static void check_all_halves(encl_dtype dtype, int exponent_bits, int fraction_bits) {
    static uint16_t halves[HALVES];
    static float values[HALVES];
    uint8_t *bytes = NULL;
    for (uint32_t i = 0; i < HALVES; i++) {
        halves[i] = (uint16_t)i;
    }
    const encl_tensor tensor = unaligned(dtype, halves, HALVES, &bytes);
    assert_ok(encl_tensor_read(&tensor, 0, HALVES, values));
    for (uint32_t i = 0; i < HALVES; i++) {
        const float expected = value_of(i, exponent_bits, fraction_bits);
        if (isnan(expected) ? !isnan(values[i]) : bits_of(values[i]) != bits_of(expected)) {
            fail_msg("%s 0x%04x: found %a, expected %a", encl_dtype_name(dtype), i, (double)values[i],
                     (double)expected);
        }
    }
    // A part that begins and ends anywhere is the same part of the whole, and nothing is written behind it.
    float part[20];
    for (int64_t count = 0; count < 19; count++) {
        part[count] = 42;
        assert_ok(encl_tensor_read(&tensor, 0x3bf7, count, part));
        assert_memory_equal(part, values + 0x3bf7, (size_t)count * sizeof *part);
        assert_true(part[count] == 42);
    }
    free(bytes);
}

static void converts_every_f16(void **state) {
    (void)state;
    check_all_halves(ENCL_DTYPE_F16, 5, 10);
}

static void converts_every_bf16(void **state) {
    (void)state;
    check_all_halves(ENCL_DTYPE_BF16, 8, 7);
}

static void copies_f32(void **state) {
    (void)state;
    static const uint32_t bits[] = {0, 0x80000000, 1, 0x3f800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc12345};
    uint8_t *bytes = NULL;
    float values[8];
    const encl_tensor tensor = unaligned(ENCL_DTYPE_F32, bits, 8, &bytes);
    assert_ok(encl_tensor_read(&tensor, 0, 8, values));
    assert_memory_equal(values, bits, sizeof bits);
    assert_ok(encl_tensor_read(&tensor, 3, 2, values));
    assert_memory_equal(values, bits + 3, 2 * sizeof *bits);
    free(bytes);
}

static void rounds_f64(void **state) {
    (void)state;
    // Ties go to even, what float32 cannot hold becomes infinite or 0.
    static const double wide[] = {0.1, -1, 1 + 0x1p-24, 1 + 0x3p-24, 1e300, -1e-300, 0x1p-149};
    static const uint32_t narrow[] = {0x3dcccccd, 0xbf800000, 0x3f800000, 0x3f800002, 0x7f800000, 0x80000000, 1};
    uint8_t *bytes = NULL;
    float values[7];
    const encl_tensor tensor = unaligned(ENCL_DTYPE_F64, wide, 7, &bytes);
    assert_ok(encl_tensor_read(&tensor, 0, 7, values));
    assert_memory_equal(values, narrow, sizeof narrow);
    free(bytes);
}

static void refuses_other_ranges_and_types(void **state) {
    (void)state;
    static const struct {
        int64_t first, count;
    } ranges[] = {{-1, 1}, {0, -1}, {0, 5}, {4, 1}, {5, 0}, {1, INT64_MAX}, {INT64_MAX, INT64_MAX}, {INT64_MIN, 1}};
    static const float zeros[4];
    uint8_t *bytes = NULL;
    float values[4] = {7, 7, 7, 7};
    encl_tensor tensor = unaligned(ENCL_DTYPE_F32, zeros, 4, &bytes);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        assert_int_equal(encl_tensor_read(&tensor, ranges[i].first, ranges[i].count, values), ENCL_INVALID);
    }
    assert_ok(encl_tensor_read(&tensor, 4, 0, values));
    assert_true(values[0] == 7);
    tensor.elements = 2;
    for (int dtype = 0; dtype <= ENCL_DTYPE_U64; dtype++) {
        tensor.dtype = (encl_dtype)dtype;
        const bool is_float =
            dtype == ENCL_DTYPE_F32 || dtype == ENCL_DTYPE_F16 || dtype == ENCL_DTYPE_BF16 || dtype == ENCL_DTYPE_F64;
        assert_int_equal(encl_tensor_read(&tensor, 0, 2, values), is_float ? ENCL_OK : ENCL_FORMAT);
    }
    free(bytes);
}

static void knows_names_and_sizes(void **state) {
    (void)state;
    assert_string_equal(encl_dtype_name(ENCL_DTYPE_BF16), "BF16");
    assert_string_equal(encl_dtype_name((encl_dtype)99), "?");
    assert_int_equal(encl_dtype_bytes(ENCL_DTYPE_BOOL), 1);
    assert_int_equal(encl_dtype_bytes(ENCL_DTYPE_F64), 8);
    assert_int_equal(encl_dtype_bytes((encl_dtype)99), 0);
}

// A transposed matrix is read row by row of its logical shape, in any cut.
static void reads_strided(void **state) {
    (void)state;
    enum { ROWS = 61, COLUMNS = 37 };
    float stored[COLUMNS][ROWS]; // [column][row]
    float read[ROWS * COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        for (int r = 0; r < ROWS; r++) {
            stored[c][r] = (float)(r * COLUMNS + c);
        }
    }
    encl_tensor tensor = {.name = "w",
                          .dtype = ENCL_DTYPE_F32,
                          .dimensions = 2,
                          .shape = {ROWS, COLUMNS},
                          .strides = {1, ROWS},
                          .elements = ROWS * COLUMNS,
                          .data = (const uint8_t *)stored,
                          .bytes = sizeof stored};
    assert_false(encl_tensor_is_dense(&tensor));
    for (int64_t cut = 0; cut <= tensor.elements; cut += 111) {
        memset(read, 0xff, sizeof read);
        assert_ok(encl_tensor_read(&tensor, 0, cut, read));
        assert_ok(encl_tensor_read(&tensor, cut, tensor.elements - cut, read + cut));
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            assert_true(read[i] == (float)i);
        }
    }
    encl_tensor_set_dense(&tensor);
    assert_true(encl_tensor_is_dense(&tensor));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_every_f16),
        cmocka_unit_test(converts_every_bf16),
        cmocka_unit_test(copies_f32),
        cmocka_unit_test(rounds_f64),
        cmocka_unit_test(refuses_other_ranges_and_types),
        cmocka_unit_test(knows_names_and_sizes),
        cmocka_unit_test(reads_strided),
    };
    return encl_test_main(tests);
}
