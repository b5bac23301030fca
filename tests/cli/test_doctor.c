// encl doctor: sound machines pass; wrong kernels, broken drivers, missing ones and folders that cannot be written are
// found and named, with what to do; a driver that crashes or hangs is survived; reports tell nothing private.
#include "tests/cli/program.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

enum { FINDING_LIMIT = 512 };

// ---- Reading what it says ---------------------------------------------------------------------------------

// `encl doctor --json`: a header, findings, a summary.
typedef struct diagnosis {
    int exit_code;
    cJSON *lines[FINDING_LIMIT];
    size_t count;
    char *err;
} diagnosis;

static diagnosis diagnose(const char *const *arguments) {
    outcome result = run_program("", arguments);
    diagnosis d = {.exit_code = result.exit_code, .err = result.err};
    char *start = result.out;
    for (char *end = strchr(start, '\n'); end != NULL; start = end + 1, end = strchr(start, '\n')) {
        assert_true(d.count < FINDING_LIMIT);
        assert_ok(encl_json_parse("stdout", start, (size_t)(end - start), &d.lines[d.count]));
        d.count++;
    }
    if (d.count < 2) {
        fail_msg("found %zu lines, expected a header and a summary: %s", d.count, result.err);
    }
    assert_string_equal(text_of(d.lines[0], "schema"), "encl.doctor/1");
    free(result.out);
    return d;
}
// DIAGNOSE("--quick")
#define DIAGNOSE(...) diagnose((const char *const[]){"doctor", "--json", __VA_ARGS__, NULL})

static void free_diagnosis(diagnosis *d) {
    for (size_t i = 0; i < d->count; i++) {
        cJSON_Delete(d->lines[i]);
    }
    free(d->err);
}

static const cJSON *summary_of(const diagnosis *d) {
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(d->lines[d->count - 1], "summary");
    assert_non_null(summary);
    return summary;
}

static const cJSON *devices_of(const diagnosis *d) {
    return array_of(d->lines[0], "devices");
}

// The first finding of a check; device −1: about the machine.
static const cJSON *find(const diagnosis *d, const char *name, int device) {
    for (size_t i = 1; i + 1 < d->count; i++) {
        const cJSON *of = cJSON_GetObjectItemCaseSensitive(d->lines[i], "device");
        const int index = cJSON_IsNumber(of) ? of->valueint : -1;
        if (index == device && strcmp(text_of(d->lines[i], "name"), name) == 0) {
            return d->lines[i];
        }
    }
    fail_msg("no finding '%s' of device %d", name, device);
    return NULL;
}

// The finding has this verdict, its detail and its hint hold these texts ("" any).
static void expect(const diagnosis *d, const char *name, int device, const char *verdict, const char *detail,
                   const char *hint) {
    const cJSON *finding = find(d, name, device);
    if (strcmp(text_of(finding, "verdict"), verdict) != 0 || strstr(text_of(finding, "detail"), detail) == NULL) {
        fail_msg("%s: found %s, '%s', expected %s, '%s'", name, text_of(finding, "verdict"), text_of(finding, "detail"),
                 verdict, detail);
    }
    if (hint[0] != '\0' && strstr(text_of(finding, "hint"), hint) == NULL) {
        fail_msg("%s: found the hint '%s', expected '%s' in it", name, text_of(finding, "hint"), hint);
    }
}

// Whatever is not right says what to do, and numbers are held against their tolerance.
static void expect_form(const diagnosis *d) {
    for (size_t i = 1; i + 1 < d->count; i++) {
        const cJSON *line = d->lines[i];
        const char *verdict = text_of(line, "verdict");
        expect_keys(line, "name,device,verdict,error,tolerance,time_us,detail,hint,essential");
        const bool well = strcmp(verdict, "pass") == 0;
        if (!well && strcmp(verdict, "skipped") != 0) {
            assert_true(text_of(line, "hint")[0] != '\0');
        }
        if (well && cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(line, "error"))) {
            assert_true(number_of(line, "error") <= number_of(line, "tolerance"));
        }
    }
}

