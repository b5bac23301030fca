// Discovery and choice on a made-up machine: this program's own clGetPlatformIDs and the like stand before the
// loader's, so that drivers which lie, fail or pad their names can be had anywhere.
#include "fixture.h"

#include "runtime/device/discovery.h"

#include <CL/cl_ext.h>

typedef struct fake_device {
    const char *name;
    cl_device_type type;
    cl_uint units;
    cl_uint width;
    const char *version;
    const char *extensions;
    cl_uint subgroups; // CL_DEVICE_MAX_NUM_SUB_GROUPS
    cl_bool dot;       // 4×8-bit dot product accelerated
    cl_uint compute_capability[2];
    bool subgroup_feature;       // __opencl_c_subgroups
    bool opencl_c_3;             // in CL_DEVICE_OPENCL_C_ALL_VERSIONS
    bool without_compiler;       // CL_DEVICE_COMPILER_AVAILABLE
    cl_device_info failing_with; // the query that fails
} fake_device;

typedef struct fake_platform {
    const char *name;
    cl_int list_error; // of clGetDeviceIDs
    const fake_device *devices;
    cl_uint count;
} fake_platform;

static const fake_device clover[] = {
    {.name = "AMD Radeon RX 580 (Clover)", .type = 4, .units = 36, .width = 1, .version = "OpenCL 1.1 Mesa 22"},
    {.name = "AMD Radeon RX 570 (Clover)", .type = 4, .units = 36, .width = 1, .version = "OpenCL 1.2 Mesa 22"},
};
static const fake_device pocl[] = {
    {.name = "pthread-znver3",
     .type = 2,
     .units = 16,
     .width = 8,
     .version = "OpenCL 3.0 PoCL",
     .opencl_c_3 = true,
     .extensions = "cl_khr_integer_dot_product",
     .dot = CL_TRUE},
};
static const fake_device nvidia[] = {
    {.name = "NVIDIA T400",
     .type = 4,
     .units = 6,
     .width = 1,
     .version = "OpenCL 3.0 CUDA",
     .subgroups = 32,
     .extensions = "cl_nv_device_attribute_query",
     .compute_capability = {6, 0}}, // the newest without dp4a
    {.name = "Fails", .type = 4, .version = "OpenCL 3.0 CUDA", .failing_with = CL_DEVICE_MAX_COMPUTE_UNITS},
    {.name = "  NVIDIA  GeForce\tRTX 4090 \n",
     .type = 4,
     .units = 128,
     .width = 1,
     .version = "OpenCL 3.0 CUDA",
     .extensions = " cl_khr_fp64 cl_nv_device_attribute_query ",
     .compute_capability = {8, 9}},
};
static const fake_device rusticl[] = {
    {.name = "llvmpipe (LLVM 15.0.6, 256 bits)",
     .type = 4,
     .units = 9999,
     .width = 8,
     .version = "OpenCL 3.0 ",
     .extensions = "cl_khr_integer_dot_product"},
    {.name = "AMD Radeon RX 580 (radeonsi)",
     .type = 4,
     .units = 36,
     .width = 1,
     .version = "OpenCL 3.0 ",
     .extensions = "cl_khr_fp16 cl_khr_fp64_not cl_khr_integer_dot_product", // but no OpenCL C to use it in
     .dot = CL_TRUE,
     .subgroup_feature = true},
};
static const fake_device edge[] = {
    // A number that only OpenCL 2.1 gives a meaning.
    {.name = "Edge", .type = 8, .units = 4, .width = 16, .version = "OpenCL 1.2 Edge", .subgroups = 7},
    {.name = "Headless", .type = 4, .units = 500, .width = 4, .version = "OpenCL 1.2 Edge", .without_compiler = true},
    {.name = "Old", .type = 9, .units = 1, .width = 1, .version = "OpenCL 2.0", .extensions = "cl_intel_subgroups"},
};
static const fake_platform platforms[] = {
    {.name = "Clover", .devices = clover, .count = 2},
    {.name = "Portable Computing Language", .devices = pocl, .count = 1},
    {.name = NULL, .devices = pocl, .count = 1}, // does not even tell its name
    {.name = "NVIDIA CUDA", .devices = nvidia, .count = 3},
    {.name = "Empty", .list_error = CL_DEVICE_NOT_FOUND},
    {.name = "Angry", .list_error = CL_OUT_OF_HOST_MEMORY},
    {.name = "rusticl", .devices = rusticl, .count = 2},
    {.name = "Edges", .devices = edge, .count = 3},
};
static cl_uint platform_count;

