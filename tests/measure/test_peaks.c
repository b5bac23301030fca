// Peaks on every device that is here: every figure is there and right, or says why not; and the cache that keeps them.
#include "device/fixture.h"

#include <math.h>

#include "runtime/base/file.h"
#include "runtime/measure/peaks.h"

enum { FIGURES = 64, MOST_BYTES = 128 << 10 };

static char cache[FIXTURE_PATH]; // ENCL_CACHE_DIR

// As short as it can be: nothing here depends on how long it took.
static encl_peak_options brief(void) {
    return (encl_peak_options){
        .sampling = {.least_count = 2, .precision = 1.0, .most_count = 2, .most_ns = 1000000000},
        .most_bytes = MOST_BYTES,
        .quick = true,
    };
}

// ---- What is told -----------------------------------------------------------------------------------------

typedef struct heard {
    const encl_device *device;
    size_t count;
    size_t ok[FIGURES];
    char names[FIGURES][32];
    uint64_t bytes[FIGURES];
    double value[FIGURES];
    size_t fail_at; // 0: never; else the figure, from 1
} heard;

static bool may_lack(const encl_device *device, const char *name) {
    const encl_device_info *info = encl_device_get_info(device);
    return (strcmp(name, "fp16_fma") == 0 && !info->fp16) || strcmp(name, "bf16_dot") == 0 ||
           (strcmp(name, "int8_dot") == 0 && !info->int_dot);
}

static encl_status hear(void *context, const encl_peak_figure *figure) {
    heard *of = context;
    assert_true(of->count < FIGURES);
    snprintf(of->names[of->count], sizeof of->names[0], "%s", figure->name);
    of->bytes[of->count] = figure->bytes;
    of->value[of->count] = figure->value;
    of->ok[of->count] = strcmp(figure->status, "ok") == 0;
    if (of->ok[of->count]) {
        assert_string_equal(figure->reason, "");
        assert_true(isfinite(figure->value) && figure->value > 0.0);
        assert_non_null(figure->samples);
        assert_in_range(figure->samples->count, 1, 2); // one where the time was over before the second
        assert_true(figure->inner >= 1);
        assert_true(strcmp(figure->timer, "event") == 0 || strcmp(figure->timer, "wall") == 0);
        if (strcmp(figure->unit, "GB/s") == 0) {
            assert_true(figure->moved_bytes > 0.0 && figure->bytes > 0);
        }
    } else {
        if (strcmp(figure->status, "unsupported") != 0) {
            fail_msg("%s: %s: %s", figure->name, figure->status, figure->reason);
        }
        assert_true(may_lack(of->device, figure->name));
        assert_true(strlen(figure->reason) > 10);
        assert_true(isnan(figure->value));
        assert_null(figure->samples);
    }
    of->count++;
    return of->count == of->fail_at ? encl_fail(ENCL_IO, "heard enough") : ENCL_OK;
}

static size_t find(const heard *of, const char *name, uint64_t bytes) {
    for (size_t i = 0; i < of->count; i++) {
        if (strcmp(of->names[i], name) == 0 && (bytes == 0 || of->bytes[i] == bytes)) {
            return i;
        }
    }
    fail_msg("%s of %llu bytes was not told", name, (unsigned long long)bytes);
    return 0;
}

// The same number, or unknown where the figure was not there.
static void expect_figure(const heard *of, const char *name, uint64_t bytes, double value) {
    const size_t at = find(of, name, bytes);
    if (of->ok[at] ? value != of->value[at] : !isnan(value)) {
        fail_msg("%s is kept as %g, told as %g", name, value, of->value[at]);
    }
}

