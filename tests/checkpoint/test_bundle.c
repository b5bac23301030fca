// TensorFlow's tensor bundles, written by hand: every type, what an index may not say, tensors in slices.
#include "checkpoint/bundle_writer.h"
#include "checkpoint/scratch.h"
#include "host/checkpoint/checkpoint.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { DATA_BYTES = 64 };

static void write_data(encl_scratch *scratch, uint8_t data[DATA_BYTES]) {
    for (size_t i = 0; i < DATA_BYTES; i++) {
        data[i] = (uint8_t)i;
    }
    scratch_write(scratch, "m.data-00000-of-00001", data, DATA_BYTES);
}

static encl_status open_written(encl_scratch *scratch, encl_written *entries, uint8_t type,
                                encl_checkpoint **checkpoint) {
    static encl_written file;
    written_table(&file, entries, type);
    scratch_write(scratch, "m.index", file.bytes, file.length);
    return encl_checkpoint_open(scratch->folder, checkpoint);
}

static void reads_every_dtype(void **state) {
    static const struct {
        int32_t number;
        encl_dtype dtype;
    } rows[] = {{1, ENCL_DTYPE_F32},   {2, ENCL_DTYPE_F64},  {3, ENCL_DTYPE_I32}, {4, ENCL_DTYPE_U8},
                {5, ENCL_DTYPE_I16},   {6, ENCL_DTYPE_I8},   {9, ENCL_DTYPE_I64}, {10, ENCL_DTYPE_BOOL},
                {14, ENCL_DTYPE_BF16}, {17, ENCL_DTYPE_U16}, {19, ENCL_DTYPE_F16}};
    encl_scratch *scratch = *state;
    uint8_t data[DATA_BYTES];
    write_data(scratch, data);
    for (size_t i = 0; i < COUNT(rows); i++) {
        encl_written entries = {.length = 0};
        encl_checkpoint *checkpoint = NULL;
        const int64_t bytes = 6 * (int64_t)encl_dtype_bytes(rows[i].dtype);
        const encl_bundle_row row = {"w", rows[i].number, {2, 3}, 2, 0, 1, bytes};
        written_header(&entries, 1, 0);
        written_tensor(&entries, &row, data);
        assert_ok(open_written(scratch, &entries, 0, &checkpoint));
        const encl_tensor *tensor = encl_checkpoint_find(checkpoint, "w");
        assert_non_null(tensor);
        assert_int_equal(tensor->dtype, rows[i].dtype);
        assert_int_equal(tensor->bytes, bytes);
        assert_int_equal(tensor->shape[0], 2);
        assert_int_equal(tensor->strides[0], 3);
        assert_int_equal(tensor->data[0], 1);
        assert_ok(tensor->verify(tensor));
        encl_checkpoint_close(checkpoint);
    }
}