static cl_int give(const void *value, size_t length, size_t capacity, void *destination, size_t *needed) {
    if (needed != NULL) {
        *needed = length;
    }
    if (destination != NULL && capacity < length) {
        return CL_INVALID_VALUE;
    }
    if (destination != NULL) {
        memcpy(destination, value, length);
    }
    return CL_SUCCESS;
}

static cl_int give_text(const char *text, size_t capacity, void *destination, size_t *needed) {
    text = text != NULL ? text : "";
    return give(text, strlen(text) + 1, capacity, destination, needed);
}

cl_int clGetPlatformIDs(cl_uint capacity, cl_platform_id *ids, cl_uint *count) {
    for (cl_uint i = 0; ids != NULL && i < capacity && i < platform_count; i++) {
        ids[i] = (cl_platform_id)&platforms[i];
    }
    if (count != NULL) {
        *count = platform_count;
    }
    return platform_count > 0 ? CL_SUCCESS : CL_PLATFORM_NOT_FOUND_KHR;
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info name, size_t capacity, void *value, size_t *needed) {
    const fake_platform *fake = (const fake_platform *)platform;
    if (fake->name == NULL) {
        return CL_INVALID_PLATFORM;
    }
    return give_text(name == CL_PLATFORM_NAME ? fake->name : "OpenCL 3.0", capacity, value, needed);
}

cl_int clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint capacity, cl_device_id *ids,
                      cl_uint *count) {
    const fake_platform *fake = (const fake_platform *)platform;
    (void)type;
    for (cl_uint i = 0; ids != NULL && i < capacity && i < fake->count; i++) {
        ids[i] = (cl_device_id)&fake->devices[i];
    }
    if (count != NULL) {
        *count = fake->count;
    }
    return fake->list_error;
}

#define GIVE(type, value) give(&(type){(value)}, sizeof(type), capacity, destination, needed)

cl_int clGetDeviceInfo(cl_device_id id, cl_device_info name, size_t capacity, void *destination, size_t *needed) {
    const fake_device *fake = (const fake_device *)id;
    static const cl_name_version versions[] = {{CL_MAKE_VERSION(1, 2, 0), "OpenCL C"},
                                               {CL_MAKE_VERSION(3, 0, 0), "OpenCL C"},
                                               {CL_MAKE_VERSION(1, 1, 0), "OpenCL C"}};
    static const cl_name_version features[] = {{CL_MAKE_VERSION(3, 0, 0), "__opencl_c_int64"},
                                               {CL_MAKE_VERSION(3, 0, 0), "__opencl_c_subgroups"}};
    if (name == fake->failing_with) {
        return CL_OUT_OF_RESOURCES;
    }
    switch (name) {
    case CL_DEVICE_NAME:
        return give_text(fake->name, capacity, destination, needed);
    case CL_DEVICE_VERSION:
        return give_text(fake->version, capacity, destination, needed);
    case CL_DEVICE_EXTENSIONS:
        return give_text(fake->extensions, capacity, destination, needed);
    case CL_DEVICE_OPENCL_C_VERSION:
        return give_text("OpenCL C 1.2", capacity, destination, needed);
    case CL_DEVICE_VENDOR:
    case CL_DRIVER_VERSION:
        return give_text("fake", capacity, destination, needed);
    case CL_DEVICE_TYPE:
        return GIVE(cl_device_type, fake->type);
    case CL_DEVICE_MAX_COMPUTE_UNITS:
        return GIVE(cl_uint, fake->units);
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
        return GIVE(cl_uint, fake->width);
    case CL_DEVICE_MAX_NUM_SUB_GROUPS:
        return GIVE(cl_uint, fake->subgroups);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
        return GIVE(cl_uint, 1024);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
    case CL_DEVICE_LOCAL_MEM_SIZE:
        return GIVE(cl_ulong, 1 << 20);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
    case CL_DEVICE_PROFILING_TIMER_RESOLUTION:
        return GIVE(size_t, 80);
    case CL_DEVICE_VENDOR_ID:
    case CL_DEVICE_MAX_CLOCK_FREQUENCY:
        return GIVE(cl_uint, 7);
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
    case CL_DEVICE_AVAILABLE:
        return GIVE(cl_bool, CL_TRUE);
    case CL_DEVICE_COMPILER_AVAILABLE:
        return GIVE(cl_bool, !fake->without_compiler);
    case CL_DEVICE_OPENCL_C_ALL_VERSIONS:
        return give(versions, sizeof versions - (fake->opencl_c_3 ? 0 : 2 * sizeof *versions), capacity, destination,
                    needed);
    case CL_DEVICE_OPENCL_C_FEATURES:
        return give(features, sizeof features - (fake->subgroup_feature ? 0 : sizeof *features), capacity, destination,
                    needed);
    case CL_DEVICE_INTEGER_DOT_PRODUCT_ACCELERATION_PROPERTIES_4x8BIT_PACKED_KHR:
        return give(&(cl_device_integer_dot_product_acceleration_properties_khr){.signed_accelerated = fake->dot},
                    sizeof(cl_device_integer_dot_product_acceleration_properties_khr), capacity, destination, needed);
    case 0x4000: // CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV and _MINOR_NV
    case 0x4001:
        return fake->compute_capability[0] == 0 ? CL_INVALID_VALUE
                                                : GIVE(cl_uint, fake->compute_capability[name - 0x4000]);
    default:
        return CL_INVALID_VALUE;
    }
}

