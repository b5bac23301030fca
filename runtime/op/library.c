#include "runtime/op/library.h"

#include <clblast_c.h>

// First calls compile and fill CLBlast's process-wide cache, which races before its version 1.6.1.
static encl_mutex library_mutex = ENCL_MUTEX_INIT;

// CLBlast's own statuses are below -1000; above are OpenCL's.
static encl_status library_fail(CLBlastStatusCode code, const char *call) {
    if (code < 0 && code > -1000) {
        return encl_cl_fail((cl_int)code, call);
    }
    return encl_fail(ENCL_DEVICE, "%s: CLBlast status %d (clblast_c.h lists them)", call, (int)code);
}

// CLBlast keeps its programs, and with them their context, for the process's life: one more each time that the device
// is opened, until NVIDIA's driver has no memory for another.
static void forget_programs(void) {
    encl_mutex_lock(&library_mutex);
    (void)CLBlastClearCache();
    encl_mutex_unlock(&library_mutex);
}

encl_status encl_library_scratch(const encl_device *device, const encl_library_product *p, size_t *bytes) {
    cl_command_queue queue = encl_device_queue(device);
    *bytes = 0;
    encl_device_before_close(device, forget_programs);
    encl_mutex_lock(&library_mutex);
    const CLBlastStatusCode code =
        CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, p->rows, p->columns,
                                   p->depth, 0, p->depth, 0, p->depth, p->first_column, p->out_stride, &queue, bytes);
    encl_mutex_unlock(&library_mutex);
    return code == CLBlastSuccess ? ENCL_OK : library_fail(code, "CLBlastSGemmTempBufferSize");
}

encl_status encl_library_enqueue(encl_queue queue, const encl_library_product *p, encl_buffer scratch) {
    encl_mutex_lock(&library_mutex);
    const CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, p->rows, p->columns, p->depth, 1.0f, p->x, 0,
        p->depth, p->weight, 0, p->depth, 0.0f, p->out, p->first_column, p->out_stride, &queue, NULL, scratch);
    encl_mutex_unlock(&library_mutex);
    return code == CLBlastSuccess ? ENCL_OK : library_fail(code, "CLBlastSgemm");
}

// ---- Parameters -------------------------------------------------------------------------------------------

enum { INDIRECT = 16, DIRECT = 10 };
static const char *const indirect_names[INDIRECT] = {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB",
                                                     "NDIMC", "NWG",  "SA",  "SB",  "STRM",  "STRN",  "VWM", "VWN"};
static const char *const direct_names[DIRECT] = {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD",
                                                 "PADA", "PADB",   "VWMD",   "VWND",   "WGD"};

// CLBlast has two kernels: Xgemm, which wants its operands copied and padded to whole tiles first, and XgemmDirect. A
// product with M·N·K below the cube of a limit takes the direct one.
typedef struct parameters {
    size_t indirect[INDIRECT];
    size_t direct[DIRECT];
    size_t limit;
    bool cpu; // made for CPU devices, else for others
} parameters;

enum { ALWAYS_INDIRECT = 0, ALWAYS_DIRECT = 1 << 20, MIXED = 512 };

// MWG and NWG are equal where GEMMK is 1: before CLBlast 1.6.3 other pairs may give wrong numbers.
#define DIRECT_16 \
    { 2, 8, 8, 8, 8, 1, 1, 2, 2, 16 }
#define DIRECT_32 \
    { 2, 8, 8, 8, 8, 1, 1, 4, 4, 32 }
