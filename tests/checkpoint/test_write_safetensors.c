// Writing safetensors: what is read back, how it lies in the file, what may go wrong.
#include <signal.h>
#include <sys/resource.h>

#include "checkpoint/scratch.h"
#include "host/checkpoint/write_safetensors.h"

static encl_tensor dense(const char *name, encl_dtype dtype, int32_t dimensions, const int64_t *shape,
                         const void *data) {
    encl_tensor tensor = {.name = name, .dtype = dtype, .dimensions = dimensions, .elements = 1, .data = data};
    for (int32_t i = 0; i < dimensions; i++) {
        tensor.shape[i] = shape[i];
        tensor.elements *= shape[i];
    }
    tensor.bytes = (size_t)tensor.elements * encl_dtype_bytes(dtype);
    encl_tensor_set_dense(&tensor);
    return tensor;
}

static const float numbers[6] = {1, 2, 3, 4, 5, -6.5f};
static const uint16_t halves[3] = {0x3c00, 0x4000, 0xc200};
static const uint8_t bytes[5] = {1, 2, 3, 4, 255};

static void reads_back_what_it_wrote(void **state) {
    encl_scratch *scratch = *state;
    const encl_tensor matrix = dense("stored", ENCL_DTYPE_F32, 2, (const int64_t[]){2, 3}, numbers);
    const encl_tensor half = dense("stored", ENCL_DTYPE_BF16, 1, (const int64_t[]){3}, halves);
    const encl_tensor small = dense("stored", ENCL_DTYPE_U8, 1, (const int64_t[]){5}, bytes);
    const encl_tensor scalar = dense("stored", ENCL_DTYPE_F32, 0, NULL, numbers + 5);
    const encl_tensor empty = dense("stored", ENCL_DTYPE_F32, 2, (const int64_t[]){0, 4}, numbers);
    encl_tensor transposed = matrix;
    transposed.shape[0] = 3;
    transposed.shape[1] = 2;
    transposed.strides[0] = 1;
    transposed.strides[1] = 3;
    encl_named_tensor tensors[] = {{"b \"quoted\" \xe4\xbd\xa0", &small},
                                   {"z", &half},
                                   {"c", &matrix},
                                   {"a", &transposed},
                                   {"the.scalar", &scalar},
                                   {"empty", &empty}};
    int64_t size = 0;
    assert_ok(encl_safetensors_write(scratch_path(scratch, "model.safetensors"), tensors, 6, NULL, &size));
    struct stat file;
    assert_int_equal(stat(scratch_path(scratch, "model.safetensors"), &file), 0);
    assert_int_equal(file.st_size, size);

    encl_checkpoint *checkpoint = NULL;
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    assert_int_equal(encl_checkpoint_count(checkpoint), 6);
    for (size_t i = 0; i < 6; i++) {
        const encl_tensor *read = encl_checkpoint_find(checkpoint, tensors[i].name);
        assert_non_null(read);
        assert_int_equal(read->dtype, tensors[i].tensor->dtype);
        assert_int_equal(read->dimensions, tensors[i].tensor->dimensions);
        assert_memory_equal(read->shape, tensors[i].tensor->shape, sizeof read->shape);
        assert_int_equal((uintptr_t)read->data % encl_dtype_bytes(read->dtype), 0); // the file starts on a page
        uint8_t found[64];
        uint8_t expected[64];
        assert_ok(encl_tensor_copy(read, 0, read->elements, found));
        assert_ok(encl_tensor_copy(tensors[i].tensor, 0, read->elements, expected));
        assert_memory_equal(found, expected, read->bytes);
    }
    static const float columns[] = {1, 4, 2, 5, 3, -6.5f};
    assert_memory_equal(encl_checkpoint_find(checkpoint, "a")->data, columns, sizeof columns);
    encl_checkpoint_close(checkpoint);
}

static void writes_no_tensors(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    int64_t size = 0;
    assert_ok(encl_safetensors_write(scratch_path(scratch, "model.safetensors"), NULL, 0, NULL, &size));
    assert_int_equal(size % 8, 0);
    assert_ok(encl_checkpoint_open(scratch->folder, &checkpoint));
    assert_int_equal(encl_checkpoint_count(checkpoint), 0);
    encl_checkpoint_close(checkpoint);
}

