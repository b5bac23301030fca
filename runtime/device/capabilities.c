// Reading what a driver says of a device, with the corrections that drivers need.
#include "runtime/device/discovery.h"

#include <CL/cl_ext.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"

// Drivers pad names with blanks, and a control character must not reach a terminal.
static void tidy(char *text) {
    char *end = text;
    for (const char *from = text; *from != '\0'; from++) {
        bool blank = isspace((unsigned char)*from) || iscntrl((unsigned char)*from);
        if (!blank) {
            *end++ = *from;
        } else if (end > text && end[-1] != ' ') {
            *end++ = ' ';
        }
    }
    if (end > text && end[-1] == ' ') {
        end--;
    }
    *end = '\0';
}

encl_status encl_platform_text(cl_platform_id platform, cl_platform_info name, char **text) {
    encl_status status = ENCL_OK;
    size_t length = 0;
    void *memory = NULL;
    *text = NULL;
    ENCL_CL_TRY(clGetPlatformInfo(platform, name, 0, NULL, &length));
    ENCL_TRY(encl_allocate(length + 1, 1, &memory));
    ENCL_CL_TRY(clGetPlatformInfo(platform, name, length, memory, NULL));
    *text = memory;
    memory = NULL;
    tidy(*text);

cleanup:
    free(memory);
    return status;
}

static encl_status device_text(cl_device_id id, cl_device_info name, char **text) {
    encl_status status = ENCL_OK;
    size_t length = 0;
    void *memory = NULL;
    *text = NULL;
    ENCL_CL_TRY(clGetDeviceInfo(id, name, 0, NULL, &length));
    ENCL_TRY(encl_allocate(length + 1, 1, &memory));
    ENCL_CL_TRY(clGetDeviceInfo(id, name, length, memory, NULL));
    *text = memory;
    memory = NULL;
    tidy(*text);

cleanup:
    free(memory);
    return status;
}

// A whole word of a blank-separated list.
static bool lists(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

// "OpenCL 3.0 PoCL …" and "OpenCL C 1.2 …" → 300, 120; 0 where there is no number.
static uint32_t parse_version(const char *text) {
    char *end = NULL;
    const unsigned long major = strtoul(text + strcspn(text, "0123456789"), &end, 10);
    if (major > 99 || end[0] != '.' || end[1] < '0' || end[1] > '9') {
        return 0;
    }
    return (uint32_t)major * 100 + (uint32_t)(end[1] - '0') * 10;
}

// An array property of a device; *values is NULL and *count 0 where the driver does not know it. Caller frees.
static encl_status optional_array(cl_device_id id, cl_device_info name, size_t size, void **values, size_t *count) {
    encl_status status = ENCL_OK;
    size_t length = 0;
    *values = NULL;
    *count = 0;
    if (clGetDeviceInfo(id, name, 0, NULL, &length) != CL_SUCCESS || length < size) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_allocate(length, 1, values));
    if (clGetDeviceInfo(id, name, length, *values, NULL) != CL_SUCCESS) {
        free(*values);
        *values = NULL;
        return ENCL_OK;
    }
    *count = length / size;

cleanup:
    return status;
}

// The newest OpenCL C that -cl-std takes. From 3.0 on the version text names only what is compiled by default.
static encl_status read_opencl_c(cl_device_id id, uint32_t device_version, encl_device *device) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    size_t count = 0;
    uint32_t newest = parse_version(device->info.opencl_c);
    if (device_version >= 300) {
        ENCL_TRY(optional_array(id, CL_DEVICE_OPENCL_C_ALL_VERSIONS, sizeof(cl_name_version), &memory, &count));
    }
    const cl_name_version *versions = memory;
    for (size_t i = 0; i < count; i++) {
        uint32_t version = CL_VERSION_MAJOR(versions[i].version) * 100 + CL_VERSION_MINOR(versions[i].version) * 10;
        if (version > newest) {
            newest = version;
        }
    }
    device->opencl_c_version = newest;

cleanup:
    free(memory);
    return status;
}

static encl_status has_feature(cl_device_id id, uint32_t device_version, const char *feature, bool *has) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    size_t count = 0;
    *has = false;
    if (device_version >= 300) {
        ENCL_TRY(optional_array(id, CL_DEVICE_OPENCL_C_FEATURES, sizeof(cl_name_version), &memory, &count));
    }
    const cl_name_version *features = memory;
    for (size_t i = 0; i < count && !*has; i++) {
        *has = strncmp(features[i].name, feature, sizeof features[i].name) == 0;
    }

cleanup:
    free(memory);
    return status;
}

