#include "host/cli/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/output.h"

// magic "\x93NUMPY", version 1.0, u16 length of the text that follows; the text ends with a newline, and the
// whole is a multiple of 64 bytes. 128 hold any shape.
enum { HEADER_BYTES = 128, PREFIX_BYTES = 10 };

static encl_status write_bytes(const encl_npy *npy, const void *bytes, size_t length) {
    if (fwrite(bytes, 1, length, npy->output.stream) != length) {
        return encl_fail(ENCL_IO, "%s: cannot write: %s", npy->output.path, strerror(errno));
    }
    return ENCL_OK;
}

static encl_status write_header(const encl_npy *npy) {
    char header[HEADER_BYTES + 1];
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER_BYTES - PREFIX_BYTES; // little-endian
    header[9] = 0;
    int length = snprintf(header + PREFIX_BYTES, HEADER_BYTES - PREFIX_BYTES,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 "), }", npy->rows,
                          npy->columns);
    memset(header + PREFIX_BYTES + length, ' ', (size_t)(HEADER_BYTES - PREFIX_BYTES - length));
    header[HEADER_BYTES - 1] = '\n';
    return write_bytes(npy, header, HEADER_BYTES);
}

encl_status encl_npy_open(const char *path, int64_t columns, encl_npy *npy) {
    *npy = (encl_npy){.columns = columns};
    encl_status status = encl_result_open(path, &npy->output);
    if (status != ENCL_OK) {
        return status;
    }
    status = write_header(npy);
    if (status != ENCL_OK) {
        encl_npy_abandon(npy);
    }
    return status;
}

encl_status encl_npy_row(encl_npy *npy, const float *values) {
    encl_status status = write_bytes(npy, values, (size_t)npy->columns * sizeof *values);
    if (status == ENCL_OK) {
        npy->rows++;
    }
    return status;
}

encl_status encl_npy_finish(encl_npy *npy) {
    encl_status status = ENCL_OK;
    if (fseek(npy->output.stream, 0, SEEK_SET) != 0) {
        status = encl_fail(ENCL_IO, "%s: cannot seek: %s", npy->output.path, strerror(errno));
    }
    if (status == ENCL_OK) {
        status = write_header(npy);
    }
    if (status == ENCL_OK) {
        status = encl_output_commit(&npy->output);
    } else {
        encl_output_abandon(&npy->output);
    }
    npy->output = (encl_output){0};
    return status;
}

void encl_npy_abandon(encl_npy *npy) {
    encl_output_abandon(&npy->output);
    npy->output = (encl_output){0};
}