static void refuses_wrong_entries(void **state) {
    static const struct {
        encl_bundle_row row;
        encl_status status;
        const char *part;
    } rows[] = {
        {{"w", 1, {4}, 1, 0, 50, 16}, ENCL_FORMAT, "whose size is 64"},
        {{"w", 1, {4}, 1, 0, 49, 16}, ENCL_FORMAT, "whose size is 64"},
        {{"w", 1, {4}, 1, 0, INT64_MAX, 16}, ENCL_FORMAT, "whose size is 64"},
        {{"w", 1, {4}, 1, 0, 15, 16}, ENCL_FORMAT, "overlap"}, // with "v", which has [0, 16)
        {{"w", 1, {4}, 1, 0, 0, 16}, ENCL_FORMAT, "overlap"},
        {{"w", 1, {4}, 1, 0, 16, 15}, ENCL_FORMAT, "need 16"},
        {{"w", 1, {5}, 1, 0, 16, 16}, ENCL_FORMAT, "need 20"},
        {{"w", 1, {0}, 0, 0, 16, 16}, ENCL_FORMAT, "need 4"},
        {{"w", 1, {4}, 1, 0, -1, 16}, ENCL_FORMAT, "negative"},
        {{"w", 1, {4}, 1, 0, 16, -16}, ENCL_FORMAT, "negative"},
        {{"w", 1, {4}, 1, -1, 16, 16}, ENCL_FORMAT, "negative"},
        {{"w", 1, {4}, 1, 1, 16, 16}, ENCL_FORMAT, "number of data files is 1"},
        {{"w", 1, {-4}, 1, 0, 16, 16}, ENCL_FORMAT, "size -4"},
        {{"w", 1, {(int64_t)1 << 62, 4}, 2, 0, 16, 0}, ENCL_FORMAT, "dimension 0"},
        {{"w", 1, {(int64_t)1 << 32, (int64_t)1 << 32}, 2, 0, 16, 0}, ENCL_FORMAT, "dimension 1"},
        {{"w", 0, {4}, 1, 0, 16, 16}, ENCL_UNSUPPORTED, "type 0"},
        {{"w", 8, {2}, 1, 0, 16, 16}, ENCL_UNSUPPORTED, "type 8"}, // complex
        {{"u", 1, {4}, 1, 0, 16, 16}, ENCL_FORMAT, "not greater"}, // before "v"
        {{"v", 1, {4}, 1, 0, 16, 16}, ENCL_FORMAT, "not greater"},
    };
    encl_scratch *scratch = *state;
    uint8_t data[DATA_BYTES];
    write_data(scratch, data);
    for (size_t i = 0; i < COUNT(rows); i++) {
        encl_written entries = {.length = 0};
        encl_checkpoint *checkpoint = (encl_checkpoint *)1;
        const encl_bundle_row first = {"v", 1, {4}, 1, 0, 0, 16};
        written_header(&entries, 1, 0);
        written_tensor(&entries, &first, data);
        written_tensor(&entries, &rows[i].row, NULL);
        assert_fails(open_written(scratch, &entries, 0, &checkpoint), rows[i].status, rows[i].part);
        assert_detail_has("m.index");
        assert_null(checkpoint);
    }
}

