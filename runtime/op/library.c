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

encl_status encl_library_scratch(const encl_device *device, const encl_library_product *p, size_t *bytes) {
    cl_command_queue queue = encl_device_queue(device);
    *bytes = 0;
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