// The index of a CPU device that takes tile kernels; skips where there is none.
static int tile_device(void) {
    int index = -1;
    outcome result = RUN("", "devices", "--json");
    parse_lines(&result);
    for (size_t i = 0; i < result.line_count && index < 0; i++) {
        if (strcmp(text_of(result.lines[i], "type"), "cpu") == 0 &&
            strstr(text_of(result.lines[i], "name"), "llvmpipe") == NULL) {
            index = (int)number_of(result.lines[i], "index");
        }
    }
    free_outcome(&result);
    if (index < 0) {
        print_message("no device that takes tile kernels\n");
        skip();
    }
    return index;
}

// ---- Sound machines ---------------------------------------------------------------------------------------

static void test_sound(void **state) {
    (void)state;
    need_device();
    diagnosis d = DIAGNOSE("--timeout", "500");
    expect_form(&d);
    if (d.exit_code != 0) {
        fail_msg("exit code %d: %s", d.exit_code, d.err);
    }
    assert_int_equal((int)number_of(summary_of(&d), "fail"), 0);
    size_t chosen = 0;
    const cJSON *device = NULL;
    cJSON_ArrayForEach(device, devices_of(&d)) {
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(device, "chosen"))) {
            const int index = (int)number_of(device, "index");
            expect(&d, "encoder", index, "pass", "two runs in flight", "");
            expect(&d, "kernel linear_plain", index, "pass", "61x768x384", "");
            expect(&d, "product linear_plain small", index, "pass", "5x40x67", "");
            expect(&d, "product clblast large", index, "pass", "x768x768", "");
            find(&d, "timer", index);
            find(&d, "memory", index);
            chosen++;
        }
    }
    assert_true(chosen > 0);
    assert_int_equal(cJSON_GetArraySize(array_of(summary_of(&d), "fit")), chosen);
    expect(&d, "loader", -1, "pass", "libOpenCL", "");
    expect(&d, "cache", -1, "pass", "can be written", "");
    free_diagnosis(&d);
}

// One device, for people: tables and a summary; and nothing on standard error.
static void test_table(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "doctor", "--quick", "--device", "0");
    expect_exit(&result, 0);
    const char *const texts[] = {"This machine\n", "\nDevice 0: ", "\nencoder ", "; fit to run on: 0 = "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strstr(result.out, texts[i]) == NULL) {
            fail_msg("no '%s' in:\n%s", texts[i], result.out);
        }
    }
    assert_null(strstr(result.out, "\nDevice 1: "));
    assert_null(strstr(result.out, " large "));
    assert_string_equal(result.err, "");
    free_outcome(&result);
}

// ---- Kernels ----------------------------------------------------------------------------------------------

// Makes ENCL_KERNEL_DIR a copy of kernels/ in which `old` is `new` in a file (old NULL: the file is `new`).
static void sabotage(const char *file, const char *old, const char *new) {
    char *text = NULL;
    size_t length = 0;
    char kernels[PATH_LENGTH];
    char from[PATH_LENGTH];
    char to[2 * PATH_LENGTH];
    char command[3 * PATH_LENGTH];
    encl_string changed = {0};
    snprintf(kernels, sizeof kernels, "%s", in_folder("kernels"));
    snprintf(from, sizeof from, "kernels/%s", file);
    snprintf(to, sizeof to, "%s/%s", kernels, file);
    snprintf(command, sizeof command, "mkdir -p '%s' && cp kernels/* '%s'/", kernels, kernels);
    assert_int_equal(system(command), 0);
    assert_ok(encl_file_read(from, 1 << 20, &text, &length));
    const char *at = old != NULL ? strstr(text, old) : text;
    assert_non_null(at);
    assert_ok(encl_string_append(&changed, text, (size_t)(at - text)));
    assert_ok(encl_string_format(&changed, "%s%s", new, old != NULL ? at + strlen(old) : ""));
    assert_ok(encl_file_write(to, changed.text, changed.length));
    encl_string_free(&changed);
    free(text);
    setenv("ENCL_KERNEL_DIR", kernels, 1);
}

