// Drivers that are known to be wrong somewhere: a table. What the checks find for themselves need not be in it, but for
// its cause and cure.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/doctor/doctor.h"
#include "runtime/base/memory.h"

typedef struct known_issue {
    const char *platform; // the platform's name begins so; "CLBlast" for the library
    const char *device;   // stands in the device's name (any case); "" any
    const char *from;     // driver's version, the first that has it; "" all
    const char *before;   // and the first that has not; "" none is known
    encl_health health;
    const char *symptom;
    const char *advice;
} known_issue;

static const known_issue issues[] = {
    {"rusticl", "", "", "23", ENCL_HEALTH_WARNING,
     "Mesa 22's rusticl gives no times: every command of a profile says 0, 1, 2 and 3",
     "device times of `profile' and `bench' mean nothing here; take a newer Mesa for them"},
    {"rusticl", "", "", "23", ENCL_HEALTH_NOTE,
     "Mesa 22's rusticl: clFinish does not wait for commands that clFlush has handed over, and a kernel's local memory "
     "is reported doubled",
     "encl waits for its commands one by one and trusts its own formula; other programs may not"},
    {"rusticl", "llvmpipe", "", "", ENCL_HEALTH_NOTE,
     "llvmpipe is a software rasterizer: slow, and its loops end without an error after 65,535 rounds of a work-item",
     "a CPU runs faster with pocl-opencl-icd; long loops of kernels of your own may be cut short"},
    {"Clover", "", "", "", ENCL_HEALTH_WARNING, "Clover, Mesa's old OpenCL, is no longer maintained",
     "use rusticl instead: set RUSTICL_ENABLE to the driver's name (radeonsi, iris, panfrost)"},
    {"Intel Gen OCL Driver", "", "", "", ENCL_HEALTH_WARNING, "Beignet is no longer maintained",
     "install intel-opencl-icd, or intel-opencl-icd-legacy for processors before the 12th generation, and remove "
     "beignet-opencl-icd"},
    {"Portable Computing Language", "", "", "", ENCL_HEALTH_NOTE,
     "PoCL may miscompile kernels with local memory whose work-groups are not full",
     "encl's kernels for CPUs use no local memory; --gemm clblast does: where its products are wrong, set "
     "POCL_WORK_GROUP_METHOD=cbs (PoCL 4 and newer)"},
    {"Portable Computing Language", "cuda", "", "3.0", ENCL_HEALTH_WARNING,
     "PoCL's CUDA devices lose precision in event times before PoCL 3.0", "take PoCL 3.0 or newer to profile"},
    {"AMD Accelerated Parallel Processing", "", "", "", ENCL_HEALTH_NOTE,
     "ROCm says that its timer ticks every nanosecond; START and END come from a slower clock of the GPU, QUEUED and "
     "SUBMIT from the host's",
     "in a profile, trust differences of a microsecond and more"},
    {"QUALCOMM", "", "", "", ENCL_HEALTH_NOTE,
     "some Adreno compilers crash while they build attention kernels (E031.41 and E17 are known for it)",
     "where a kernel check says that it crashed, update the vendor's driver"},
    {"Oclgrind", "", "", "", ENCL_HEALTH_NOTE, "Oclgrind is a simulator: 13 million operations a second, one thread",
     "use it to look for races, not to compute"},
    {"CLBlast", "", "", "1.6.3", ENCL_HEALTH_NOTE,
     "before 1.6.3, tuned products may be wrong on GPUs whose parameters have GEMMK=1 and MWG other than NWG (Intel "
     "Arc)",
     "on such a GPU compare with --gemm tile, or install CLBlast 1.6.3; own kernels are not concerned"},
};

int encl_version_compare(const char *a, const char *b) {
    for (;;) {
        char *end_a = NULL;
        char *end_b = NULL;
        const unsigned long x = strtoul(a, &end_a, 10);
        const unsigned long y = strtoul(b, &end_b, 10);
        if (x != y) {
            return x < y ? -1 : 1;
        }
        const bool more_a = *end_a == '.' && isdigit((unsigned char)end_a[1]);
        const bool more_b = *end_b == '.' && isdigit((unsigned char)end_b[1]);
        if (!more_a && !more_b) {
            return 0;
        }
        a = more_a ? end_a + 1 : "0"; // "23" is "23.0"
        b = more_b ? end_b + 1 : "0";
    }
}

