// Arithmetic in registers: fused multiply-adds, and short dot products where the device has them.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "runtime/measure/peak_session.h"

typedef enum chain_kind { CHAIN_FP32, CHAIN_FP16, CHAIN_INT8, CHAIN_BF16, CHAIN_KINDS } chain_kind;

enum { LANES = 16, DOT_KHR = 1, DOT_VNNI_512 = 2, DOT_VNNI_256 = 3, DOT_BF16_512 = 4, DOT_PTX = 5 };

// A way to keep the units busy. Which one does it best is tried.
typedef struct chain_variant {
    chain_kind kind;
    const char *family; // encl_device_family; NULL: any
    int32_t dot;        // 0: multiply-add
    int32_t width;      // of a vector
    int32_t chains;     // vectors that do not depend on each other
    size_t local;
} chain_variant;

// A CPU's registers: 16 or 32 of 4, 8 or 16 floats; one work-item fills them, or, where the compiler makes vectors of
// work-items, many do. A GPU's units take scalars or pairs.
static const chain_variant variants[] = {
    {CHAIN_FP32, "tile", 0, 16, 12, 1},
    {CHAIN_FP32, "tile", 0, 16, 6, 1},
    {CHAIN_FP32, "tile", 0, 8, 10, 1},
    {CHAIN_FP32, "tile", 0, 1, 12, 64},
    {CHAIN_FP32, "group", 0, 1, 16, 256},
    {CHAIN_FP32, "group", 0, 2, 8, 256},
    {CHAIN_FP32, "group", 0, 4, 4, 256},
    {CHAIN_FP32, "plain", 0, 4, 4, 64},
    {CHAIN_FP32, "plain", 0, 1, 8, 64},
    {CHAIN_FP16, "tile", 0, 16, 12, 1},
    {CHAIN_FP16, "tile", 0, 16, 6, 1},
    {CHAIN_FP16, "tile", 0, 1, 12, 64},
    {CHAIN_FP16, "group", 0, 2, 8, 256},
    {CHAIN_FP16, "group", 0, 1, 16, 256},
    {CHAIN_FP16, "group", 0, 4, 4, 256},
    {CHAIN_FP16, "plain", 0, 4, 4, 64},
    {CHAIN_INT8, NULL, DOT_KHR, 1, 8, 64},
    {CHAIN_INT8, NULL, DOT_KHR, 1, 16, 256},
    {CHAIN_INT8, "group", DOT_PTX, 1, 8, 256},
    {CHAIN_INT8, "group", DOT_PTX, 1, 16, 256},
    {CHAIN_INT8, "tile", DOT_VNNI_512, 16, 12, 1},
    {CHAIN_INT8, "tile", DOT_VNNI_256, 8, 12, 1},
    {CHAIN_BF16, "tile", DOT_BF16_512, 16, 12, 1},
};

// What a kind counts: `operations` of a lane in a step; a lane counts exactly for `most_steps`; x and y are what
// kernels/peak_dot.cl and peak_fma.cl say.
static const struct {
    const char *figure, *unit, *file, *entry;
    double operations;
    int32_t most_steps;
} kinds[CHAIN_KINDS] = {
    [CHAIN_FP32] = {"fp32_fma", "GF/s", "peak_fma.cl", "peak_fma", 2.0, 8192},
    [CHAIN_FP16] = {"fp16_fma", "GF/s", "peak_fma.cl", "peak_fma", 2.0, 1024},
    [CHAIN_INT8] = {"int8_dot", "Gop/s", "peak_dot.cl", "peak_dot", 8.0, 8192},
    [CHAIN_BF16] = {"bf16_dot", "GF/s", "peak_dot.cl", "peak_dot", 4.0, 8192},
};

// ---- What the device has ----------------------------------------------------------------------------------

// Only PoCL compiles for the processor at hand and takes its assembly.
static bool takes_assembly(const encl_device *device) {
#if defined(__x86_64__)
    return strcmp(device->info.platform, "Portable Computing Language") == 0 && device->info.type == ENCL_DEVICE_CPU;
#else
    (void)device;
    return false;
#endif
}