// A kernel that computes wrong: named with its error, and the run goes on with the next row.
static void test_wrong_kernel(void **state) {
    (void)state;
    need_device();
    char device[16];
    const int index = tile_device();
    snprintf(device, sizeof device, "%d", index);
    sabotage("layer_norm_tile.cl", "+ epsilon)", "+ epsilon + 0.01f)");
    diagnosis d = DIAGNOSE("--quick", "--device", device);
    unsetenv("ENCL_KERNEL_DIR");
    expect_form(&d);
    assert_int_equal(d.exit_code, 0);
    expect(&d, "kernel layer_norm_tile", index, "fail", "error too large", "takes layer_norm_plain instead");
    assert_true(number_of(find(&d, "kernel layer_norm_tile", index), "error") > 1e-4);
    expect(&d, "kernel layer_norm_plain", index, "pass", "", "");
    expect(&d, "encoder", index, "pass", "1 kernel was left out", "");
    expect(&d, "product clblast small", index, "skipped", "--quick", ""); // nothing takes CLBlast on a CPU
    expect(&d, "kernels", -1, "note", "ENCL_KERNEL_DIR", "unset");
    assert_int_equal((int)number_of(summary_of(&d), "fail"), 1);
    assert_int_equal(cJSON_GetArraySize(array_of(summary_of(&d), "fit")), 1);
    free_diagnosis(&d);
}

static void test_kernel_that_does_not_build(void **state) {
    (void)state;
    need_device();
    char device[16];
    const int index = tile_device();
    snprintf(device, sizeof device, "%d", index);
    sabotage("attention_tile.cl", "__kernel", "no such type; __kernel");
    diagnosis d = DIAGNOSE("--quick", "--device", device);
    unsetenv("ENCL_KERNEL_DIR");
    expect_form(&d);
    assert_int_equal(d.exit_code, 0);
    expect(&d, "kernel attention_tile", index, "fail", "attention_tile.cl:", "takes attention_tile_6 instead");
    expect(&d, "kernel attention_tile_6", index, "fail", "attention_tile.cl:", "takes attention_plain instead");
    expect(&d, "encoder", index, "pass", "2 kernels were left out", "");
    free_diagnosis(&d);
}

static void test_no_kernel_builds(void **state) {
    (void)state;
    need_device();
    sabotage("prelude.h", NULL, "this is no OpenCL C\n");
    diagnosis d = DIAGNOSE("--quick", "--device", "0");
    unsetenv("ENCL_KERNEL_DIR");
    expect_form(&d);
    assert_int_equal(d.exit_code, 1);
    expect(&d, "kernel pool", 0, "fail", "", "no other kernel computes pool here");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(find(&d, "kernel pool", 0), "essential")));
    expect(&d, "encoder", 0, "fail", "", "--device");
    assert_int_equal(cJSON_GetArraySize(array_of(summary_of(&d), "fit")), 0);
    free_diagnosis(&d);
}

// ---- Drivers ----------------------------------------------------------------------------------------------

static char *saved_vendors; // OCL_ICD_VENDORS as the whole run of tests has it

static void set_vendors(const char *place) {
    const char *now = getenv("OCL_ICD_VENDORS");
    saved_vendors = now != NULL ? strdup(now) : NULL;
    setenv("OCL_ICD_VENDORS", place, 1);
}

static void restore_vendors(void) {
    if (saved_vendors != NULL) {
        setenv("OCL_ICD_VENDORS", saved_vendors, 1);
    } else {
        unsetenv("OCL_ICD_VENDORS");
    }
    free(saved_vendors);
    saved_vendors = NULL;
}