static void measure_one(const encl_device *device) {
    heard of = {.device = device};
    encl_peak_options options = brief();
    encl_peaks peaks;
    options.told = hear;
    options.told_context = &of;
    assert_ok(encl_device_acquire(device));
    assert_ok(encl_peaks_measure(device, &options, &peaks));
    encl_device_release(device);

    assert_int_equal(of.count, encl_peaks_count(device, &options));
    expect_figure(&of, "fp32_fma", 0, peaks.fp32_gflops);
    expect_figure(&of, "fp16_fma", 0, peaks.fp16_gflops);
    expect_figure(&of, "bf16_dot", 0, peaks.bf16_gflops);
    expect_figure(&of, "int8_dot", 0, peaks.int8_gops);
    expect_figure(&of, "launch", 0, peaks.launch_us);
    expect_figure(&of, "enqueue", 0, peaks.enqueue_us);
    expect_figure(&of, "finish", 0, peaks.finish_us);
    expect_figure(&of, "upload", 0, peaks.upload_gbs);
    expect_figure(&of, "download", 0, peaks.download_gbs);
    expect_figure(&of, "upload_latency", 64, peaks.upload_us);
    expect_figure(&of, "download_latency", 64, peaks.download_us);
    assert_true(peaks.fp32_gflops > 0.0 && peaks.measured_at > 1700000000);
    assert_in_range(peaks.bandwidth_count, 1, ENCL_PEAK_SIZES);
    for (size_t i = 0; i < peaks.bandwidth_count; i++) {
        const encl_peak_bandwidth *at = &peaks.bandwidth[i];
        assert_true(i == 0 || at->bytes > at[-1].bytes);
        expect_figure(&of, "read", at->bytes, at->read_gbs);
        expect_figure(&of, "write", at->bytes, at->write_gbs);
        expect_figure(&of, "copy", at->bytes, at->copy_gbs);
    }
    const encl_peak_bandwidth *last = &peaks.bandwidth[peaks.bandwidth_count - 1];
    assert_true(peaks.memory_gbs == fmax(last->read_gbs, last->copy_gbs));
}

static void test_measure(void **state) {
    (void)state;
    encl_test_on_devices(measure_one);
}

// ---- What ends it -----------------------------------------------------------------------------------------

static size_t asked;

static encl_status interrupt(void *context) {
    return --*(size_t *)context == 0 ? encl_fail(ENCL_TIMEOUT, "interrupted") : ENCL_OK;
}

static void end_one(const encl_device *device) {
    static const size_t places[] = {1, 2, 16};
    assert_ok(encl_device_acquire(device));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        heard of = {.device = device};
        encl_peak_options options = brief();
        encl_peaks peaks;
        options.told = hear;
        options.told_context = &of;
        options.sampling.check = interrupt;
        options.sampling.check_context = &asked;
        asked = places[i];
        assert_int_equal(encl_peaks_measure(device, &options, &peaks), ENCL_TIMEOUT);
        assert_string_equal(encl_status_detail(), "interrupted");
        assert_int_equal(asked, 0);                      // and nobody was asked again
        assert_int_equal(of.count, (places[i] - 1) / 3); // a figure is asked about at three runs
        assert_true(isnan(peaks.fp32_gflops) && peaks.bandwidth_count == 0);

        options.sampling.check = NULL;
        of = (heard){.device = device, .fail_at = i + 1};
        assert_int_equal(encl_peaks_measure(device, &options, &peaks), ENCL_IO);
        assert_string_equal(encl_status_detail(), "heard enough");
        assert_int_equal(of.count, i + 1);
    }
    encl_device_release(device);
}

static void test_end(void **state) {
    (void)state;
    encl_test_on_devices(end_one);
}

// ---- Wrong results ----------------------------------------------------------------------------------------

static size_t wrong;

static encl_status hear_wrong(void *context, const encl_peak_figure *figure) {
    if (strcmp(figure->name, context) == 0) {
        assert_string_equal(figure->status, "error");
        assert_true(isnan(figure->value));
        assert_non_null(strstr(figure->reason, "expected"));
        assert_null(figure->samples);
        wrong++;
    }
    return ENCL_OK;
}