// An instruction that the processor lacks would build, and then end the process.
static bool has_dot(const encl_device *device, int32_t dot) {
    switch (dot) {
    case DOT_KHR:
        return device->dot_khr;
    case DOT_PTX:
        return device->dot_dp4a;
    case DOT_VNNI_512:
        return takes_assembly(device) && encl_machine_has_feature("avx512_vnni");
    case DOT_VNNI_256:
        return takes_assembly(device) && encl_machine_has_feature("avx_vnni");
    default:
        return takes_assembly(device) && encl_machine_has_feature("avx512_bf16");
    }
}

static bool serves(const encl_device *device, const chain_variant *variant, chain_kind kind) {
    return variant->kind == kind && (kind != CHAIN_FP16 || device->info.fp16) &&
           (variant->family == NULL || strcmp(variant->family, encl_device_family(device)) == 0) &&
           variant->local <= device->info.max_group && (variant->dot == 0 || has_dot(device, variant->dot));
}

static const char *why_unsupported(const encl_device *device, chain_kind kind) {
    static const char *const reasons[CHAIN_KINDS] = {
        [CHAIN_FP32] = "the device takes no work-groups of the sizes that were made for it",
        [CHAIN_FP16] = "the driver offers no cl_khr_fp16",
        [CHAIN_INT8] = "the driver offers no accelerated cl_khr_integer_dot_product, nor the device dp4a",
        [CHAIN_BF16] = "OpenCL has no bf16 arithmetic",
    };
    if (takes_assembly(device) && kind == CHAIN_INT8) {
        return "the processor has neither AVX512-VNNI nor AVX-VNNI";
    }
    return takes_assembly(device) && kind == CHAIN_BF16 ? "the processor has no AVX512-BF16" : reasons[kind];
}

// ---- One variant ------------------------------------------------------------------------------------------

typedef struct chain {
    const chain_variant *variant;
    encl_peak_entry entry;
    encl_peak_launch launch;
    encl_buffer in, out;
    size_t most_items; // that `out` has room for
    int32_t steps;
    int64_t ns; // of the best launch so far
    char text[64];
} chain;

static void close_chain(chain *of) {
    encl_peak_entry_close(&of->entry);
    encl_buffer_release(of->in);
    encl_buffer_release(of->out);
    *of = (chain){0};
}

static double work_of(const chain *of) {
    const chain_variant *variant = of->variant;
    return (double)of->launch.global * variant->width * variant->chains * of->steps * kinds[variant->kind].operations;
}

// x and y: so that a step adds 1 to every lane.
static void fill_in(const chain_variant *variant, uint32_t in[LANES + 2]) {
    static const uint32_t dots[][2] = {
        [DOT_KHR] = {0x00000001, 1},
        [DOT_VNNI_512] = {0x04030201, 0xff01ff04}, // 1·4 − 2·1 + 3·1 − 4·1
        [DOT_VNNI_256] = {0x04030201, 0xff01ff04},
        [DOT_BF16_512] = {0x40003f80, 0xbf804040}, // 1·3 − 2·1
        [DOT_PTX] = {0x04030201, 0xff01ff04},
    };
    const float one = 1.0f;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        const float value = (float)lane;
        memcpy(&in[lane], variant->kind == CHAIN_INT8 ? (const void *)&lane : &value, sizeof in[lane]);
    }
    memcpy(&in[LANES], &one, sizeof one);
    memcpy(&in[LANES + 1], &one, sizeof one);
    if (variant->dot != 0) {
        in[LANES] = dots[variant->dot][0];
        in[LANES + 1] = dots[variant->dot][1];
    }
}

// What a lane that began at `first` holds after so many steps.
static double lane_after(const chain_variant *variant, int32_t first, int32_t steps) {
    if (variant->dot == DOT_KHR) {
        return (int8_t)(uint8_t)(first + steps - 1) + 1;
    }
    return first + steps;
}

static encl_status check_chain(const chain *of) {
    encl_status status = ENCL_OK;
    const chain_variant *variant = of->variant;
    encl_queue queue = encl_device_queue(of->launch.session->device);
    const size_t count = of->launch.global * (size_t)variant->width;
    uint32_t *out = NULL;
    double expected[LANES] = {0};
    ENCL_TRY(encl_allocate(count, sizeof *out, (void **)&out));
    ENCL_TRY(encl_queue_read(queue, of->out, 0, count * sizeof *out, out, NULL));
    ENCL_TRY(encl_queue_finish(queue));
    for (int32_t lane = 0; lane < variant->width; lane++) {
        for (int32_t i = 0; i < variant->chains; i++) {
            expected[lane] += lane_after(variant, lane + i, of->steps);
        }
    }
    for (size_t i = 0; i < count; i++) {
        float real = 0.0f;
        memcpy(&real, &out[i], sizeof real);
        const double found = variant->kind == CHAIN_INT8 ? (double)(int32_t)out[i] : (double)real;
        const double right = expected[i % (size_t)variant->width];
        if (found != right) {
            status = encl_fail(ENCL_DEVICE, "%s (%s): sum %zu is %.9g, expected %.9g after %d steps",
                               kinds[variant->kind].file, of->text, i, found, right, (int)of->steps);
            break;
        }
    }

cleanup:
    free(out);
    return status;
}