// A folder with the drivers of this run of tests, and one more.
static const char *vendors_with(const char *name, const char *icd, const char *library) {
    char command[4 * PATH_LENGTH];
    const char *there = getenv("OCL_ICD_VENDORS");
    const char *made = in_folder(name);
    assert_ok(encl_path_make_folder(made));
    snprintf(command, sizeof command, "cp '%s'/*.icd '%s'/ && printf '%%s\\n' '%s' > '%s/%s'",
             there != NULL && encl_path_is_folder(there) ? there : "/etc/OpenCL/vendors", made, library, made, icd);
    assert_int_equal(system(command), 0);
    return made;
}

// Builds a shared library from C; skips where there is no compiler.
static const char *build_library(const char *name, const char *source) {
    char command[4 * PATH_LENGTH];
    char file[64];
    snprintf(file, sizeof file, "%s.c", name);
    const char *path = in_folder(name);
    snprintf(command, sizeof command, "cc -shared -fPIC -Wno-deprecated-declarations -o '%s' '%s' 2>'%s'", path,
             write_text(file, source), in_folder("cc.txt"));
    if (system("cc --version >/dev/null 2>&1") != 0) {
        print_message("no C compiler\n");
        skip();
    }
    assert_int_equal(system(command), 0);
    return path;
}

// A driver, as far as the loader looks, whose list of platforms does something else first.
// clang-format off
#define DRIVER(act)                                                                                            \
    "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n" \
    "int clGetPlatformInfo(void) { return -32; }\n"                                                             \
    "int clIcdGetPlatformIDsKHR(unsigned n, void *p, unsigned *count) {\n" act                                  \
    "  if (count) *count = 0; (void)n; (void)p; return -1001;\n}\n"                                             \
    "void *clGetExtensionFunctionAddress(const char *name) {\n"                                                 \
    "  return strcmp(name, \"clIcdGetPlatformIDsKHR\") == 0 ? (void *)clIcdGetPlatformIDsKHR : 0;\n}\n"
// clang-format on

static void expect_no_device(const char *vendors, const char *verdict, const char *detail) {
    set_vendors(vendors);
    diagnosis d = DIAGNOSE("--quick");
    restore_vendors();
    expect_form(&d);
    assert_int_equal(d.exit_code, 1);
    expect(&d, "drivers", -1, verdict, detail, "OCL_ICD_VENDORS");
    expect(&d, "devices", -1, "fail", "no OpenCL device", "pocl-opencl-icd");
    assert_int_equal(cJSON_GetArraySize(devices_of(&d)), 0);
    free_diagnosis(&d);
}

static void test_no_driver(void **state) {
    (void)state;
    char place[PATH_LENGTH];
    snprintf(place, sizeof place, "%s", in_folder("empty"));
    assert_ok(encl_path_make_folder(place));
    expect_no_device(place, "fail", "no file that ends in .icd");
    snprintf(place, sizeof place, "%s", in_folder("nowhere"));
    expect_no_device(place, "fail", "nowhere");
}

// The others serve on.
static void test_driver_that_is_not_there(void **state) {
    (void)state;
    need_device();
    set_vendors(vendors_with("missing", "gone.icd", "/nonexistent/libgone.so.1"));
    diagnosis d = DIAGNOSE("--quick", "--device", "0");
    restore_vendors();
    expect_form(&d);
    assert_int_equal(d.exit_code, 0);
    expect(&d, "driver gone.icd", -1, "fail", "/nonexistent/libgone.so.1", "package");
    expect(&d, "encoder", 0, "pass", "", "");
    free_diagnosis(&d);
}