// No single sign is reliable: rusticl and Intel's CPU runtime have sub-groups without listing cl_khr_subgroups.
static encl_status read_subgroups(cl_device_id id, uint32_t device_version, const char *extensions,
                                  encl_device_info *info) {
    cl_uint most = 0;
    bool feature = false;
    encl_status status = has_feature(id, device_version, "__opencl_c_subgroups", &feature);
    if (device_version < 210 ||
        clGetDeviceInfo(id, CL_DEVICE_MAX_NUM_SUB_GROUPS, sizeof most, &most, NULL) != CL_SUCCESS) {
        most = 0;
    }
    info->subgroups =
        most > 0 || feature || lists(extensions, "cl_khr_subgroups") || lists(extensions, "cl_intel_subgroups");
    return status;
}

// PoCL and rusticl list the extension and emulate it; only accelerated instructions are worth a kernel. Its functions
// are those of OpenCL C 3.0.
static bool read_dot_khr(cl_device_id id, uint32_t opencl_c_version, const char *extensions) {
    cl_device_integer_dot_product_acceleration_properties_khr acceleration = {0};
    return opencl_c_version >= 300 && lists(extensions, "cl_khr_integer_dot_product") &&
           clGetDeviceInfo(id, CL_DEVICE_INTEGER_DOT_PRODUCT_ACCELERATION_PROPERTIES_4x8BIT_PACKED_KHR,
                           sizeof acceleration, &acceleration, NULL) == CL_SUCCESS &&
           acceleration.signed_accelerated == CL_TRUE;
}

// NVIDIA's driver lacks the extension, but takes assembly, and its GPUs have the instruction from 6.1 on.
static bool read_dot_dp4a(cl_device_id id, const char *extensions) {
    enum { COMPUTE_CAPABILITY_MAJOR = 0x4000, COMPUTE_CAPABILITY_MINOR = 0x4001 }; // cl_nv_device_attribute_query
    cl_uint major = 0;
    cl_uint minor = 0;
    return lists(extensions, "cl_nv_device_attribute_query") &&
           clGetDeviceInfo(id, COMPUTE_CAPABILITY_MAJOR, sizeof major, &major, NULL) == CL_SUCCESS &&
           clGetDeviceInfo(id, COMPUTE_CAPABILITY_MINOR, sizeof minor, &minor, NULL) == CL_SUCCESS &&
           (major > 6 || (major == 6 && minor >= 1));
}

