#include "runtime/op/kernel_make.h"

#include "runtime/base/log.h"
#include "runtime/op/check.h"

// A check that fails is a BUILD failure as far as the row is concerned.
static encl_status build_and_check(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                                   encl_kernel *kernel) {
    encl_status status = ENCL_OK;
    encl_check_case check;
    encl_check_result result;
    encl_check_small(row, shape, &check);
    ENCL_TRY(encl_kernel_open(device, row, shape, kernel));
    ENCL_TRY(encl_check_kernel(device, kernel, &check, &result));
    if (!result.passed) {
        status = encl_fail(ENCL_BUILD, "its self-check failed (%s at element %lld, error %g, tolerance %g)",
                           result.reason, (long long)result.where, result.max_error, result.tolerance);
    }
cleanup:
    return status;
}

bool encl_kernel_is_to_blame(encl_status status) {
    // Drivers say CL_OUT_OF_RESOURCES of a kernel that wants too many registers.
    return status == ENCL_BUILD || status == ENCL_DEVICE || status == ENCL_DEVICE_MEMORY;
}

encl_status encl_kernel_make(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                             encl_kernel *kernel) {
    encl_status status = build_and_check(device, row, shape, kernel);
    if (encl_kernel_is_to_blame(status)) {
        const bool cached = kernel->program != NULL && kernel->program->from_cache;
        const bool works = status == ENCL_BUILD || encl_device_works(device);
        if (works && (cached || status != ENCL_BUILD)) {
            encl_warn("kernel %s failed on %s and is %s: %s", row->name, encl_device_get_info(device)->name,
                      cached ? "built again" : "tried again", encl_status_detail());
            if (cached) {
                encl_program_forget(kernel->program);
            }
            encl_kernel_close(kernel);
            status = build_and_check(device, row, shape, kernel);
        }
    }
    if (status == ENCL_OK) {
        encl_program_keep(kernel->program);
    } else {
        encl_kernel_close(kernel);
    }
    return status;
}