static void test_driver_that_crashes(void **state) {
    (void)state;
    need_device();
    const char *library =
        build_library("libcrash.so", DRIVER("  fputs(\"assertion of the driver\\n\", stderr); abort();\n"));
    set_vendors(vendors_with("crashing", "crash.icd", library));
    outcome other = RUN("", "devices");
    assert_int_equal(other.exit_code, -1); // as every program does
    free_outcome(&other);
    diagnosis d = DIAGNOSE("--quick", "--device", "0");
    restore_vendors();
    expect_form(&d);
    assert_int_equal(d.exit_code, 1);
    expect(&d, "driver crash.icd", -1, "fail", "SIGABRT", "OCL_ICD_VENDORS");
    expect(&d, "driver crash.icd", -1, "fail", "assertion of the driver", "");
    expect(&d, "encoder", 0, "pass", "", ""); // checked without the one that crashes
    free_diagnosis(&d);
}

static void test_driver_that_hangs(void **state) {
    (void)state;
    const char *library = build_library("libhang.so", DRIVER("  for (;;) pause();\n"));
    char place[PATH_LENGTH];
    snprintf(place, sizeof place, "%s", in_folder("hanging"));
    assert_ok(encl_path_make_folder(place));
    write_text("hanging/hang.icd", library);
    set_vendors(place);
    diagnosis d = DIAGNOSE("--timeout", "1");
    restore_vendors();
    expect_form(&d);
    assert_int_equal(d.exit_code, 1);
    expect(&d, "driver hang.icd", -1, "fail", "hung: no answer for 1 s", "update or remove");
    find(&d, "devices", -1); // it went on, and found none
    free_diagnosis(&d);
}

// A layer between program and driver, in which `function` takes the place of an OpenCL call.
// clang-format off
#define LAYER(call, function, source)                                                                          \
    "#include <CL/cl_layer.h>\n#include <stdlib.h>\n#include <string.h>\n"                                      \
    "static struct _cl_icd_dispatch table;\nstatic const struct _cl_icd_dispatch *next;\n" source              \
    "CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value,\n"           \
    "                                               size_t *returned) {\n"                                     \
    "  if (what != CL_LAYER_API_VERSION) return CL_INVALID_VALUE;\n"                                           \
    "  if (value && size >= sizeof(cl_layer_api_version))\n"                                                   \
    "    *(cl_layer_api_version *)value = CL_LAYER_API_VERSION_100;\n"                                         \
    "  if (returned) *returned = sizeof(cl_layer_api_version);\n  return CL_SUCCESS;\n}\n"                     \
    "CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint n, const struct _cl_icd_dispatch *target,\n"          \
    "    cl_uint *count, const struct _cl_icd_dispatch **mine) {\n"                                            \
    "  (void)n; next = target; table = *target; table." call " = " function ";\n"                              \
    "  *count = sizeof table / sizeof(void *); *mine = &table; return CL_SUCCESS;\n}\n"
// clang-format on

// Ends the process where one kernel is made.
static const char crashing_layer[] =
    LAYER("clCreateKernel", "make",
          "static CL_API_ENTRY cl_kernel CL_API_CALL make(cl_program p, const char *name, cl_int *e) {\n"
          "  if (strcmp(name, \"pool\") == 0) abort();\n"
          "  return next->clCreateKernel(p, name, e);\n}\n");

// Has no memory for the device whose name TEST_UNFIT is.
static const char unfit_layer[] =
    LAYER("clCreateContext", "make",
          "static CL_API_ENTRY cl_context CL_API_CALL make(const cl_context_properties *p, cl_uint n,\n"
          "    const cl_device_id *d, void (CL_CALLBACK *f)(const char *, const void *, size_t, void *),\n"
          "    void *u, cl_int *e) {\n"
          "  char name[256] = \"\"; const char *unfit = getenv(\"TEST_UNFIT\");\n"
          "  next->clGetDeviceInfo(d[0], CL_DEVICE_NAME, sizeof name, name, NULL);\n"
          "  if (unfit && strcmp(name, unfit) == 0) { if (e) *e = CL_OUT_OF_HOST_MEMORY; return NULL; }\n"
          "  return next->clCreateContext(p, n, d, f, u, e);\n}\n");