static encl_status set_arguments(const chain *of) {
    const encl_argument arguments[] = {
        {&of->in, sizeof of->in}, {&of->out, sizeof of->out}, {&of->steps, sizeof of->steps}};
    return encl_entry_arguments(of->entry.entry, arguments, sizeof arguments / sizeof arguments[0]);
}

static encl_status open_chain(encl_peak_session *session, const chain_variant *variant, chain *of) {
    enum { OUT_BYTES = 16 << 20 };
    encl_status status = ENCL_OK;
    const encl_device_info *info = &session->device->info;
    const bool tile = strcmp(encl_device_family(session->device), "tile") == 0;
    const char *element = variant->kind == CHAIN_FP16 ? "half" : "float";
    const size_t out_bytes = info->max_allocation < OUT_BYTES ? (size_t)info->max_allocation : OUT_BYTES;
    char options[96];
    uint32_t in[LANES + 2];
    if (variant->dot != 0) {
        static const char *const names[] = {"",    "dot_4x8packed", "vpdpbusd zmm", "vpdpbusd ymm", "vdpbf16ps zmm",
                                            "dp4a"};
        snprintf(options, sizeof options, "-DDOT=%d -DCHAINS=%d%s", (int)variant->dot, (int)variant->chains,
                 variant->dot == DOT_KHR ? " -cl-std=CL3.0" : "");
        snprintf(of->text, sizeof of->text, "%s x %d", names[variant->dot], (int)variant->chains);
    } else {
        snprintf(options, sizeof options, "-DELEMENT=%s -DWIDTH=%d -DCHAINS=%d", element, (int)variant->width,
                 (int)variant->chains);
        snprintf(of->text, sizeof of->text, "%s%.0d x %d", element, (int)(variant->width > 1 ? variant->width : 0),
                 (int)variant->chains);
    }
    of->variant = variant;
    ENCL_TRY(encl_peak_entry_open(session, kinds[variant->kind].file, options, kinds[variant->kind].entry, &of->entry));
    ENCL_TRY(encl_buffer_create(session->device, sizeof in, &of->in));
    ENCL_TRY(encl_buffer_create(session->device, out_bytes, &of->out));
    fill_in(variant, in);
    ENCL_TRY(encl_queue_write(encl_device_queue(session->device), of->in, 0, sizeof in, in, NULL));
    ENCL_TRY(encl_queue_finish(encl_device_queue(session->device)));
    of->most_items = out_bytes / sizeof(float) / (size_t)variant->width / variant->local * variant->local;
    // Groups of one work-item are dealt out by the dozen: enough of them that every processor ends at the same time.
    const size_t groups = (size_t)info->compute_units * (tile ? 64 : session->device->info.software ? 2 : 16);
    of->launch = (encl_peak_launch){session, of->entry.entry, groups * variant->local, variant->local, 1};
    if (of->launch.global > of->most_items) {
        of->launch.global = of->most_items;
    }
    of->steps = 64;

cleanup:
    return status;
}

// More steps, then more work-items, until a launch is long enough.
static encl_status grow_chain(chain *of) {
    enum { ATTEMPTS = 12 };
    encl_status status = ENCL_OK;
    const int32_t most_steps = kinds[of->variant->kind].most_steps;
    encl_peak_session *session = of->launch.session;
    ENCL_TRY(set_arguments(of));
    ENCL_TRY(encl_peak_time(&of->launch, &of->ns)); // may compile
    encl_peak_entry_keep(&of->entry);
    for (int i = 0; i < ATTEMPTS; i++) {
        ENCL_TRY(encl_peak_time_twice(&of->launch, &of->ns));
        const double growth = encl_peak_growth(session, of->ns);
        if (growth <= 1.0) {
            break;
        }
        if (of->steps < most_steps) {
            const double steps = ceil(of->steps * growth / 4.0) * 4.0; // the kernel's loop does 4 at once
            of->steps = steps < most_steps ? (int32_t)steps : most_steps;
            ENCL_TRY(set_arguments(of));
        } else {
            const size_t groups = of->launch.global / of->launch.local;
            const size_t global = (size_t)ceil((double)groups * growth) * of->launch.local;
            if (of->launch.global == of->most_items) {
                break;
            }
            of->launch.global = global < of->most_items ? global : of->most_items;
        }
    }
    ENCL_TRY(encl_peak_settle(&of->launch));
    ENCL_TRY(check_chain(of));

cleanup:
    return status;
}