// The official library wrote the fixture: same tensors, same bytes of data.
static void lays_out_as_the_reference(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *reference = NULL;
    encl_named_tensor tensors[64];
    int64_t size = 0;
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-bert-odd", &reference));
    const size_t count = encl_checkpoint_count(reference);
    assert_in_range(count, 1, 64);
    for (size_t i = 0; i < count; i++) {
        tensors[i].tensor = encl_checkpoint_at(reference, count - 1 - i);
        tensors[i].name = tensors[i].tensor->name;
    }
    assert_ok(encl_safetensors_write(scratch_path(scratch, "model.safetensors"), tensors, count, NULL, &size));
    encl_file written;
    encl_file expected;
    assert_ok(encl_file_map(scratch_path(scratch, "model.safetensors"), &written));
    assert_ok(encl_file_map("tests/fixtures/tiny-bert-odd/model.safetensors", &expected));
    assert_int_equal(written.size, expected.size);
    const size_t header = 8 + expected.data[0] + 256u * expected.data[1];
    assert_memory_equal(written.data + header, expected.data + header, expected.size - header);
    encl_file_unmap(&written);
    encl_file_unmap(&expected);
    encl_checkpoint_close(reference);
}

static int turns;
static encl_status stop_at_the_second(void) {
    return ++turns < 2 ? ENCL_OK : encl_fail(ENCL_INTERRUPTED, "stopped");
}

static encl_status wrong_checksum(const encl_tensor *tensor) {
    return encl_fail(ENCL_FORMAT, "tensor '%s': checksum", tensor->name);
}

static void leaves_nothing_behind(void **state) {
    encl_scratch *scratch = *state;
    const encl_tensor matrix = dense("stored", ENCL_DTYPE_F32, 2, (const int64_t[]){2, 3}, numbers);
    encl_tensor wrong = matrix;
    wrong.verify = wrong_checksum;
    int64_t size = 1;
    const char *path = scratch_path(scratch, "model.safetensors");
    encl_named_tensor twice[] = {{"a", &matrix}, {"b", &matrix}, {"a", &matrix}};
    assert_fails(encl_safetensors_write(path, twice, 3, NULL, &size), ENCL_INVALID, "'a' twice");
    assert_int_equal(size, 0);
    encl_named_tensor metadata[] = {{"__metadata__", &matrix}};
    size = 1;
    assert_fails(encl_safetensors_write(path, metadata, 1, NULL, &size), ENCL_INVALID, "'__metadata__'");
    assert_int_equal(size, 0);
    encl_named_tensor two[] = {{"a", &matrix}, {"b", &matrix}};
    turns = 0;
    assert_fails(encl_safetensors_write(path, two, 2, stop_at_the_second, &size), ENCL_INTERRUPTED, "stopped");
    encl_named_tensor bad[] = {{"a", &wrong}};
    assert_fails(encl_safetensors_write(path, bad, 1, NULL, &size), ENCL_FORMAT, "'stored': checksum");
    assert_fails(encl_safetensors_write("/no/such/folder/file", two, 2, NULL, &size), ENCL_IO, "/no/such/folder/file");
    assert_int_equal(scratch_count(scratch->folder), 0);
}

// A limit on the size of files is a disk that is full.
static void tells_of_a_full_disk(void **state) {
    encl_scratch *scratch = *state;
    enum { ELEMENTS = 1 << 16 };
    float *zeros = calloc(ELEMENTS, sizeof *zeros);
    assert_non_null(zeros);
    const encl_tensor large = dense("stored", ENCL_DTYPE_F32, 1, (const int64_t[]){ELEMENTS}, zeros);
    encl_named_tensor tensors[] = {{"a", &large}};
    struct rlimit before;
    int64_t size = 0;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 10000, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const encl_status status =
        encl_safetensors_write(scratch_path(scratch, "model.safetensors"), tensors, 1, NULL, &size);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_fails(status, ENCL_IO, "model.safetensors: cannot write");
    assert_int_equal(scratch_count(scratch->folder), 0);
    free(zeros);
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(reads_back_what_it_wrote),  with_scratch(writes_no_tensors),
        with_scratch(lays_out_as_the_reference), with_scratch(leaves_nothing_behind),
        with_scratch(tells_of_a_full_disk),
    };
    return encl_test_main(tests);
}