// A crash within a device's checks is named, and those behind it are made all the same.
static void test_check_that_crashes(void **state) {
    (void)state;
    need_device();
    setenv("OPENCL_LAYERS", build_library("liblayer.so", crashing_layer), 1);
    diagnosis d = DIAGNOSE("--quick", "--device", "0");
    unsetenv("OPENCL_LAYERS");
    expect_form(&d);
    const cJSON *crashed = find(&d, "kernel pool", 0);
    if (strcmp(text_of(crashed, "verdict"), "pass") == 0) {
        free_diagnosis(&d);
        print_message("this OpenCL loader has no layers\n");
        skip();
    }
    assert_int_equal(d.exit_code, 1);
    expect(&d, "kernel pool", 0, "fail", "crashed (SIGABRT)", "update it");
    expect(&d, "kernel gather", 0, "pass", "", "");
    expect(&d, "kernel top_k_plain", 0, "pass", "", "");
    expect(&d, "encoder", 0, "pass", "", "");
    expect(&d, "product linear_plain small", 0, "pass", "", "");
    free_diagnosis(&d);
}

// With a device that cannot be opened, doctor ends with this exit code.
static void expect_unfit(const char *name, const char *index, bool named, int exit_code) {
    setenv("TEST_UNFIT", name, 1);
    diagnosis d = named ? DIAGNOSE("--quick", "--device", index) : DIAGNOSE("--quick", "--timeout", "60");
    unsetenv("TEST_UNFIT");
    expect_form(&d);
    expect(&d, "open", (int)strtol(index, NULL, 10), "fail", "", "cannot be opened");
    assert_int_equal(d.exit_code, exit_code);
    // Where PoCL's device "basic" is the one that is left, it now and then does not answer, so nothing is said of it.
    const bool sure = named || exit_code == 0;
    const int fit = cJSON_GetArraySize(array_of(summary_of(&d), "fit"));
    const int unfit = cJSON_GetArraySize(array_of(summary_of(&d), "unfit"));
    assert_true(sure ? fit == (named ? 0 : 1) && unfit == 1 : fit + unfit == 2 && unfit >= 1);
    free_diagnosis(&d);
}

// Of PoCL's two devices here, one is that of `auto`: it must be fit, the other one only where it is named.
static void test_device_that_is_unfit(void **state) {
    (void)state;
    need_device();
    const char *there = getenv("OCL_ICD_VENDORS");
    char place[PATH_LENGTH];
    char command[4 * PATH_LENGTH];
    snprintf(place, sizeof place, "%s", in_folder("pocl"));
    snprintf(command, sizeof command, "mkdir -p '%s' && cp '%s'/*pocl*.icd '%s'/ 2>/dev/null", place,
             there != NULL ? there : "/etc/OpenCL/vendors", place);
    const bool has_pocl = system(command) == 0;
    set_vendors(place);
    setenv("POCL_DEVICES", "pthread basic", 1);
    setenv("OPENCL_LAYERS", build_library("libunfit.so", unfit_layer), 1);
    outcome result = RUN("", "devices", "--json");
    parse_lines(&result);
    if (!has_pocl || result.line_count != 2) {
        print_message("no PoCL with two devices\n");
    } else {
        // The first line is what `auto` takes.
        const char *const index[] = {number_of(result.lines[0], "index") > 0 ? "1" : "0",
                                     number_of(result.lines[1], "index") > 0 ? "1" : "0"};
        expect_unfit(text_of(result.lines[0], "name"), index[0], false, 1);
        expect_unfit(text_of(result.lines[1], "name"), index[1], false, 0);
        expect_unfit(text_of(result.lines[1], "name"), index[1], true, 1);
    }
    free_outcome(&result);
    unsetenv("OPENCL_LAYERS");
    unsetenv("POCL_DEVICES");
    restore_vendors();
}