// What the list must be: without the devices that do not answer, Clover's at the end, then what cannot be used.
enum { POCL, T400, RTX_4090, LLVMPIPE, RADEONSI, EDGE, OLD, CLOVER, CLOVER_11, HEADLESS, DEVICES };

static void test_nothing_there(void **state) {
    (void)state;
    const encl_device *const *devices = NULL;
    size_t count = 1;
    platform_count = 0;
    assert_int_equal(encl_devices(&devices, &count), ENCL_NO_DEVICE);
    assert_null(devices);
    assert_int_equal(count, 0);
    static const char *const packages[] = {"pocl-opencl-icd", "mesa-opencl-icd", "intel-opencl-icd",
                                           "nvidia-opencl-icd"};
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
        assert_non_null(strstr(encl_status_detail(), packages[i]));
    }
    const encl_device *device = NULL;
    assert_int_equal(encl_device_select("auto", &device, 1, &count), ENCL_NO_DEVICE);
}

static void test_order(void **state) {
    (void)state;
    const encl_device *const *devices = NULL;
    const encl_device *const *again = NULL;
    size_t count = 0;
    platform_count = sizeof platforms / sizeof *platforms;
    assert_ok(encl_devices(&devices, &count));
    assert_int_equal(count, DEVICES);
    static const char *const names[] = {[POCL] = "pthread-znver3",
                                        [T400] = "NVIDIA T400",
                                        [RTX_4090] = "NVIDIA GeForce RTX 4090",
                                        [LLVMPIPE] = "llvmpipe (LLVM 15.0.6, 256 bits)",
                                        [RADEONSI] = "AMD Radeon RX 580 (radeonsi)",
                                        [EDGE] = "Edge",
                                        [OLD] = "Old",
                                        [CLOVER] = "AMD Radeon RX 570 (Clover)",
                                        [CLOVER_11] = "AMD Radeon RX 580 (Clover)",
                                        [HEADLESS] = "Headless"};
    for (int i = 0; i < DEVICES; i++) {
        assert_string_equal(encl_device_get_info(devices[i])->name, names[i]);
        assert_int_equal(encl_device_get_info(devices[i])->index, i);
        assert_int_equal(encl_device_get_info(devices[i])->available, i != CLOVER_11 && i != HEADLESS);
    }
    assert_ok(encl_devices(&again, &count));
    assert_ptr_equal(again, devices);
}

