// Platforms, those without devices too.
#include "runtime/device/discovery.h"

#include <CL/cl_ext.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/device/installation.h"

static encl_status read_platform(cl_platform_id id, encl_platform *platform) {
    encl_status status = ENCL_OK;
    cl_uint count = 0;
    ENCL_TRY(encl_platform_text(id, CL_PLATFORM_NAME, &platform->name));
    ENCL_TRY(encl_platform_text(id, CL_PLATFORM_VERSION, &platform->version));
    const cl_int error = clGetDeviceIDs(id, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (error != CL_SUCCESS && error != CL_DEVICE_NOT_FOUND) {
        encl_cl_fail(error, "clGetDeviceIDs");
        ENCL_TRY(encl_copy_text(encl_status_detail(), strlen(encl_status_detail()), &platform->fault));
    }
    platform->devices = error == CL_SUCCESS ? (int32_t)count : 0;
cleanup:
    return status;
}

encl_status encl_platforms_list(encl_platform **platforms, size_t *count) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    encl_platform *rows = NULL;
    cl_uint there = 0;
    cl_uint now = 0;
    *platforms = NULL;
    *count = 0;
    const cl_int error = clGetPlatformIDs(0, NULL, &there);
    if (error == CL_PLATFORM_NOT_FOUND_KHR || (error == CL_SUCCESS && there == 0)) {
        return ENCL_OK;
    }
    if (error != CL_SUCCESS) {
        return encl_cl_fail(error, "clGetPlatformIDs");
    }
    ENCL_TRY(encl_allocate(there, sizeof(cl_platform_id), &memory));
    ENCL_TRY(encl_allocate(there, sizeof *rows, (void **)&rows));
    ENCL_CL_TRY(clGetPlatformIDs(there, memory, &now));
    for (cl_uint i = 0; i < there && i < now; i++) {
        ENCL_TRY(read_platform(((cl_platform_id *)memory)[i], &rows[i]));
    }
    *platforms = rows;
    *count = now < there ? now : there;
    rows = NULL;
cleanup:
    encl_platforms_free(rows, there);
    free(memory);
    return status;
}

void encl_platforms_free(encl_platform *platforms, size_t count) {
    for (size_t i = 0; platforms != NULL && i < count; i++) {
        free(platforms[i].name);
        free(platforms[i].version);
        free(platforms[i].fault);
    }
    free(platforms);
}