// Ctrl-C ends doctor and its child.
static void test_interrupt(void **state) {
    (void)state;
    char place[PATH_LENGTH];
    char note[PATH_LENGTH];
    char *text = NULL;
    size_t length = 0;
    snprintf(note, sizeof note, "%s", in_folder("began.txt"));
    setenv("TEST_NOTE", note, 1);
    const char *library = build_library(
        "libwait.so", DRIVER("  FILE *f = fopen(getenv(\"TEST_NOTE\"), \"w\"); fprintf(f, \"%d\\n\", (int)getpid());\n"
                             "  fclose(f); for (;;) pause();\n"));
    snprintf(place, sizeof place, "%s", in_folder("waiting"));
    assert_ok(encl_path_make_folder(place));
    write_text("waiting/wait.icd", library);
    set_vendors(place);
    assert_ok(encl_file_write(in_folder("in.txt"), "", 0));
    const pid_t doctor = start_program((const char *const[]){"doctor", NULL}, -1, "out.txt");
    restore_vendors();
    const struct timespec moment = {.tv_nsec = 10000000};
    for (int i = 0; i < 6000 && (text == NULL || strchr(text, '\n') == NULL); i++) {
        nanosleep(&moment, NULL);
        free(text);
        if (encl_file_read(note, 64, &text, &length) != ENCL_OK) {
            text = NULL;
        }
    }
    assert_non_null(text);
    const pid_t child = (pid_t)strtol(text, NULL, 10);
    free(text);
    assert_true(child > 1);
    assert_int_equal(kill(doctor, SIGINT), 0);
    outcome result = finish_program(doctor);
    unsetenv("TEST_NOTE");
    assert_int_equal(result.exit_code, 130);
    assert_int_equal(kill(child, 0), -1);
    assert_int_equal(errno, ESRCH);
    free_outcome(&result);
}

// ---- The rest ---------------------------------------------------------------------------------------------

static void test_cache_that_cannot_be_written(void **state) {
    (void)state;
    char place[PATH_LENGTH];
    char *saved = strdup(getenv("ENCL_CACHE_DIR"));
    snprintf(place, sizeof place, "%s", write_text("file", "no folder"));
    setenv("ENCL_CACHE_DIR", in_folder("file/cache"), 1);
    snprintf(place, sizeof place, "%s", in_folder("empty"));
    assert_ok(encl_path_make_folder(place));
    set_vendors(place);
    diagnosis d = DIAGNOSE("--quick");
    restore_vendors();
    setenv("ENCL_CACHE_DIR", saved, 1);
    free(saved);
    expect_form(&d);
    expect(&d, "cache", -1, "warning", "expected a folder", "ENCL_CACHE_DIR");
    free_diagnosis(&d);
}

// A text as a whole word.
static bool has_word(const char *text, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length])) {
            return true;
        }
    }
    return false;
}

static void expect_nothing_private(const char *report, const char *home) {
    char *text = NULL;
    size_t length = 0;
    char host[256] = "";
    assert_ok(encl_file_read(report, 1 << 24, &text, &length));
    assert_true(length > 1000);
    gethostname(host, sizeof host - 1);
    const char *const hidden[] = {home, "jane-doe", "8c0e1d5a", "/secret/model", "~doctor"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (strstr(text, hidden[i]) != NULL) {
            fail_msg("found '%s' in the report", hidden[i]);
        }
    }
    if (host[0] != '\0' && strcmp(host, "localhost") != 0 && strcmp(host, "debian") != 0) {
        assert_false(has_word(text, host));
    }
    assert_non_null(strstr(text, "~/vendors"));
    assert_non_null(strstr(text, "GPU-UUID"));
    assert_non_null(strstr(text, "/media/USER/cache"));
    assert_non_null(strstr(text, encl_version()));
    free(text);
}

