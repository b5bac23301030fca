// Element types and their conversion to float32. Files are little-endian, and so is every host that this builds for.
// Sources may be unaligned, so elements are fetched with memcpy: compilers make vector loads of these loops.
#include <string.h>

#include "host/checkpoint/format.h"
#include "runtime/base/float_bits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are read without swapping bytes");

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
#define DTYPE_ROW(name, bytes) {#name, (bytes)},
    ENCL_DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

const char *encl_dtype_name(encl_dtype dtype) {
    return (size_t)dtype < DTYPES ? dtypes[dtype].name : "?";
}

size_t encl_dtype_bytes(encl_dtype dtype) {
    return (size_t)dtype < DTYPES ? dtypes[dtype].bytes : 0;
}

bool encl_dtype_parse(const char *name, encl_dtype *dtype) {
    for (size_t i = 0; i < DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            *dtype = (encl_dtype)i;
            return true;
        }
    }
    return false;
}

static void convert_f32(const uint8_t *restrict source, size_t count, float *restrict destination) {
    memcpy(destination, source, count * sizeof *destination);
}

// IEEE 754 binary16 has exponent bias 15, binary32 127. Subnormals go through an integer conversion rather than
// through a float32 subnormal, so that a thread that flushes those to zero (drivers set that) reads the same weights.
static void convert_f16(const uint8_t *restrict source, size_t count, float *restrict destination) {
    const uint32_t rebias = (uint32_t)(127 - 15) << 23;
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, source + 2 * i, sizeof half);
        const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
        const uint32_t magnitude = half & 0x7fff;
        const uint32_t normal = (magnitude << 13) + rebias;
        const uint32_t subnormal = encl_float_bits((float)(int32_t)magnitude * 0x1p-24f);
        // Infinity and NaN have an exponent of ones in both formats. Masks, because GCC makes branches of `?:` here.
        const uint32_t is_special = 0u - (magnitude >= 0x7c00);
        const uint32_t is_subnormal = 0u - (magnitude < 0x0400);
        const uint32_t bits = (subnormal & is_subnormal) | ((normal + (rebias & is_special)) & ~is_subnormal);
        destination[i] = encl_float_from_bits(sign | bits);
    }
}

static void convert_bf16(const uint8_t *restrict source, size_t count, float *restrict destination) {
    for (size_t i = 0; i < count; i++) {
        uint16_t upper;
        memcpy(&upper, source + 2 * i, sizeof upper);
        destination[i] = encl_float_from_bits((uint32_t)upper << 16);
    }
}

static void convert_f64(const uint8_t *restrict source, size_t count, float *restrict destination) {
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, source + 8 * i, sizeof value);
        destination[i] = (float)value;
    }
}

void encl_tensor_set_dense(encl_tensor *tensor) {
    int64_t stride = tensor->elements > 0; // the other sizes of an empty tensor may be of any product
    for (int32_t i = tensor->dimensions; i-- > 0;) {
        tensor->strides[i] = stride;
        stride *= tensor->shape[i];
    }
}

bool encl_tensor_is_dense(const encl_tensor *tensor) {
    int64_t stride = 1;
    for (int32_t i = tensor->elements > 0 ? tensor->dimensions : 0; i-- > 0;) {
        if (tensor->shape[i] != 1 && tensor->strides[i] != stride) {
            return false;
        }
        stride *= tensor->shape[i];
    }
    return true;
}

typedef void converter(const uint8_t *restrict source, size_t count, float *restrict destination);

// Collects elements [first, first + count) into a dense block. Rows of a transposed matrix share their cache lines with
// the next few rows, so walking row by row costs one miss in about 16 elements.
static void collect(const encl_tensor *tensor, int64_t first, size_t count, size_t width, uint8_t *block) {
    int64_t index[ENCL_TENSOR_DIMENSIONS] = {0};
    int64_t place = 0;
    for (int32_t i = tensor->dimensions; i-- > 0;) {
        index[i] = first % tensor->shape[i];
        first /= tensor->shape[i];
        place += index[i] * tensor->strides[i];
    }
    for (size_t n = 0; n < count; n++) {
        memcpy(block + n * width, tensor->data + (size_t)place * width, width);
        for (int32_t i = tensor->dimensions; i-- > 0;) {
            place += tensor->strides[i];
            if (++index[i] < tensor->shape[i]) {
                break;
            }
            place -= index[i] * tensor->strides[i];
            index[i] = 0;
        }
    }
}

static void read_strided(const encl_tensor *tensor, converter *convert, int64_t first, int64_t count,
                         float *destination) {
    enum { BLOCK_BYTES = 1 << 14 };
    uint8_t block[BLOCK_BYTES];
    const size_t width = dtypes[tensor->dtype].bytes;
    const int64_t most = (int64_t)(sizeof block / width);
    for (int64_t done = 0; done < count;) {
        const int64_t part = count - done < most ? count - done : most;
        collect(tensor, first + done, (size_t)part, width, block);
        convert(block, (size_t)part, destination + done);
        done += part;
    }
}

// The range lies in the tensor, and its checksum is right where it has one and the range begins with the first element.
static encl_status check_range(const encl_tensor *tensor, int64_t first, int64_t count) {
    if (first < 0 || count < 0 || first > tensor->elements || count > tensor->elements - first) {
        return encl_fail(ENCL_INVALID, "tensor '%s': asked for %lld elements from %lld, it has %lld", tensor->name,
                         (long long)count, (long long)first, (long long)tensor->elements);
    }
    if (count > 0 && tensor->data == NULL) {
        return encl_fail(ENCL_UNSUPPORTED,
                         "tensor '%s': found it in the layout of a device only (a packed model), expected a checkpoint",
                         tensor->name);
    }
    return count > 0 && first == 0 && tensor->verify != NULL ? tensor->verify(tensor) : ENCL_OK;
}

encl_status encl_tensor_copy(const encl_tensor *tensor, int64_t first, int64_t count, void *destination) {
    const encl_status status = check_range(tensor, first, count);
    const size_t width = encl_dtype_bytes(tensor->dtype);
    if (status == ENCL_OK && count > 0 && encl_tensor_is_dense(tensor)) {
        memcpy(destination, tensor->data + (size_t)first * width, (size_t)count * width);
    } else if (status == ENCL_OK && count > 0) {
        collect(tensor, first, (size_t)count, width, destination);
    }
    return status;
}

encl_status encl_tensor_read(const encl_tensor *tensor, int64_t first, int64_t count, float *destination) {
    static converter *const convert[DTYPES] = {
        [ENCL_DTYPE_F32] = convert_f32,
        [ENCL_DTYPE_F16] = convert_f16,
        [ENCL_DTYPE_BF16] = convert_bf16,
        [ENCL_DTYPE_F64] = convert_f64,
    };
    if ((size_t)tensor->dtype >= DTYPES || convert[tensor->dtype] == NULL) {
        return encl_fail(ENCL_FORMAT, "tensor '%s': found dtype %s, expected F32, F16, BF16 or F64", tensor->name,
                         encl_dtype_name(tensor->dtype));
    }
    const encl_status status = check_range(tensor, first, count);
    if (status != ENCL_OK) {
        return status;
    }
    if (count > 0 && encl_tensor_is_dense(tensor)) {
        convert[tensor->dtype](tensor->data + (size_t)first * dtypes[tensor->dtype].bytes, (size_t)count, destination);
    } else if (count > 0) {
        read_strided(tensor, convert[tensor->dtype], first, count, destination);
    }
    return ENCL_OK;
}