static bool is_software(const char *name) {
    static const char *const rasterizers[] = {"llvmpipe", "softpipe", "swrast", "lavapipe", "SwiftShader"};
    for (size_t i = 0; i < sizeof rasterizers / sizeof *rasterizers; i++) {
        if (strcasestr(name, rasterizers[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static encl_device_type type_of(cl_device_type type) {
    if (type & CL_DEVICE_TYPE_GPU) {
        return ENCL_DEVICE_GPU;
    }
    return type & CL_DEVICE_TYPE_CPU ? ENCL_DEVICE_CPU : ENCL_DEVICE_ACCELERATOR;
}

static uint64_t limited_allocation(uint64_t bytes) {
    const char *text = getenv("ENCL_MAX_ALLOCATION");
    char *end = NULL;
    if (text == NULL || *text == '\0') {
        return bytes;
    }
    errno = 0;
    unsigned long long limit = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || limit == 0) {
        encl_warn("ENCL_MAX_ALLOCATION is '%s', expected a number of bytes; ignored", text);
        return bytes;
    }
    return limit < bytes ? limit : bytes;
}

static encl_status read_texts(cl_platform_id platform, cl_device_id id, encl_device_info *info) {
    encl_status status = ENCL_OK;
    char *text = NULL;
    ENCL_TRY(encl_platform_text(platform, CL_PLATFORM_NAME, &text));
    info->platform = text;
    ENCL_TRY(encl_platform_text(platform, CL_PLATFORM_VERSION, &text));
    info->platform_version = text;
    ENCL_TRY(device_text(id, CL_DEVICE_NAME, &text));
    info->name = text;
    ENCL_TRY(device_text(id, CL_DEVICE_VENDOR, &text));
    info->vendor = text;
    ENCL_TRY(device_text(id, CL_DRIVER_VERSION, &text));
    info->driver = text;
    ENCL_TRY(device_text(id, CL_DEVICE_OPENCL_C_VERSION, &text));
    info->opencl_c = text;

cleanup:
    return status;
}

// Reads one fixed-size property into a variable of its OpenCL type, then into the field.
#define READ(name, type, field, value_type)                                     \
    do {                                                                        \
        type value_ = 0;                                                        \
        ENCL_CL_TRY(clGetDeviceInfo(id, (name), sizeof value_, &value_, NULL)); \
        (field) = (value_type)value_;                                           \
    } while (0)

static encl_status read_numbers(cl_device_id id, encl_device_info *info) {
    encl_status status = ENCL_OK;
    cl_device_type type = 0;
    cl_uint alignment_bits = 0;
    ENCL_CL_TRY(clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL));
    info->type = type_of(type);
    READ(CL_DEVICE_VENDOR_ID, cl_uint, info->vendor_id, uint32_t);
    READ(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint, info->compute_units, uint32_t);
    READ(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint, info->native_float_width, uint32_t);
    READ(CL_DEVICE_MAX_CLOCK_FREQUENCY, cl_uint, info->clock_mhz, uint32_t);
    READ(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong, info->global_memory, uint64_t);
    READ(CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong, info->max_allocation, uint64_t);
    READ(CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong, info->local_memory, uint64_t);
    READ(CL_DEVICE_MAX_WORK_GROUP_SIZE, size_t, info->max_group, uint64_t);
    READ(CL_DEVICE_PROFILING_TIMER_RESOLUTION, size_t, info->timer_resolution_ns, uint64_t);
    READ(CL_DEVICE_HOST_UNIFIED_MEMORY, cl_bool, info->unified_memory, bool);
    READ(CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint, alignment_bits, cl_uint);
    info->base_alignment = alignment_bits >= 8 ? alignment_bits / 8 : 1;
    info->max_allocation = limited_allocation(info->max_allocation);

cleanup:
    return status;
}

static encl_status read_capabilities(cl_device_id id, encl_device *device) {
    encl_status status = ENCL_OK;
    encl_device_info *info = &device->info;
    char *extensions = NULL;
    char *version_text = NULL;
    cl_bool available = CL_FALSE;
    cl_bool compiler = CL_FALSE;
    ENCL_TRY(device_text(id, CL_DEVICE_VERSION, &version_text));
    ENCL_TRY(device_text(id, CL_DEVICE_EXTENSIONS, &extensions));
    uint32_t version = parse_version(version_text);
    ENCL_CL_TRY(clGetDeviceInfo(id, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL));
    ENCL_CL_TRY(clGetDeviceInfo(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL));
    ENCL_TRY(read_opencl_c(id, version, device));
    ENCL_TRY(read_subgroups(id, version, extensions, info));
    info->available = available && compiler && version >= 120 && device->opencl_c_version >= 120;
    info->fp16 = lists(extensions, "cl_khr_fp16");
    info->fp64 = lists(extensions, "cl_khr_fp64");
    device->dot_khr = read_dot_khr(id, device->opencl_c_version, extensions);
    device->dot_dp4a = read_dot_dp4a(id, extensions);
    info->int_dot = device->dot_khr || device->dot_dp4a;
    info->software = is_software(info->name);

cleanup:
    free(extensions);
    free(version_text);
    return status;
}

// What a binary depends on. A CPU driver's name does not tell which instructions it compiled for.
static encl_status make_identity(encl_device *device) {
    const encl_device_info *info = &device->info;
    encl_string identity = {0};
    encl_status status = encl_string_format(&identity, "%s\n%s\n%s\n%s\n%s\n%s\n%s", info->platform,
                                            info->platform_version, info->name, info->vendor, info->driver,
                                            info->opencl_c, info->type == ENCL_DEVICE_CPU ? encl_machine_cpu() : "");
    device->cache_identity = identity.text;
    return status;
}

encl_status encl_device_read(cl_platform_id platform, cl_device_id id, encl_device *device) {
    encl_status status = ENCL_OK;
    device->platform = platform;
    device->id = id;
    ENCL_TRY(read_texts(platform, id, &device->info));
    ENCL_TRY(read_numbers(id, &device->info));
    ENCL_TRY(read_capabilities(id, device));
    ENCL_TRY(make_identity(device));

cleanup:
    if (status != ENCL_OK) {
        encl_fail_context(status, "%s, %s", device->info.platform != NULL ? device->info.platform : "platform",
                          device->info.name != NULL ? device->info.name : "device");
        encl_device_forget(device);
    }
    return status;
}

void encl_device_forget(encl_device *device) {
    const char *const texts[] = {device->info.platform, device->info.platform_version, device->info.name,
                                 device->info.vendor,   device->info.driver,           device->info.opencl_c,
                                 device->cache_identity};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free((void *)texts[i]);
    }
    memset(device, 0, sizeof *device);
}