// Kernels that leave out a part of the work would be fast. `from` is replaced in the kernel's file.
static void expect_wrong(const encl_device *device, const char *file, const char *from, const char *to,
                         const char *figure) {
    static const char *const files[] = {"prelude.h", "peak_memory.cl", "peak_fma.cl", "peak_dot.cl", "peak_empty.cl"};
    char folder[FIXTURE_PATH];
    encl_peak_options options = brief();
    encl_peaks peaks;
    fixture_folder(folder);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[FIXTURE_PATH];
        char *text = NULL;
        size_t length = 0;
        snprintf(path, sizeof path, "kernels/%s", files[i]);
        assert_ok(encl_file_read(path, 1 << 20, &text, &length));
        if (strcmp(files[i], file) == 0) {
            char *at = strstr(text, from);
            assert_non_null(at);
            assert_true(strlen(to) <= strlen(from));
            memset(at, ' ', strlen(from));
            memcpy(at, to, strlen(to));
        }
        fixture_write_text(folder, files[i], text);
        free(text);
    }
    setenv("ENCL_KERNEL_DIR", folder, 1);
    wrong = 0;
    options.told = hear_wrong;
    options.told_context = (void *)figure;
    assert_ok(encl_peaks_measure(device, &options, &peaks));
    assert_true(wrong > 0);
    unsetenv("ENCL_KERNEL_DIR");
    fixture_remove(folder);
    if (strcmp(figure, "fp32_fma") == 0) {
        assert_true(isnan(peaks.fp32_gflops));
        assert_true(peaks.memory_gbs > 0.0); // the others are there
    }
}

static void test_wrong(void **state) {
    (void)state;
    const encl_device *device = NULL;
    size_t count = 0;
    if (encl_device_select("auto", &device, 1, &count) != ENCL_OK) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    assert_ok(encl_device_acquire(device));
    expect_wrong(device, "peak_fma.cl", "step < steps", "step<steps-4", "fp32_fma");
    expect_wrong(device, "peak_memory.cl", "sum[i % 4] += from", "sum[i % 4] = from", "read");
    expect_wrong(device, "peak_memory.cl", "to[i * LOCAL] = value", "to[i*LOCAL]=value+1", "write");
    expect_wrong(device, "peak_memory.cl", "to[i * LOCAL] = v[i]", "to[0] = v[i]", "copy");
    encl_device_release(device);
}

// ---- The cache --------------------------------------------------------------------------------------------

static void fill(encl_peaks *peaks) {
    *peaks = (encl_peaks){.fp32_gflops = 123.456,
                          .fp16_gflops = NAN,
                          .bf16_gflops = NAN,
                          .int8_gops = 1.0 / 3.0,
                          .bandwidth = {{16384, 300.25, 200.5, 100.125}, {1 << 20, 30.0, NAN, 10.0}},
                          .bandwidth_count = 2,
                          .memory_gbs = 20.5,
                          .launch_us = 2.5,
                          .enqueue_us = 1.5,
                          .finish_us = 9.75,
                          .upload_gbs = 8.0,
                          .download_gbs = 7.0,
                          .upload_us = 3.0,
                          .download_us = 4.0,
                          .measured_at = 1790000000};
}

static void expect_same(const encl_peaks *found, const encl_peaks *expected) {
    assert_true(found->fp32_gflops == expected->fp32_gflops && found->int8_gops == expected->int8_gops);
    assert_true(isnan(found->fp16_gflops) && isnan(found->bf16_gflops));
    assert_true(found->memory_gbs == expected->memory_gbs && found->launch_us == expected->launch_us);
    assert_true(found->enqueue_us == expected->enqueue_us && found->finish_us == expected->finish_us);
    assert_true(found->upload_gbs == expected->upload_gbs && found->download_gbs == expected->download_gbs);
    assert_true(found->upload_us == expected->upload_us && found->download_us == expected->download_us);
    assert_int_equal(found->measured_at, expected->measured_at);
    assert_int_equal(found->bandwidth_count, 2);
    assert_int_equal(found->bandwidth[1].bytes, 1 << 20);
    assert_true(found->bandwidth[0].read_gbs == 300.25 && found->bandwidth[0].write_gbs == 200.5);
    assert_true(found->bandwidth[1].copy_gbs == 10.0 && isnan(found->bandwidth[1].write_gbs));
}

// The one file below peaks/.
static void entry_path(char path[2 * FIXTURE_PATH]) {
    char command[2 * FIXTURE_PATH];
    snprintf(command, sizeof command, "ls -d '%s'/peaks/*", cache);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    assert_non_null(fgets(path, 2 * FIXTURE_PATH, output));
    path[strcspn(path, "\n")] = '\0';
    assert_null(fgets(command, sizeof command, output));
    assert_int_equal(pclose(output), 0);
}