static void test_capabilities(void **state) {
    (void)state;
    const encl_device *const *devices = NULL;
    size_t count = 0;
    assert_ok(encl_devices(&devices, &count));
    static const struct {
        bool subgroups, fp16, fp64, int_dot, software;
        uint32_t opencl_c;
        encl_device_type type;
        const char *family;
    } expected[] = {
        [POCL] = {.opencl_c = 300, .type = ENCL_DEVICE_CPU, .family = "tile", .int_dot = true},
        [T400] = {.opencl_c = 120, .type = ENCL_DEVICE_GPU, .family = "group", .subgroups = true},
        [RTX_4090] = {.opencl_c = 120, .type = ENCL_DEVICE_GPU, .family = "group", .fp64 = true, .int_dot = true},
        [LLVMPIPE] = {.opencl_c = 120, .type = ENCL_DEVICE_GPU, .family = "plain", .software = true},
        [RADEONSI] = {.opencl_c = 120, .type = ENCL_DEVICE_GPU, .family = "group", .fp16 = true, .subgroups = true},
        [EDGE] = {.opencl_c = 120, .type = ENCL_DEVICE_ACCELERATOR, .family = "group"},
        [OLD] = {.opencl_c = 120, .type = ENCL_DEVICE_ACCELERATOR, .family = "group", .subgroups = true},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const encl_device_info *info = encl_device_get_info(devices[i]);
        assert_int_equal(info->subgroups, expected[i].subgroups);
        assert_int_equal(info->fp16, expected[i].fp16);
        assert_int_equal(info->fp64, expected[i].fp64);
        assert_int_equal(info->int_dot, expected[i].int_dot);
        assert_int_equal(devices[i]->dot_khr, i == POCL);
        assert_int_equal(devices[i]->dot_dp4a, i == RTX_4090);
        assert_int_equal(info->software, expected[i].software);
        assert_int_equal(info->type, expected[i].type);
        assert_int_equal(devices[i]->opencl_c_version, expected[i].opencl_c);
        assert_string_equal(encl_device_family(devices[i]), expected[i].family);
        assert_int_equal(info->base_alignment, 128);
        assert_int_equal(info->timer_resolution_ns, 80);
    }
}

// A specification gives these devices, in this order (-1 ends the list).
static void expect_chosen(const char *specification, const int *expected) {
    const encl_device *chosen[DEVICES] = {NULL};
    const encl_device *const *devices = NULL;
    size_t count = 0;
    size_t all = 0;
    assert_ok(encl_devices(&devices, &all));
    assert_ok(encl_device_select(specification, chosen, DEVICES, &count));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(encl_device_get_info(chosen[i])->index, expected[i]);
        assert_ptr_equal(chosen[i], devices[expected[i]]);
    }
    assert_int_equal(expected[count], -1);
}

#define EXPECT(specification, ...) expect_chosen((specification), (const int[]){__VA_ARGS__, -1})

static void test_words(void **state) {
    (void)state;
    EXPECT(NULL, RTX_4090);
    EXPECT("auto", RTX_4090);
    EXPECT("AUTO", RTX_4090);
    // Most lanes first; of equals the first in the list; a software rasterizer last, however large.
    EXPECT("gpu", RTX_4090, RADEONSI, CLOVER, T400, LLVMPIPE);
    EXPECT("cpu", POCL);
    EXPECT("Accelerator", EDGE, OLD);
    EXPECT("all", RTX_4090, RADEONSI, CLOVER, T400, LLVMPIPE, EDGE, OLD, POCL);
}

static void test_indices_and_names(void **state) {
    (void)state;
    EXPECT("0", POCL);
    EXPECT("00", POCL);
    EXPECT(" 3 ", LLVMPIPE);
    EXPECT("9", HEADLESS);    // named outright, so opening it tells what is missing
    EXPECT("4090", RTX_4090); // no such index
    EXPECT("nvidia", RTX_4090, T400);
    EXPECT("cuda", RTX_4090, T400);
    EXPECT("PORTABLE computing", POCL);
    EXPECT("geforce rtx", RTX_4090);
    EXPECT("RX 580", RADEONSI); // Clover's twin cannot be used
}