static void refuses_wrong_tables(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    uint8_t data[DATA_BYTES];
    const encl_bundle_row row = {"w", 1, {4}, 1, 0, 16, 16};
    encl_written entries;
    write_data(scratch, data);

    static const struct {
        uint64_t shards, endianness;
        uint8_t type;
        encl_status status;
        const char *part;
    } headers[] = {
        {1, 1, 0, ENCL_UNSUPPORTED, "big-endian"},     {0, 0, 0, ENCL_FORMAT, "at least 1"},
        {UINT64_MAX, 0, 0, ENCL_FORMAT, "at least 1"}, {2, 0, 0, ENCL_NOT_FOUND, "m.data-00000-of-00002"},
        {1, 0, 1, ENCL_UNSUPPORTED, "Snappy"},         {1, 0, 2, ENCL_FORMAT, "compression 2"},
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        entries = (encl_written){.length = 0};
        written_header(&entries, headers[i].shards, headers[i].endianness);
        written_tensor(&entries, &row, data);
        assert_fails(open_written(scratch, &entries, headers[i].type, &checkpoint), headers[i].status, headers[i].part);
    }

    entries = (encl_written){.length = 0};
    written_tensor(&entries, &row, data);
    assert_fails(open_written(scratch, &entries, 0, &checkpoint), ENCL_FORMAT, "no header");

    entries = (encl_written){.length = 0};
    written_header(&entries, 1, 0);
    written_entry(&entries, "w", 1, "\x12\x7f", 2); // a shape longer than the value
    assert_fails(open_written(scratch, &entries, 0, &checkpoint), ENCL_FORMAT, "'w': found no message");

    entries = (encl_written){.length = 0};
    written_header(&entries, 1, 0);
    written_entry(&entries, "a\0b", 3, "", 0);
    assert_fails(open_written(scratch, &entries, 0, &checkpoint), ENCL_FORMAT, "NUL");

    entries = (encl_written){.length = 0};
    written_header(&entries, 1, 0);
    written_entry(&entries, "a\xff", 2, "", 0);
    assert_fails(open_written(scratch, &entries, 0, &checkpoint), ENCL_FORMAT, "no UTF-8");

    static char long_name[2000];
    memset(long_name, 'x', sizeof long_name - 1);
    entries = (encl_written){.length = 0};
    written_header(&entries, 1, 0);
    written_entry(&entries, long_name, strlen(long_name), "", 0);
    assert_fails(open_written(scratch, &entries, 0, &checkpoint), ENCL_FORMAT, "key of 1999 bytes");

    static const uint8_t bad_entries[][4] = {{5, 0, 0}, {0, 100, 0}, {0, 0, 100}, {0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < COUNT(bad_entries); i++) {
        entries = (encl_written){.length = 0};
        written_add(&entries, bad_entries[i], 4);
        assert_int_equal(open_written(scratch, &entries, 0, &checkpoint), ENCL_FORMAT);
        assert_detail_has("m.index");
    }
}

// A block that is named again would be read again: a file could name a large one for every few of its bytes.
static void reads_every_block_once(void **state) {
    encl_scratch *scratch = *state;
    const encl_bundle_row row = {"w", 1, {4}, 1, 0, 16, 16};
    uint8_t data[DATA_BYTES];
    write_data(scratch, data);
    for (size_t again = 0; again < 3; again++) {
        static encl_written file;
        encl_checkpoint *checkpoint = NULL;
        encl_written entries = {.length = 0};
        encl_written empty = {.length = 0};
        encl_written index = {.length = 0};
        encl_written handles[2] = {{.length = 0}, {.length = 0}};
        file.length = 0;
        written_header(&entries, 1, 0);
        written_tensor(&entries, &row, data);
        written_block(&file, &entries, 0, &handles[0]);
        written_block(&file, &empty, 0, &handles[1]);
        written_entry(&index, "w", 1, handles[0].bytes, handles[0].length);
        written_entry(&index, "x", 1, handles[1].bytes, handles[1].length);
        if (again > 0) {
            written_entry(&index, "y", 1, handles[again - 1].bytes, handles[again - 1].length);
        }
        written_end(&file, &index);
        scratch_write(scratch, "m.index", file.bytes, file.length);
        const encl_status status = encl_checkpoint_open(scratch->folder, &checkpoint);
        if (again > 0) {
            assert_fails(status, ENCL_FORMAT, "expected them in order");
            assert_detail_has("m.index");
        } else {
            assert_ok(status);
            assert_int_equal(encl_checkpoint_count(checkpoint), 1);
        }
        encl_checkpoint_close(checkpoint);
    }
}

// A variable [2, 4] of bytes in two slices: key bytes, and the extents that its own entry lists.
typedef struct slice_row {
    const char *key; // start and length of two dimensions, as OrderedCode
    int64_t extents[4];
    encl_bundle_row row;
} slice_row;

static encl_status open_sliced(encl_scratch *scratch, const slice_row *rows, const uint8_t *data,
                               encl_checkpoint **checkpoint) {
    encl_written entries = {.length = 0};
    encl_written value = {.length = 0};
    written_header(&entries, 1, 0);
    written_number(&value, 1, 4);
    written_bytes(&value, 2, "\x12\2\x08\2\x12\2\x08\4", 8);
    for (size_t i = 0; i < 2; i++) {
        encl_written key = {.length = 0};
        encl_written slice = {.length = 0};
        encl_written one = {.length = 0};
        written_add(&key, "\0w\0\1\1\2", 6);
        written_add(&key, rows[i].key, 4);
        written_tensor(&one, &rows[i].row, data);
        const size_t skipped = 3 + strlen(rows[i].row.name); // lengths, and a name to be replaced
        written_entry(&entries, key.bytes, key.length, one.bytes + skipped, one.length - skipped);
        for (size_t d = 0; d < 2; d++) {
            encl_written extent = {.length = 0};
            written_number(&extent, 1, (uint64_t)rows[i].extents[2 * d]);
            if (rows[i].extents[2 * d + 1] != -1) {
                written_number(&extent, 2, (uint64_t)rows[i].extents[2 * d + 1]);
            }
            written_bytes(&slice, 1, extent.bytes, extent.length);
        }
        written_bytes(&value, 7, slice.bytes, slice.length);
    }
    written_entry(&entries, "w", 1, value.bytes, value.length);
    return open_written(scratch, &entries, 0, checkpoint);
}

static void assembles_slices(void **state) {
    encl_scratch *scratch = *state;
    encl_checkpoint *checkpoint = NULL;
    uint8_t data[DATA_BYTES];
    write_data(scratch, data);
    // Columns [0, 1) and [1, 4) of all rows; length -1, 0x7f, is the whole dimension.
    const slice_row columns[2] = {{"\x80\x7f\x80\x81", {0, -1, 0, 1}, {"", 4, {2, 1}, 2, 0, 10, 2}},
                                  {"\x80\x7f\x81\x83", {0, -1, 1, 3}, {"", 4, {2, 3}, 2, 0, 20, 6}}};
    assert_ok(open_sliced(scratch, columns, data, &checkpoint));
    assert_int_equal(encl_checkpoint_count(checkpoint), 1);
    assert_memory_equal(encl_checkpoint_find(checkpoint, "w")->data, "\x0a\x14\x15\x16\x0b\x17\x18\x19", 8);
    encl_checkpoint_close(checkpoint);
    const slice_row rows[2] = {{"\x80\x81\x80\x84", {0, 1, 0, 4}, {"", 4, {1, 4}, 2, 0, 10, 4}},
                               {"\x81\x81\x80\x84", {1, 1, 0, 4}, {"", 4, {1, 4}, 2, 0, 20, 4}}};
    assert_ok(open_sliced(scratch, rows, data, &checkpoint));
    assert_memory_equal(encl_checkpoint_find(checkpoint, "w")->data, "\x0a\x0b\x0c\x0d\x14\x15\x16\x17", 8);
    encl_checkpoint_close(checkpoint);
}

static void refuses_wrong_slices(void **state) {
    static const struct {
        slice_row second; // beside row 0
        const char *part;
    } rows[] = {
        {{"\x81\x81\x80\x83", {1, 1, 0, 3}, {"", 4, {1, 3}, 2, 0, 20, 3}}, "slices of 7 elements"},
        {{"\x81\x82\x80\x84", {1, 2, 0, 4}, {"", 4, {2, 4}, 2, 0, 20, 8}}, "start 1, length 2 of dimension 0"},
        {{"\x81\x81\x81\x84", {1, 1, 1, 4}, {"", 4, {1, 4}, 2, 0, 20, 4}}, "start 1, length 4 of dimension 1"},
        {{"\x80\x82\x80\x84", {0, 2, 0, 4}, {"", 4, {2, 4}, 2, 0, 20, 8}}, "overlap"},
        {{"\x81\x81\x80\x84", {1, 1, 0, 4}, {"", 4, {4, 1}, 2, 0, 20, 4}}, "another shape"},
        {{"\x81\x81\x80\x84", {1, 1, 0, 4}, {"", 6, {1, 4}, 2, 0, 20, 4}}, "another shape"}, // int8
        {{"\x81\x81\x80\x85", {1, 1, 0, 4}, {"", 4, {1, 4}, 2, 0, 20, 4}}, "nothing"},
        {{"\x81\x81\x80\x84", {1, INT64_MAX, 0, 4}, {"", 4, {1, 4}, 2, 0, 20, 4}}, "dimension 0"},
        {{"\x81\x81\x80\x84", {-1, 1, 0, 4}, {"", 4, {1, 4}, 2, 0, 20, 4}}, "dimension 0"},
    };
    encl_scratch *scratch = *state;
    uint8_t data[DATA_BYTES];
    write_data(scratch, data);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const slice_row both[2] = {{"\x80\x81\x80\x84", {0, 1, 0, 4}, {"", 4, {1, 4}, 2, 0, 10, 4}}, rows[i].second};
        encl_checkpoint *checkpoint = NULL;
        assert_fails(open_sliced(scratch, both, data, &checkpoint), ENCL_FORMAT, rows[i].part);
        assert_detail_has("tensor 'w'");
    }
}

#define with_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_scratch(reads_every_dtype),      with_scratch(refuses_wrong_entries), with_scratch(refuses_wrong_tables),
        with_scratch(reads_every_block_once), with_scratch(assembles_slices),      with_scratch(refuses_wrong_slices),
    };
    return encl_test_main(tests);
}
