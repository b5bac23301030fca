// Why kernel rows serve: the words in schedules and in profiles, and a row that fails on the device.
#include "fixture.h"
#include "op/find_row.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/graph/executable.h"

static const fixture_shape shape = {
    .layers = 1, .hidden = 32, .heads = 2, .intermediate = 64, .vocabulary = 50, .positions = 48};
static const fixture_shape odd_heads = {
    .layers = 1, .hidden = 32, .heads = 4, .intermediate = 64, .vocabulary = 50, .positions = 48};
static fixture_weights weights;

static encl_graph *make_graph(const fixture_shape *of) {
    encl_graph *graph = NULL;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_graph_output(graph, fixture_encoder(&weights, graph, of)));
    return graph;
}

// ---- Schedules --------------------------------------------------------------------------------------------

static encl_schedule *lower(const fixture_shape *of, const encl_lowering *lowering) {
    encl_schedule *schedule = NULL;
    encl_graph *graph = make_graph(of);
    assert_ok(encl_schedule_create(graph, lowering, &schedule));
    encl_graph_destroy(graph);
    return schedule;
}

static void expect_why(const fixture_shape *of, const encl_lowering *lowering, encl_operator op, size_t row,
                       const char *why) {
    encl_schedule *schedule = lower(of, lowering);
    size_t found = 0;
    for (size_t i = 0; i < schedule->step_count; i++) {
        if (schedule->steps[i].op == op) {
            assert_true(schedule->steps[i].library || row < schedule->steps[i].row_count);
            assert_string_equal(schedule->steps[i].why[row], why);
            found++;
        }
    }
    assert_true(found > 0);
    encl_schedule_destroy(schedule);
}

// Why tiles serve, where registers hold 16 floats and where they hold 8.
static const char tall[] = "best of 4 rows; 32 columns fit the registers; 8 rows a tile cost least (of 8, 4)";
static const char low[] = "best of 4 rows; 32 columns fit the registers; 4 rows a tile cost least (of 8, 4)";
static const char narrow[] = "best of 4 rows; 16 columns fit the registers";

static bool is_wide(const encl_device *device) {
    return encl_device_get_info(device)->native_float_width >= 16;
}

static void rows_say_what_they_won_against(void **state) {
    (void)state;
    const encl_lowering plain = {.family = ENCL_FAMILY_PLAIN};
    const encl_lowering small = {.family = ENCL_FAMILY_TILE, .float_width = 8, .one_order = true};
    const encl_lowering tile = {.family = ENCL_FAMILY_TILE, .float_width = 16, .one_order = true};
    expect_why(&shape, &tile, ENCL_OP_LINEAR, 0, tall);
    expect_why(&shape, &tile, ENCL_OP_LINEAR, 1, low);
    expect_why(&shape, &small, ENCL_OP_LINEAR, 0, narrow);
    expect_why(&shape, &tile, ENCL_OP_ATTENTION, 0, "best of 3 rows");
    expect_why(&shape, &tile, ENCL_OP_KEYS, 0, "only row");
    expect_why(&shape, &plain, ENCL_OP_LINEAR, 0, "only row");
    expect_why(&odd_heads, &tile, ENCL_OP_ATTENTION, 0, "attention_tile does not serve this shape");
}

static void rows_say_who_asked(void **state) {
    (void)state;
    const encl_lowering family = {.family = ENCL_FAMILY_PLAIN, .family_asked = true};
    const encl_lowering gemm = {.family = ENCL_FAMILY_GROUP, .gemm_asked = true};
    const encl_lowering library = {.family = ENCL_FAMILY_TILE, .library = true, .gemm_asked = true};
    const encl_lowering fallback = {.family = ENCL_FAMILY_GROUP, .library = true};
    expect_why(&shape, &family, ENCL_OP_LINEAR, 0, "family asked for");
    expect_why(&shape, &gemm, ENCL_OP_LINEAR, 0, "asked for by --gemm");
    expect_why(&shape, &gemm, ENCL_OP_ATTENTION, 0, "best of 2 rows");
    expect_why(&shape, &library, ENCL_OP_LINEAR, 0, "asked for by --gemm");
    expect_why(&shape, &fallback, ENCL_OP_LINEAR, 0, "no own product for this family");
    expect_why(&shape, &fallback, ENCL_OP_EPILOGUE, 0, "only row");
}

static void quarantine(bool *flags, const char *name) {
    flags[find_row(name) - encl_kernel_rows] = true;
}

