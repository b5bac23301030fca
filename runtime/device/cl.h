// The OpenCL headers, with the one version this project targets, and the way a CL error becomes a status.
#ifndef ENCL_DEVICE_CL_H
#define ENCL_DEVICE_CL_H

// 1.2 is the floor. What is newer is looked up by name or read as a number, so that old loaders work.
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include "runtime/base/status.h"

const char *encl_cl_error_name(cl_int error); // "CL_OUT_OF_RESOURCES"; "CL error -9999" is not made up: "unknown"

// The status that fits an OpenCL error, with the detail "call: CL_NAME (-5)".
encl_status encl_cl_fail_at(cl_int error, const char *call, const char *file, int line);
#ifdef __clang_analyzer__ // as for encl_fail
#define encl_cl_fail(error, call) (encl_cl_fail_at((error), (call), __FILE__, __LINE__), ENCL_DEVICE)
#else
#define encl_cl_fail(error, call) encl_cl_fail_at((error), (call), __FILE__, __LINE__)
#endif

// Evaluates an OpenCL call that returns cl_int; on failure jumps to `cleanup` like ENCL_TRY.
#define ENCL_CL_TRY(call)                                 \
    do {                                                  \
        cl_int encl_cl_result = (call);                   \
        if (encl_cl_result != CL_SUCCESS) {               \
            status = encl_cl_fail(encl_cl_result, #call); \
            goto cleanup;                                 \
        }                                                 \
    } while (0)

#endif
