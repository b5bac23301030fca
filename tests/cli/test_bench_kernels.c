// encl bench kernels: tiny shapes on every device, a wrong kernel, and what is wrong with a file of shapes.
#include "program.h"

// A case of every operator. The plain family runs on every device.
static const char shapes[] = "# comment\n"
                             "\n"
                             "linear rows=3 columns=37 depth=19 activation=gelu residual=yes # of this line\n"
                             "linear columns=37 rows=3 depth=19 residual=yes activation=gelu\n" // the same once more
                             "epilogue rows=3 columns=37 activation=tanh\n"
                             "embed rows=3 columns=48 vocabulary=11 positions=7\n"
                             "pack rows=37 depth=19\n"
                             "attention heads=2 head_size=16 lengths=2x5,1,33 queries=first\r\n"
                             "layer_norm rows=3 columns=48\n"
                             "gather rows=3 columns=37 table=5\n"
                             "pool columns=37 lengths=2x5,1 pooling=mean\n"
                             "normalize rows=3 columns=37\n"
                             "top_k rows=2 columns=600 top_k=3\n";
// KEYS has no plain kernel; products and their packing have three, one a precision.
enum { CASES = 10, PLAIN_ROWS = CASES + 4 };

#define QUICK "--samples", "2", "--min-ms", "1", "--max-ms", "1"

// The devices that take long to compile what is unrolled for wide registers run the plain family by themselves.
static void expect_row(const cJSON *line) {
    assert_string_equal(text_of(line, "status"), "ok");
    assert_true(number_of(line, "p50_us") > 0);
    assert_true(number_of(line, "n") >= 1 && number_of(line, "inner") >= 1);
    assert_true(number_of(line, "bytes") > 0);
    const char *dtype = text_of(line, "dtype");
    assert_true(strcmp(dtype, "f32") == 0 || strcmp(dtype, "bf16") == 0 || strcmp(dtype, "int8") == 0);
    // Integers are held against the exact number: half a step.
    const double most = strcmp(dtype, "int8") == 0 ? 0.501 : 1e-4;
    assert_true(number_of(line, "max_abs_err") >= 0 && number_of(line, "max_abs_err") < most);
    assert_true(number_of(line, "rows_checked") >= 1);
    assert_true(number_of(line, "buffer_sets") >= 1);
    assert_non_null(strstr(text_of(line, "case_id"), text_of(line, "kernel")));
    assert_non_null(strstr(text_of(line, "case_id"), text_of(line, "shape")));
    assert_non_null(strchr(text_of(line, "gws"), 'x'));
}

static const char *device_text(const cJSON *device, char text[16]) {
    snprintf(text, 16, "%d", (int)number_of(device, "index"));
    return text;
}

static void test_every_operator_on_every_device(void **state) {
    (void)state;
    need_device();
    const char *file = write_text("shapes.txt", shapes);
    outcome devices = RUN("", "devices", "--json");
    parse_lines(&devices);
    for (size_t d = 0; d < devices.line_count; d++) {
        char index[16];
        size_t plain = 0;
        size_t picked = 0;
        outcome result = RUN("", "bench", "kernels", "--device", device_text(devices.lines[d], index), "--shapes", file,
                             "--json", QUICK);
        parse_lines(&result);
        assert_true(result.line_count >= PLAIN_ROWS + 2); // with header and footer
        assert_string_equal(text_of(result.lines[0], "kind"), "kernels");
        for (size_t i = 1; i + 1 < result.line_count; i++) {
            expect_row(result.lines[i]);
            plain += strcmp(text_of(result.lines[i], "family"), "plain") == 0;
            picked += strcmp(text_of(result.lines[i], "picked"), "yes") == 0;
        }
        assert_int_equal(plain, PLAIN_ROWS);
        assert_true(picked >= CASES - 1); // one a case, but for products that are the library's
        free_outcome(&result);
    }
    free_outcome(&devices);
}

static void copy_kernel(const char *name) {
    char *text = NULL;
    size_t length = 0;
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "kernels/%s", name);
    assert_ok(encl_file_read(path, 1 << 20, &text, &length));
    assert_ok(encl_file_write(in_folder(path), text, length));
    free(text);
}

// Where a kernel computes wrong numbers or does not build, its row says so, the others are measured, and the exit code
// tells.
static void test_wrong_kernels_are_errors(void **state) {
    (void)state;
    need_device();
    const char *file = write_text("wrong.txt", "normalize rows=3 columns=37\n"
                                               "gather rows=3 columns=37 table=5\n"
                                               "pool columns=37 lengths=2x5,1 pooling=mean\n");
    assert_ok(encl_path_make_folder(in_folder("kernels")));
    copy_kernel("prelude.h");
    copy_kernel("pool.cl");
    write_text("kernels/gather.cl", "__kernel void gather(int absent) { return absent; }\n");
    write_text("kernels/normalize.cl",
               "__kernel void normalize_rows(__global const float *x, __global float *out, int M, "
               "int H) {\n"
               "    for (int i = 0; i < H; i++) {\n"
               "        out[get_global_id(0) % M * H + i] = 1.0f;\n"
               "    }\n"
               "}\n");
    assert_int_equal(setenv("ENCL_KERNEL_DIR", in_folder("kernels"), 1), 0);
    outcome result = RUN("", "bench", "kernels", "--shapes", file, "-o", "jsonl", QUICK);
    assert_int_equal(unsetenv("ENCL_KERNEL_DIR"), 0);
    expect_exit(&result, 1);
    assert_non_null(strstr(result.err, "encl: error: 2 of 3 rows have the status error"));
    result.exit_code = 0;
    parse_lines(&result);
    assert_int_equal(result.line_count, 5);
    for (size_t i = 1; i < 4; i++) {
        const cJSON *line = result.lines[i];
        const char *kernel = text_of(line, "kernel");
        if (strcmp(kernel, "pool") == 0) {
            expect_row(line);
            continue;
        }
        assert_string_equal(text_of(line, "status"), "error");
        if (strcmp(kernel, "normalize") == 0) {
            assert_non_null(strstr(text_of(line, "reason"), "wrong numbers: error too large at element "));
            assert_true(number_of(line, "max_abs_err") > 0.1);
        } else {
            assert_non_null(strstr(text_of(line, "reason"), "gather.cl:1"));
            assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(line, "p50_us")));
        }
    }
    free_outcome(&result);
}