static void rows_say_who_failed(void **state) {
    (void)state;
    bool flags[64] = {false};
    const encl_lowering tile = {.family = ENCL_FAMILY_TILE, .one_order = true, .quarantined = flags};
    assert_true(encl_kernel_row_count <= sizeof flags / sizeof flags[0]);
    quarantine(flags, "linear_tile_4");
    expect_why(&shape, &tile, ENCL_OP_LINEAR, 0, "best of 3 rows; 32 columns fit the registers");
    quarantine(flags, "linear_tile_8");
    expect_why(&shape, &tile, ENCL_OP_LINEAR, 0, "linear_tile_8 failed here"); // tiles of 16 columns are left
    quarantine(flags, "attention_tile");
    expect_why(&shape, &tile, ENCL_OP_ATTENTION, 0, "attention_tile failed here");
    expect_why(&odd_heads, &tile, ENCL_OP_ATTENTION, 0, "attention_tile does not serve this shape");
}

static void rows_say_what_they_need(void **state) {
    (void)state;
    bool flags[ENCL_KERNEL_ROWS_MOST] = {false};
    bool impossible[ENCL_KERNEL_ROWS_MOST] = {false};
    const encl_lowering tile = {.family = ENCL_FAMILY_TILE,
                                .float_width = 16,
                                .one_order = true,
                                .quarantined = flags,
                                .impossible = impossible,
                                .precision = ENCL_PRECISION_INT8};
    static const char *const names[] = {"linear_tile_int8_vnni_8", "linear_tile_int8_vnni_4",
                                        "linear_tile_int8_avx_vnni_6", "linear_tile_int8_avx_vnni_4",
                                        "linear_tile_int8_avx2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        quarantine(flags, names[i]);
        quarantine(impossible, names[i]);
    }
    expect_why(&shape, &tile, ENCL_OP_LINEAR, 0, "linear_tile_int8_vnni_8 needs pocl avx512_vnni");
    // One that is there and failed is told as such.
    impossible[find_row(names[0]) - encl_kernel_rows] = false;
    expect_why(&shape, &tile, ENCL_OP_LINEAR, 0, "linear_tile_int8_vnni_8 failed here");
}

// ---- On devices -------------------------------------------------------------------------------------------

// What a profiled run told on_profile.
typedef struct told {
    int runs;
    int32_t tokens;
    encl_status answer;
    char linear[64]; // the kernel of its products, and why
    char why[128];
} told;

static encl_status take_profile(void *context, const encl_executable *executable, const encl_run_profile *run) {
    told *t = context;
    t->runs++;
    t->tokens = run->tokens;
    assert_non_null(encl_executable_get_info(executable));
    for (size_t i = 0; i < run->count; i++) {
        const encl_profile_record *r = &run->records[i];
        const bool copies = strcmp(r->op, "upload") == 0 || strcmp(r->op, "download") == 0;
        assert_int_equal(r->why[0] == '\0', copies);
        if (strcmp(r->op, "linear") == 0) {
            snprintf(t->linear, sizeof t->linear, "%s", r->kernel);
            snprintf(t->why, sizeof t->why, "%s", r->why);
        }
    }
    return t->answer;
}

static encl_executable *compile(const encl_device *device, told *t, int32_t depth) {
    encl_executable *executable = NULL;
    encl_graph *graph = make_graph(&shape);
    const encl_executable_options options = {.capacity = {.tokens = 64, .sequences = 4},
                                             .depth = depth,
                                             .on_profile = t != NULL ? take_profile : NULL,
                                             .on_profile_context = t};
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    encl_graph_destroy(graph);
    return executable;
}

static void make_batch(fixture_batch *batch, int32_t tokens) {
    memset(batch, 0, sizeof *batch);
    fixture_add(batch, 1, tokens, shape.vocabulary);
}