static void cache_one(const encl_device *device) {
    char path[2 * FIXTURE_PATH];
    char *entry = NULL;
    size_t length = 0;
    encl_peaks kept;
    encl_peaks found;
    fixture_remove(cache);
    assert_int_equal(encl_peaks_load(device, &found), ENCL_NOT_FOUND);
    assert_true(isnan(found.fp32_gflops) && found.bandwidth_count == 0);
    fill(&kept);
    encl_peaks_store(device, &kept);
    assert_ok(encl_peaks_load(device, &found));
    expect_same(&found, &kept);
    assert_ok(encl_peaks_get(device, &found)); // measures nothing: the device is not even acquired
    expect_same(&found, &kept);

    // Cut or changed anywhere, it is gone, and can be stored again.
    entry_path(path);
    assert_ok(encl_file_read(path, 1 << 20, &entry, &length));
    for (size_t i = 0; i < length; i += 7) {
        assert_ok(encl_file_write(path, entry, i));
        assert_int_equal(encl_peaks_load(device, &found), ENCL_NOT_FOUND);
        assert_false(encl_path_exists(path));
        entry[i] ^= 1;
        assert_ok(encl_file_write(path, entry, length));
        entry[i] ^= 1;
        assert_int_equal(encl_peaks_load(device, &found), ENCL_NOT_FOUND);
        assert_true(isnan(found.fp32_gflops));
    }
    free(entry);
    encl_peaks_store(device, &kept);
    assert_ok(encl_peaks_load(device, &found));
}

// What was printed and read again: cJSON writes 15 digits.
static bool alike(double found, double expected) {
    return fabs(found - expected) <= 1e-12 * expected;
}

// Without an entry it is measured, once: the second answer has the first one's time and figures.
static void get_one(const encl_device *device) {
    encl_peaks found;
    encl_peaks again;
    fixture_remove(cache);
    assert_ok(encl_device_acquire(device));
    assert_ok(encl_peaks_get(device, &found));
    encl_device_release(device);
    assert_true(found.fp32_gflops > 0.0 && found.memory_gbs > 0.0 && found.launch_us > 0.0);
    assert_ok(encl_peaks_load(device, &again));
    assert_true(alike(again.fp32_gflops, found.fp32_gflops) && alike(again.memory_gbs, found.memory_gbs));
    assert_int_equal(again.measured_at, found.measured_at);
    assert_int_equal(again.bandwidth_count, found.bandwidth_count);
    assert_ok(encl_peaks_get(device, &again));
    assert_true(alike(again.fp32_gflops, found.fp32_gflops));
}

static void test_get(void **state) {
    (void)state;
    encl_test_on_devices(get_one);
}

static void test_cache(void **state) {
    (void)state;
    encl_test_on_devices(cache_one);
}

// An entry that is whole, and says what cannot be.
static void foreign_one(const encl_device *device) {
    encl_peaks kept;
    encl_peaks found;
    fill(&kept);
    kept.launch_us = -1.0;
    encl_peaks_store(device, &kept);
    assert_int_equal(encl_peaks_load(device, &found), ENCL_NOT_FOUND);
    assert_non_null(strstr(encl_status_detail(), "launch_us: found -1, expected more than 0"));
    assert_true(isnan(found.fp32_gflops) && found.bandwidth_count == 0);
    assert_int_equal(encl_peaks_load(device, &found), ENCL_NOT_FOUND);
    assert_non_null(strstr(encl_status_detail(), "no such entry"));
}

static void test_foreign(void **state) {
    (void)state;
    encl_test_on_devices(foreign_one);
}

static int set_up(void **state) {
    (void)state;
    fixture_folder(cache);
    setenv("ENCL_MAX_ALLOCATION", "1048576", 1); // so that nothing here takes long
    return setenv("ENCL_CACHE_DIR", cache, 1);
}

static int tear_down(void **state) {
    (void)state;
    fixture_remove(cache);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measure), cmocka_unit_test(test_end),     cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_cache),   cmocka_unit_test(test_foreign), cmocka_unit_test(test_get),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