static void test_report(void **state) {
    (void)state;
    char home[PATH_LENGTH];
    char *old_home = strdup(getenv("HOME") != NULL ? getenv("HOME") : "/");
    char *old_user = getenv("USER") != NULL ? strdup(getenv("USER")) : NULL;
    snprintf(home, sizeof home, "%s", in_folder("home-of-someone"));
    vendors_with("home-of-someone/vendors", "gone.icd", "/home/jane-doe/libgone.so");
    char caches[PATH_LENGTH]; // drivers' own, which are warm there
    snprintf(caches, sizeof caches, "%s/.cache", old_home);
    const bool own_caches = getenv("XDG_CACHE_HOME") == NULL;
    setenv("XDG_CACHE_HOME", caches, 0);
    setenv("HOME", home, 1);
    setenv("USER", "jane-doe", 1);
    setenv("CUDA_VISIBLE_DEVICES", "GPU-8c0e1d5a-1234-5678-9abc-def012345678", 1);
    setenv("CUDA_CACHE_PATH", "/media/jane-doe/cache", 1);
    setenv("ENCL_MINILM", "/secret/model", 1);
    set_vendors(in_folder("home-of-someone/vendors"));
    static const char *const names[] = {"report.json", "report.md", "report.txt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char report[PATH_LENGTH];
        snprintf(report, sizeof report, "%s", in_folder(names[i]));
        outcome result = RUN("", "doctor", "--quick", "--device", "0", "--report", report);
        free_outcome(&result);
        expect_nothing_private(report, home);
        // Devices are in the first report alone.
        assert_int_equal(system("cd \"$HOME\"/vendors && find . -name '*.icd' ! -name gone.icd -delete"), 0);
    }
    cJSON *json = NULL;
    assert_ok(encl_json_read(in_folder("report.json"), 1 << 24, &json));
    assert_string_equal(text_of(json, "schema"), "encl.doctor/1");
    assert_true(cJSON_GetArraySize(array_of(json, "findings")) > 4);
    cJSON_Delete(json);
    restore_vendors();
    if (own_caches) {
        unsetenv("XDG_CACHE_HOME");
    }
    unsetenv("CUDA_VISIBLE_DEVICES");
    unsetenv("CUDA_CACHE_PATH");
    unsetenv("ENCL_MINILM");
    setenv("HOME", old_home, 1);
    if (old_user != NULL) {
        setenv("USER", old_user, 1);
    } else {
        unsetenv("USER");
    }
    free(old_home);
    free(old_user);
}

static void test_misuse(void **state) {
    (void)state;
    expect_misuse(RUN("", "doctor", "--report", "report.pdf"), "expected a name that ends in .json, .md or .txt");
    expect_misuse(RUN("", "doctor", "--timeout", "0"), "--timeout: found '0'");
    expect_misuse(RUN("", "doctor", "--timeout", "soon"), "--timeout: found 'soon'");
    expect_misuse(RUN("", "--profile", "trace.json", "doctor"), "--profile does not go with doctor");
    expect_misuse(RUN("", "doctor", "model"), "unexpected argument 'model'");
    expect_bad(RUN("", "doctor", "--child", "devices"), "--child is for encl itself");
    need_device();
    expect_bad(RUN("", "doctor", "--json", "--device", "no such device"), "device 'no such device' matches nothing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_wrong_kernel),
        cmocka_unit_test(test_kernel_that_does_not_build),
        cmocka_unit_test(test_no_kernel_builds),
        cmocka_unit_test(test_no_driver),
        cmocka_unit_test(test_driver_that_is_not_there),
        cmocka_unit_test(test_driver_that_crashes),
        cmocka_unit_test(test_driver_that_hangs),
        cmocka_unit_test(test_check_that_crashes),
        cmocka_unit_test(test_device_that_is_unfit),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_cache_that_cannot_be_written),
        cmocka_unit_test(test_report),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