static void test_lists(void **state) {
    (void)state;
    EXPECT("cpu,gpu", POCL, RTX_4090, RADEONSI, CLOVER, T400, LLVMPIPE);
    EXPECT("0,0,cpu,pthread", POCL);
    EXPECT(" T400 , auto", T400, RTX_4090);
    EXPECT("llvmpipe (LLVM 15.0.6, 256 bits)", LLVMPIPE); // a pasted name
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *specification;
        encl_status status;
    } rows[] = {
        {"", ENCL_INVALID},        {" ", ENCL_INVALID},          {",", ENCL_INVALID},
        {"0,", ENCL_INVALID},      {",0", ENCL_INVALID},         {"0,,1", ENCL_INVALID},
        {"tpu", ENCL_NOT_FOUND},   {"0,tpu", ENCL_NOT_FOUND},    {"10", ENCL_NOT_FOUND},
        {"-1", ENCL_NOT_FOUND},    {"autos", ENCL_NOT_FOUND},    {"99999999999999999999999", ENCL_NOT_FOUND},
        {"Fails", ENCL_NOT_FOUND}, {"Headless", ENCL_NOT_FOUND}, {"\xff\xfe", ENCL_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const encl_device *device = (const encl_device *)&rows[0];
        size_t count = 5;
        assert_int_equal(encl_device_select(rows[i].specification, &device, 1, &count), rows[i].status);
        assert_null(device);
        assert_int_equal(count, 0);
    }
    // The message lists what there is.
    assert_non_null(strstr(encl_status_detail(), "2 = NVIDIA CUDA: NVIDIA GeForce RTX 4090"));
    assert_non_null(strstr(encl_status_detail(), "Headless (not available)"));
}

static void test_capacity(void **state) {
    (void)state;
    const encl_device *chosen[3] = {NULL};
    size_t count = 0;
    chosen[2] = (const encl_device *)chosen;
    assert_ok(encl_device_select("all", chosen, 2, &count));
    assert_int_equal(count, 8);
    assert_int_equal(encl_device_get_info(chosen[0])->index, RTX_4090);
    assert_int_equal(encl_device_get_info(chosen[1])->index, RADEONSI);
    assert_ptr_equal(chosen[2], chosen);
    assert_ok(encl_device_select("all", NULL, 0, &count));
    assert_int_equal(count, 8);
}

static void test_unavailable(void **state) {
    (void)state;
    const encl_device *device = NULL;
    size_t count = 0;
    assert_ok(encl_device_select("9", &device, 1, &count));
    assert_int_equal(encl_device_acquire(device), ENCL_UNSUPPORTED);
    assert_non_null(strstr(encl_status_detail(), "Headless"));
    encl_device_release(device); // one too many does nothing
}

// A render node that this user may not open. Root may, so a child without rights looks.
static void test_advice(void **state) {
    (void)state;
    char folder[FIXTURE_PATH];
    char path[2 * FIXTURE_PATH];
    encl_string advice = {0};
    fixture_folder(folder);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_ok(encl_device_advice(folder, &advice));
    assert_null(strstr(advice.text, "render"));
    encl_string_free(&advice);
    fixture_write_text(folder, "renderD129", "");
    snprintf(path, sizeof path, "%s/renderD129", folder);
    assert_int_equal(chmod(path, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        bool dropped = getuid() != 0 || setuid(65534) == 0;
        bool good = dropped && encl_device_advice(folder, &advice) == ENCL_OK && strstr(advice.text, path) != NULL &&
                    strstr(advice.text, "render and video") != NULL;
        encl_string_free(&advice);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    fixture_remove(folder);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
    // In this order: the first finds nothing, which is not remembered; the rest share what is found then.
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_there),     cmocka_unit_test(test_order),
        cmocka_unit_test(test_capabilities),      cmocka_unit_test(test_words),
        cmocka_unit_test(test_indices_and_names), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refusals),          cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_unavailable),       cmocka_unit_test(test_advice),
    };
    return encl_test_main(tests);
}