// ---- The best of a kind -----------------------------------------------------------------------------------

static encl_status try_variant(encl_peak_session *session, const chain_variant *variant, chain *of) {
    enum { TRIALS = 3 };
    encl_status status = ENCL_OK;
    *of = (chain){0};
    ENCL_TRY(open_chain(session, variant, of));
    ENCL_TRY(grow_chain(of));
    for (int i = 0; i < TRIALS; i++) {
        int64_t ns = 0;
        ENCL_TRY(encl_peak_time(&of->launch, &ns));
        of->ns = i == 0 || ns < of->ns ? ns : of->ns;
    }
    encl_debug("%s: %s: %.1f GF/s", kinds[variant->kind].figure, of->text,
               work_of(of) / (double)(of->ns > 0 ? of->ns : 1));

cleanup:
    if (status != ENCL_OK) {
        encl_debug("%s: %s: %s", kinds[variant->kind].figure, of->text, encl_status_detail());
        close_chain(of);
    }
    return status;
}

// A variant that does not build or computes wrong numbers is passed over; the figure fails where all do.
static encl_status choose(encl_peak_session *session, chain_kind kind, chain *best) {
    encl_status status = ENCL_OK;
    *best = (chain){0};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        chain next;
        if (!serves(session->device, &variants[i], kind)) {
            continue;
        }
        const encl_status tried = try_variant(session, &variants[i], &next);
        if (tried != ENCL_OK) {
            status = tried;
        } else if (best->variant == NULL || work_of(&next) * (double)best->ns > work_of(best) * (double)next.ns) {
            close_chain(best);
            *best = next;
        } else {
            close_chain(&next);
        }
    }
    return best->variant != NULL ? ENCL_OK : status;
}

static encl_status measure_kind(encl_peak_session *session, chain_kind kind, double *peak) {
    encl_status status = ENCL_OK;
    encl_samples samples = {0};
    chain best = {0};
    encl_peak_figure figure = {.name = kinds[kind].figure,
                               .kernel = kinds[kind].entry,
                               .variant = "",
                               .value = NAN,
                               .unit = kinds[kind].unit,
                               .timer = "",
                               .samples = &samples};
    ENCL_TRY(choose(session, kind, &best));
    ENCL_TRY(encl_peak_sample_launch(&best.launch, &samples));
    ENCL_TRY(check_chain(&best));
    figure.variant = best.text;
    figure.flops = work_of(&best);
    ENCL_TRY(encl_peak_rate(&samples, figure.flops, &figure.value));
    figure.timer = encl_peak_timer(session);
    figure.inner = best.launch.inner;
    *peak = figure.value;

cleanup:
    status = encl_peak_tell(session, &figure, status);
    close_chain(&best);
    encl_samples_free(&samples);
    return status;
}

encl_status encl_peak_measure_compute(encl_peak_session *session) {
    double *const peaks[CHAIN_KINDS] = {
        [CHAIN_FP32] = &session->peaks->fp32_gflops,
        [CHAIN_FP16] = &session->peaks->fp16_gflops,
        [CHAIN_INT8] = &session->peaks->int8_gops,
        [CHAIN_BF16] = &session->peaks->bf16_gflops,
    };
    encl_status status = ENCL_OK;
    for (chain_kind kind = CHAIN_FP32; kind < CHAIN_KINDS && status == ENCL_OK; kind++) {
        bool served = false;
        for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
            served = served || serves(session->device, &variants[i], kind);
        }
        status = served ? measure_kind(session, kind, peaks[kind])
                        : encl_peak_tell_unsupported(session, kinds[kind].figure, kinds[kind].unit,
                                                     why_unsupported(session->device, kind));
    }
    return status;
}