static void profiles_on(const encl_device *device) {
    static fixture_batch batch;
    const bool tiles = strcmp(encl_device_family(device), "tile") == 0;
    told t = {0};
    encl_executable *executable = compile(device, &t, 1);
    const encl_executable_info *info = encl_executable_get_info(executable);
    assert_int_equal(info->quarantined, 0);
    assert_true(info->created_ns > 0 && info->created_ns <= encl_host_clock_ns());
    assert_true(info->device_bytes > info->weight_bytes + info->arena_bytes);
    make_batch(&batch, 48);
    encl_event_release(fixture_run(executable, &batch, false)); // profiled all the same
    assert_int_equal(t.runs, 1);
    assert_int_equal(t.tokens, 48);
    assert_string_equal(tiles ? t.why : "", !tiles ? "" : is_wide(device) ? tall : narrow);
    make_batch(&batch, 4);
    encl_event_release(fixture_run(executable, &batch, true));
    assert_int_equal(t.runs, 2);
    assert_string_equal(tiles ? t.why : "", !tiles ? "" : is_wide(device) ? low : narrow);
    // What the listener answers is the run's own answer, and the executable goes on.
    encl_event *event = NULL;
    const encl_batch packed = fixture_packed(&batch);
    t.answer = ENCL_IO;
    assert_int_equal(encl_executable_run(executable, &packed, false, &event), ENCL_IO);
    assert_null(event);
    t.answer = ENCL_OK;
    encl_event_release(fixture_run(executable, &batch, false));
    assert_int_equal(t.runs, 4);
    // A second slot has inputs of its own.
    encl_executable *deep = compile(device, NULL, 2);
    assert_true(encl_executable_get_info(deep)->device_bytes > info->device_bytes);
    encl_executable_destroy(deep);
    encl_executable_destroy(executable);
}

static void profiles_say_why(void **state) {
    (void)state;
    encl_test_on_devices(profiles_on);
}

// A folder of kernels in which tiles of this height do not compile.
static void break_tiles(int height, char folder[128]) {
    char *text = NULL;
    size_t length = 0;
    encl_string broken = {0};
    snprintf(folder, 128, "/tmp/encl-why-XXXXXX");
    assert_non_null(mkdtemp(folder));
    DIR *kernels = opendir("kernels");
    assert_non_null(kernels);
    for (struct dirent *entry = readdir(kernels); entry != NULL; entry = readdir(kernels)) {
        char from[512];
        char to[512];
        snprintf(from, sizeof from, "kernels/%s", entry->d_name);
        snprintf(to, sizeof to, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || encl_path_is_folder(from)) {
            continue;
        }
        assert_ok(encl_file_read(from, 1 << 20, &text, &length));
        if (strcmp(entry->d_name, "linear_tile.cl") == 0) {
            assert_ok(
                encl_string_format(&broken, "#if TILE_ROWS == %d\n#error broken for a test\n#endif\n%s", height, text));
            assert_ok(encl_file_write(to, broken.text, broken.length));
        } else {
            assert_ok(encl_file_write(to, text, length));
        }
        free(text);
    }
    closedir(kernels);
    encl_string_free(&broken);
}

static void remove_folder(const char *folder) {
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)unlink(path);
    }
    closedir(list);
    assert_int_equal(rmdir(folder), 0);
}

static void failing_row_on(const encl_device *device) {
    static fixture_batch batch;
    static float expected[48 * 32];
    if (strcmp(encl_device_family(device), "tile") != 0) {
        print_message("    its family has no tiles\n");
        return;
    }
    char folder[128];
    told t = {0};
    make_batch(&batch, 48);
    encl_executable *whole = compile(device, NULL, 1);
    encl_event *event = fixture_run(whole, &batch, false);
    memcpy(expected, fixture_output(event, 0, 48, 32), sizeof expected);
    encl_event_release(event);
    encl_executable_destroy(whole);

    break_tiles(is_wide(device) ? 8 : 6, folder);
    setenv("ENCL_KERNEL_DIR", folder, 1);
    encl_log_set_level(ENCL_LOG_QUIET);
    encl_executable *executable = compile(device, &t, 1);
    encl_log_set_level(ENCL_LOG_WARNING);
    unsetenv("ENCL_KERNEL_DIR");
    remove_folder(folder);
    assert_int_equal(encl_executable_get_info(executable)->quarantined, 1);
    event = fixture_run(executable, &batch, false);
    assert_true(fixture_same_bits(fixture_output(event, 0, 48, 32), expected, (int64_t)48 * 32));
    encl_event_release(event);
    static const char failed[] = "linear_tile_8 failed here";
    static const char narrow_failed[] = "linear_tile_6x16 failed here";
    assert_string_equal(t.linear, is_wide(device) ? "linear_tile_4" : "linear_tile_8");
    assert_memory_equal(t.why, is_wide(device) ? failed : narrow_failed,
                        is_wide(device) ? sizeof failed - 1 : sizeof narrow_failed - 1);
    encl_executable_destroy(executable);
}

static void a_failing_row_is_named(void **state) {
    (void)state;
    encl_test_on_devices(failing_row_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_say_what_they_won_against),
        cmocka_unit_test(rows_say_who_asked),
        cmocka_unit_test(rows_say_who_failed),
        cmocka_unit_test(rows_say_what_they_need),
        cmocka_unit_test(profiles_say_why),
        cmocka_unit_test(a_failing_row_is_named),
    };
    return encl_test_main(tests);
}