static const parameters sets[] = {
    {{0, 1, 16, 2, 16, 16, 128, 16, 16, 128, 0, 1, 0, 0, 8, 4}, DIRECT_32, ALWAYS_INDIRECT, true},
    {{0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 0, 0, 0, 0, 8, 8}, DIRECT_32, ALWAYS_INDIRECT, true},
    {{0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 0, 0, 0, 0, 8, 8}, DIRECT_32, ALWAYS_DIRECT, true},
    {{0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 4, 4}, DIRECT_32, MIXED, false},
    {{0, 1, 32, 2, 16, 16, 128, 8, 8, 64, 1, 1, 0, 0, 2, 2}, DIRECT_16, MIXED, false},
    {{0, 1, 32, 2, 16, 16, 128, 16, 16, 128, 1, 1, 0, 0, 4, 2}, DIRECT_16, MIXED, false},
    {{0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 0, 0, 0, 0, 4, 4}, DIRECT_16, MIXED, false},
    {{1, 4, 1, 1, 16, 16, 64, 16, 16, 64, 0, 0, 0, 0, 4, 4}, DIRECT_16, MIXED, false},
};
static const encl_library_tuning tunings[] = {
    {"cpu-128", "Xgemm MWG=128 NWG=128 KWG=16 MDIMC=16 NDIMC=16 VWM=8 VWN=4 SB=1, always"},
    {"cpu-64", "Xgemm MWG=64 NWG=64 KWG=16 MDIMC=8 NDIMC=8 VWM=8 VWN=8, always"},
    {"cpu-direct", "XgemmDirect WGD=32 MDIMCD=8 NDIMCD=8 KWID=2 VWMD=4 VWND=4, always"},
    {"staged-64", "Xgemm MWG=64 NWG=64 KWG=16 MDIMC=8 NDIMC=8 VWM=4 VWN=4 SA=1 SB=1 from 512^3"},
    {"staged-128x64", "Xgemm MWG=128 NWG=64 KWG=32 MDIMC=16 NDIMC=8 VWM=2 VWN=2 SA=1 SB=1 from 512^3"},
    {"staged-128", "Xgemm MWG=128 NWG=128 KWG=32 MDIMC=16 NDIMC=16 VWM=4 VWN=2 SA=1 SB=1 from 512^3"},
    {"registers-64", "Xgemm MWG=64 NWG=64 KWG=16 MDIMC=8 NDIMC=8 VWM=4 VWN=4 from 512^3"},
    {"gemmk1-64", "Xgemm GEMMK=1 KREG=4 MWG=64 NWG=64 MDIMC=16 NDIMC=16 VWM=4 VWN=4 from 512^3"},
};
_Static_assert(sizeof sets / sizeof sets[0] == sizeof tunings / sizeof tunings[0], "a name a set");

size_t encl_library_tunings(const encl_device *device, const encl_library_tuning **found) {
    const bool cpu = encl_device_get_info(device)->type == ENCL_DEVICE_CPU;
    size_t first = 0;
    size_t count = 0;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        first = sets[i].cpu == cpu && count == 0 ? i : first;
        count += sets[i].cpu == cpu;
    }
    *found = tunings + first;
    return count;
}

static encl_status override(const encl_device *device, const char *kernel, size_t count, const char *const *names,
                            const size_t *values) {
    encl_mutex_lock(&library_mutex);
    const CLBlastStatusCode code =
        CLBlastOverrideParameters(device->id, kernel, CLBlastPrecisionSingle, count, (const char **)names, values);
    encl_mutex_unlock(&library_mutex);
    return code == CLBlastSuccess ? ENCL_OK : library_fail(code, "CLBlastOverrideParameters");
}

encl_status encl_library_tune(const encl_device *device, const encl_library_tuning *tuning) {
    encl_status status = ENCL_OK;
    const parameters *p = &sets[tuning - tunings];
    static const char *const limit_name[] = {"XGEMM_MIN_INDIRECT_SIZE"};
    ENCL_TRY(override(device, "Xgemm", INDIRECT, indirect_names, p->indirect));
    ENCL_TRY(override(device, "XgemmDirect", DIRECT, direct_names, p->direct));
    ENCL_TRY(override(device, "GemmRoutine", 1, limit_name, &p->limit));
cleanup:
    return status;
}
