// Pickles for tests, written opcode by opcode, and the checks that all readers of pickles get.
#ifndef ENCL_TEST_PICKLE_WRITER_H
#define ENCL_TEST_PICKLE_WRITER_H

#include "checkpoint/scratch.h"
#include "host/checkpoint/pickle.h"
#include "runtime/base/random.h"

// Bytes that grow. Zero-initialise, free with write_free.
typedef struct encl_writer {
    uint8_t *bytes;
    size_t length;
    size_t capacity;
} encl_writer;

static inline void write_bytes(encl_writer *writer, const void *bytes, size_t length) {
    assert_ok(encl_reserve((void **)&writer->bytes, &writer->capacity, writer->length + length, 1));
    if (length > 0) {
        memcpy(writer->bytes + writer->length, bytes, length);
    }
    writer->length += length;
}

static inline void write_free(encl_writer *writer) {
    free(writer->bytes);
    *writer = (encl_writer){0};
}

// A string literal, NULs included.
#define write_literal(writer, literal) write_bytes((writer), (literal), sizeof(literal) - 1)

static inline void write_number(encl_writer *writer, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        const uint8_t byte = (uint8_t)(number >> (8 * i));
        write_bytes(writer, &byte, 1);
    }
}

static inline void write_text(encl_writer *writer, const char *text) {
    write_literal(writer, "X");
    write_number(writer, strlen(text), 4);
    write_bytes(writer, text, strlen(text));
}

static inline void write_int(encl_writer *writer, int64_t number) {
    write_literal(writer, "\x8a\x08");
    write_number(writer, (uint64_t)number, 8);
}

// MARK ints TUPLE
static inline void write_ints(encl_writer *writer, const int64_t *numbers, size_t count) {
    write_literal(writer, "(");
    for (size_t i = 0; i < count; i++) {
        write_int(writer, numbers[i]);
    }
    write_literal(writer, "t");
}

// A copy that ends where an allocation ends, so that sanitizers see what is read behind it. Caller frees.
static inline uint8_t *exact_copy(const uint8_t *bytes, size_t length) {
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

// A file of the repository in an allocation of its size. Caller frees.
static inline uint8_t *read_fixture(const char *path, size_t *length) {
    encl_file file = {0};
    assert_ok(encl_file_map(path, &file));
    uint8_t *bytes = exact_copy(file.data, file.size);
    *length = file.size;
    encl_file_unmap(&file);
    return bytes;
}

// ---- Checkpoints in memory ----------------------------------------------------------------------------------

// Reads a file from memory; *checkpoint is closed by the caller, also where reading fails.
static inline encl_status read_memory(encl_read_function *read, const encl_file *file, encl_checkpoint **checkpoint) {
    assert_ok(encl_allocate(1, sizeof **checkpoint, (void **)checkpoint));
    const encl_status status = read(*checkpoint, "memory", file);
    encl_checkpoint_sort(*checkpoint, 0);
    return status;
}

// Reads every element of every tensor, so that sanitizers see a view that leaves its memory.
static inline void read_all_elements(const encl_checkpoint *checkpoint) {
    float values[256];
    for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
        encl_tensor tensor = *encl_checkpoint_at(checkpoint, i);
        // Other dtypes are only stored; their bytes are read as the floats of the same width.
        static const encl_dtype floats[] = {[2] = ENCL_DTYPE_F16, [4] = ENCL_DTYPE_F32, [8] = ENCL_DTYPE_F64};
        const size_t width = encl_dtype_bytes(tensor.dtype);
        for (int64_t first = 0, count = 0; first < tensor.elements && width > 1; first += count) {
            tensor.dtype = floats[width];
            count = tensor.elements - first < 256 ? tensor.elements - first : 256;
            assert_ok(encl_tensor_read(&tensor, first, count, values));
        }
    }
}

// Whatever the bytes are, there is a status, a message where it fails, and no tensor outside its memory.
static inline encl_status read_any(encl_read_function *read, const uint8_t *bytes, size_t length) {
    const encl_file file = {.data = bytes, .size = length};
    encl_checkpoint *checkpoint = NULL;
    const encl_status status = read_memory(read, &file, &checkpoint);
    if (status == ENCL_OK) {
        read_all_elements(checkpoint);
    } else {
        assert_detail_has("memory");
    }
    encl_checkpoint_close(checkpoint);
    return status;
}

// No truncation is read as a whole.
static inline void refuses_truncations(encl_read_function *read, const uint8_t *bytes, size_t length, size_t step) {
    assert_int_equal(read_any(read, bytes, length), ENCL_OK);
    for (size_t i = 0; i < length; i += step) {
        uint8_t *part = exact_copy(bytes, i);
        const encl_status status = read_any(read, part, i);
        if (status != ENCL_FORMAT && status != ENCL_UNSUPPORTED) {
            fail_msg("%zu of %zu bytes: found %s", i, length, encl_status_name(status));
        }
        free(part);
    }
}

static inline size_t draw(uint64_t *random, size_t limit) {
    return (size_t)(encl_random_next(random) % limit);
}

// Changes a few bytes at a time, more often than not among the first `range`. Some results are sound.
static inline void survives_damage(encl_read_function *read, const uint8_t *bytes, size_t length, size_t range,
                                   int rounds) {
    uint64_t random = 20240601;
    size_t refused = 0;
    for (int i = 0; i < rounds; i++) {
        uint8_t *copy = exact_copy(bytes, length);
        for (size_t change = draw(&random, 4) + 1; change > 0; change--) {
            const size_t at = draw(&random, draw(&random, 4) == 0 ? length : range);
            const uint8_t bytes_to_choose[] = {(uint8_t)(copy[at] ^ 1u << draw(&random, 8)), copy[draw(&random, range)],
                                               (uint8_t)draw(&random, 256), 0, 0xff};
            copy[at] = bytes_to_choose[draw(&random, sizeof bytes_to_choose)];
        }
        refused += read_any(read, copy, length) != ENCL_OK;
        free(copy);
    }
    assert_true(refused > 0);
}

static inline const encl_tensor *find_tensor(const encl_checkpoint *checkpoint, const char *name) {
    const encl_tensor *tensor = encl_checkpoint_find(checkpoint, name);
    if (tensor == NULL) {
        fail_msg("no tensor '%s'", name);
    }
    return tensor;
}

#endif