// ---- Misuse -----------------------------------------------------------------------------------------------

static void test_wrong_files_say_where(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"# nothing\n\n", ": found no case, expected a line such as"},
        {"\nconvolve rows=1\n", ":2: operator: found 'convolve', expected one of embed, linear, "},
        {"linear rows=1 columns=2\n", ":1: found linear without depth, expected it"},
        {"linear rows=1 columns=2 depth=3 heads=4\n",
         ":1: found 'heads', expected for linear one of rows, columns, depth, "},
        {"linear rows=1 columns=2 depth=3 rows=4\n", ":1: found rows twice, expected it once"},
        {"linear rows=0 columns=2 depth=3\n", ":1: rows: found '0', expected a number from 1 to 16777216"},
        {"linear rows=-1 columns=2 depth=3\n", ":1: rows: found '-1', expected a number from 1 to"},
        {"linear rows=99999999999999999999 columns=2 depth=3\n", ":1: rows: found '99999999999999999999', expected"},
        {"linear rows=1x columns=2 depth=3\n", ":1: rows: found '1x', expected a number"},
        {"linear rows columns=2 depth=3\n", ":1: found 'rows', expected key=value"},
        {"linear rows= columns=2 depth=3\n", ":1: found 'rows=', expected key=value"},
        {"linear =1 columns=2 depth=3\n", ":1: found '=1', expected key=value"},
        {"linear rows=1 columns=2 depth=3 activation=swish\n", "activation: found 'swish', expected one of none, gelu"},
        {"linear rows=1 columns=2 depth=3 residual=1\n", "residual: found '1', expected one of no, yes"},
        {"linear rows=1 columns=2 depth=3 x_stride=2\n", "x_stride: found 2, expected at least the depth, 3"},
        {"linear rows=16777216 columns=16777216 depth=1\n", "found a tensor of more than 2^29 numbers"},
        {"attention heads=2 head_size=16 lengths=\n", "found 'lengths=', expected key=value"},
        {"attention heads=2 head_size=16 lengths=0\n", "lengths: found '0', expected numbers of tokens"},
        {"attention heads=2 head_size=16 lengths=3,,4\n", "lengths: found '3,,4', expected"},
        {"attention heads=2 head_size=16 lengths=3x\n", "lengths: found '3x', expected"},
        {"attention heads=2 head_size=16 lengths=100000x1\n", "lengths: found '100000x1', expected"},
        {"attention heads=2 head_size=16 lengths=4 queries=some\n",
         "queries: found 'some', expected one of all, first"},
        {"attention heads=1024 head_size=1024 lengths=65536\n", "found a tensor of more than 2^29 numbers"},
        {"pool columns=3 lengths=4 pooling=median\n", "pooling: found 'median', expected a mode"},
        {"pool columns=3 lengths=4 pooling=pooler\n", "pooling: found 'pooler', expected a mode"},
        {"top_k rows=1 columns=3 top_k=65\n", "top_k: found '65', expected a number from 1 to 64"},
    };
    need_device();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_bad(RUN("", "bench", "kernels", "--shapes", write_text("wrong.txt", wrong[i].text)), wrong[i].message);
    }
    expect_bad(RUN("", "bench", "kernels", "--shapes", in_folder("absent.txt")), "absent.txt");
    assert_ok(encl_file_write(in_folder("nul.txt"), "linear\0rows", 11));
    expect_bad(RUN("", "bench", "kernels", "--shapes", in_folder("nul.txt")), "found NUL as byte 6");
}

static void test_wrong_options(void **state) {
    (void)state;
    expect_misuse(RUN("", "bench", "kernels", "--op", "convolve"), "--op: found 'convolve', expected one of embed, ");
    expect_misuse(RUN("", "bench", "kernels", "--kernel", "fast"),
                  "--kernel: found 'fast', expected one of embed_tile");
    expect_misuse(RUN("", "bench", "kernels", "extra"), "extra");
    need_device();
    outcome result = RUN("", "bench", "kernels", "--op", "pool", "--shapes",
                         write_text("some.txt", "normalize rows=3 columns=37\n"), QUICK);
    expect_exit(&result, 1);
    assert_non_null(strstr(result.err, "found no case of the operator pool, expected one"));
    free_outcome(&result);
}

// A row that another family has is measured where it is named; one that does not serve says so.
static void test_a_kernel_by_name(void **state) {
    (void)state;
    need_device();
    const char *file = write_text("names.txt", "layer_norm rows=3 columns=37\nnormalize rows=3 columns=37\n");
    outcome result = RUN("", "bench", "kernels", "--kernel", "layer_norm_tile", "--shapes", file, "--json", QUICK);
    parse_lines(&result); // exit code 0: nothing is wrong
    assert_int_equal(result.line_count, 3);
    assert_string_equal(text_of(result.lines[1], "status"), "unsupported");
    assert_non_null(strstr(text_of(result.lines[1], "reason"), "layer_norm_tile: its domain does not hold columns 37"));
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operator_on_every_device),
        cmocka_unit_test(test_wrong_kernels_are_errors),
        cmocka_unit_test(test_wrong_files_say_where),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_a_kernel_by_name),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