static bool concerns(const known_issue *issue, const char *platform, const char *device, const char *version) {
    const char *number = version + strcspn(version, "0123456789");
    if (!encl_text_begins(platform, issue->platform) ||
        (issue->device[0] != '\0' && strcasestr(device, issue->device) == NULL)) {
        return false;
    }
    // A driver that does not say its version may have it.
    return *number == '\0' || ((issue->from[0] == '\0' || encl_version_compare(number, issue->from) >= 0) &&
                               (issue->before[0] == '\0' || encl_version_compare(number, issue->before) < 0));
}

static encl_status add_issues(encl_doctor *doctor, int32_t index, const char *platform, const char *device,
                              const char *version, const char *check, const char *healthy) {
    size_t count = 0;
    for (size_t i = 0; i < sizeof issues / sizeof issues[0]; i++) {
        if (concerns(&issues[i], platform, device, version)) {
            const encl_finding finding =
                encl_finding_of(check, index, issues[i].health, issues[i].symptom, issues[i].advice);
            const encl_status status = encl_doctor_add(doctor, &finding);
            if (status != ENCL_OK) {
                return status;
            }
            count++;
        }
    }
    const encl_finding finding = encl_finding_of(check, index, ENCL_HEALTH_PASS, healthy, NULL);
    return count > 0 ? ENCL_OK : encl_doctor_add(doctor, &finding);
}

encl_status encl_doctor_known(encl_doctor *doctor, const cJSON *device) {
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(device, "index");
    encl_string healthy = {0};
    encl_status status =
        encl_string_format(&healthy, "%s, %s: nothing known against it", encl_json_member_text(device, "driver"),
                           encl_json_member_text(device, "opencl_c"));
    if (status == ENCL_OK) {
        status = add_issues(doctor, index != NULL ? index->valueint : 0, encl_json_member_text(device, "platform"),
                            encl_json_member_text(device, "name"), encl_json_member_text(device, "driver"), "driver",
                            healthy.text);
    }
    encl_string_free(&healthy);
    return status;
}

encl_status encl_doctor_known_clblast(encl_doctor *doctor, const char *version) {
    encl_string healthy = {0};
    encl_status status = encl_string_format(&healthy, "version %s: nothing known against it", version);
    if (status == ENCL_OK) {
        status = add_issues(doctor, ENCL_DOCTOR_SYSTEM, "CLBlast", "", version, "clblast", healthy.text);
    }
    encl_string_free(&healthy);
    return status;
}

const char *encl_doctor_platform_hint(const char *platform) {
    static const struct {
        const char *platform; // begins so
        const char *hint;
    } hints[] = {
        {"Portable Computing Language", "PoCL offers no device where it cannot write its cache: set POCL_CACHE_DIR to "
                                        "a folder that can be written, and "
                                        "look at POCL_DEVICES"},
        {"rusticl",
         "rusticl shows only devices whose driver RUSTICL_ENABLE names (radeonsi, iris, panfrost, llvmpipe), "
         "and none where libclc's spirv64-mesa3d-.spv is missing (Debian: libclc-15)"},
        {"Clover", "Clover needs a GPU of AMD's or NVIDIA's with Mesa's driver; rusticl has replaced it"},
        {"Intel(R) OpenCL",
         "there is no Intel GPU that this driver knows, or this user may not open /dev/dri/renderD*: "
         "join the group render"},
        {"AMD Accelerated Parallel Processing",
         "there is no AMD GPU that ROCm knows, or this user may not open /dev/kfd: join the groups render and video"},
        {"NVIDIA CUDA",
         "run nvidia-smi: where it fails too, the kernel module is missing or of another version than the "
         "driver; load it, or restart after an update"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (encl_text_begins(platform, hints[i].platform)) {
            return hints[i].hint;
        }
    }
    return "look whether its device is there and whether this user may open it (docs/install.md, Drivers)";
}
