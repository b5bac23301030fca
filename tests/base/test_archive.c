// Zip files: what is read where it lies, what is inflated, and every way in which a zip can be wrong.
#include "base/zip_writer.h"
#include "checkpoint/scratch.h"
#include "runtime/base/archive.h"
#include "runtime/base/random.h"
#include "runtime/base/thread.h"

static const char repeated[] = "one two three one two three one two three one two three one two three one two three";

static const encl_zip_entry entries[] = {
    {"model/", NULL, 0, false},
    {"model/stored.bin", "stored bytes", 12, false},
    {"model/deflated.txt", repeated, sizeof repeated - 1, true},
    {"model/empty", "", 0, false},
    {"a.json", "{}", 2, true},
};
enum { ENTRIES = sizeof entries / sizeof entries[0], DEFLATED = 2, LISTED = 3, STORED = 4 };

static encl_status open_bytes(const uint8_t *bytes, size_t length, encl_file *file, encl_archive **archive) {
    *file = (encl_file){.data = bytes, .size = length};
    return encl_archive_open(file, "model.zip", archive);
}

static void assert_refused(const uint8_t *bytes, size_t length, encl_status expected, const char *part) {
    encl_file file;
    encl_archive *archive = (encl_archive *)1;
    assert_fails(open_bytes(bytes, length, &file, &archive), expected, part);
    assert_detail_has("model.zip");
    assert_null(archive);
}

// Opens, and expects the member to be refused when mapped.
static void assert_member_refused(const uint8_t *bytes, size_t length, const char *name, encl_status expected,
                                  const char *part) {
    encl_file file;
    encl_file mapped;
    encl_archive *archive = NULL;
    assert_ok(open_bytes(bytes, length, &file, &archive));
    const int64_t index = encl_archive_find(archive, name);
    assert_true(index >= 0);
    assert_fails(encl_archive_map(archive, (size_t)index, &mapped), expected, part);
    assert_detail_has(name);
    assert_null(mapped.data);
    encl_archive_close(archive);
}

static void reads_stored_in_place_and_inflates(void **state) {
    (void)state;
    size_t length = 0;
    uint8_t *bytes = zip_write(entries, ENTRIES, &length);
    encl_file file;
    encl_file mapped;
    encl_archive *archive = NULL;
    assert_ok(open_bytes(bytes, length, &file, &archive));
    static const char *const sorted[] = {"a.json", "model/", "model/deflated.txt", "model/empty", "model/stored.bin"};
    assert_int_equal(encl_archive_count(archive), ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++) {
        assert_string_equal(encl_archive_name(archive, i), sorted[i]);
        assert_int_equal(encl_archive_find(archive, sorted[i]), i);
        assert_int_equal(encl_archive_lower_bound(archive, sorted[i]), i);
    }
    assert_int_equal(encl_archive_find(archive, "model"), -1);
    assert_int_equal(encl_archive_find(archive, "z"), -1);
    assert_int_equal(encl_archive_lower_bound(archive, "model/e"), 3);
    assert_int_equal(encl_archive_lower_bound(archive, "z"), ENTRIES);

    assert_true(encl_archive_is_stored(archive, STORED));
    assert_ok(encl_archive_map(archive, STORED, &mapped));
    assert_true(mapped.data > bytes && mapped.data + mapped.size < bytes + length);
    assert_int_equal(mapped.size, 12);
    assert_memory_equal(mapped.data, "stored bytes", 12);
    encl_file_advise_drop(&mapped, 0, 12); // of bytes that are no mapped file's: nothing is dropped
    encl_file_unmap(&mapped);
    assert_int_equal(encl_archive_inflated_bytes(archive), 0);

    assert_false(encl_archive_is_stored(archive, DEFLATED));
    assert_int_equal(encl_archive_size(archive, DEFLATED), sizeof repeated - 1);
    assert_ok(encl_archive_map(archive, DEFLATED, &mapped));
    assert_int_equal(mapped.size, sizeof repeated - 1);
    encl_file_advise_ahead(&mapped, 0, mapped.size);
    encl_file_advise_drop(&mapped, 0, mapped.size); // inflated bytes are nowhere else
    assert_memory_equal(mapped.data, repeated, sizeof repeated - 1);
    assert_int_equal(encl_archive_inflated_bytes(archive), sizeof repeated - 1);
    encl_archive_close(archive);
    assert_memory_equal(mapped.data, repeated, sizeof repeated - 1); // outlives the archive
    encl_file_unmap(&mapped);
    free(bytes);
}

// Written by Python's zipfile.
static void reads_what_others_wrote(void **state) {
    (void)state;
    static const char path[] = "tests/fixtures/tiny-zip/stored.zip";
    encl_file file;
    encl_file member;
    encl_file expected;
    encl_archive *archive = NULL;
    assert_ok(encl_file_map(path, &file));
    assert_ok(encl_archive_open(&file, path, &archive));
    assert_ok(encl_file_map("tests/fixtures/tiny-pretraining/model.safetensors", &expected));
    const int64_t index = encl_archive_find(archive, "tiny-pretraining/model.safetensors");
    assert_true(index >= 0);
    assert_ok(encl_archive_map(archive, (size_t)index, &member));
    assert_in_range((uintptr_t)member.data, (uintptr_t)file.data, (uintptr_t)(file.data + file.size - member.size));
    assert_int_equal(member.size, expected.size);
    encl_file_advise_drop(&member, 0, member.size); // a hint that reaches the file behind it
    assert_memory_equal(member.data, expected.data, expected.size);
    encl_archive_close(archive);
    encl_file_unmap(&member);
    encl_file_unmap(&expected);
    encl_file_unmap(&file);
}

static void refuses_truncation_at_every_byte(void **state) {
    (void)state;
    size_t length = 0;
    uint8_t *bytes = zip_write(entries, ENTRIES, &length);
    for (size_t i = 0; i < length; i++) {
        uint8_t *part = malloc(i + 1);
        assert_non_null(part);
        memcpy(part, bytes, i);
        uint8_t *exact = realloc(part, i > 0 ? i : 1);
        assert_refused(exact, i, ENCL_FORMAT, "zip");
        free(exact);
    }
    free(bytes);
}

// Whatever a changed zip gives lies within it or is checked, and reading ends with a status.
static void read_all(const uint8_t *bytes, size_t length) {
    encl_file file;
    encl_archive *archive = NULL;
    if (open_bytes(bytes, length, &file, &archive) != ENCL_OK) {
        assert_detail_has("model.zip");
        return;
    }
    for (size_t i = 0; i < encl_archive_count(archive); i++) {
        encl_file mapped;
        if (encl_archive_map(archive, i, &mapped) != ENCL_OK) {
            assert_detail_has("model.zip/");
            continue;
        }
        uint8_t sum = 0;
        for (size_t at = 0; at < mapped.size; at++) {
            sum = (uint8_t)(sum + mapped.data[at]);
        }
        const bool deflated = strcmp(encl_archive_name(archive, i), "model/deflated.txt") == 0;
        if (deflated && !encl_archive_is_stored(archive, i)) {
            assert_memory_equal(mapped.data, repeated, sizeof repeated - 1); // its checksum matched
        }
        (void)sum;
        encl_file_unmap(&mapped);
    }
    encl_archive_close(archive);
}

static void survives_every_changed_byte(void **state) {
    (void)state;
    size_t length = 0;
    uint64_t seed = 7;
    uint8_t *bytes = zip_write(entries, ENTRIES, &length);
    for (size_t i = 0; i < length; i++) {
        const uint8_t kept = bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (uint8_t)(kept ^ (1 << bit));
            read_all(bytes, length);
        }
        bytes[i] = 0xff;
        read_all(bytes, length);
        bytes[i] = kept;
    }
    for (int round = 0; round < 2000; round++) { // several at once
        uint8_t *changed = malloc(length);
        assert_non_null(changed);
        memcpy(changed, bytes, length);
        for (int i = 0; i < 4; i++) {
            const uint64_t drawn = encl_random_next(&seed);
            changed[(drawn >> 8) % length] = (uint8_t)drawn;
        }
        read_all(changed, length);
        free(changed);
    }
    free(bytes);
}

static void refuses_names(void **state) {
    (void)state;
    static const char *const names[] = {"/abcd", "../ab", "a/../",  "a\\bcd", "a//bc",
                                        "./abc", "a/./b", "a\nbcd", "a/b/."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const encl_zip_entry entry = {"abcde", "bytes", 5, false};
        size_t length = 0;
        uint8_t *bytes = zip_write(&entry, 1, &length);
        assert_int_equal(zip_patch(bytes, length, "abcde", names[i]), 2);
        assert_refused(bytes, length, ENCL_FORMAT, "plain relative name");
        free(bytes);
    }
    const encl_zip_entry two[] = {{"abcde", "1", 1, false}, {"abcdf", "2", 1, false}};
    size_t length = 0;
    uint8_t *bytes = zip_write(two, 2, &length);
    assert_int_equal(zip_patch(bytes, length, "abcdf", "abcde"), 2);
    assert_refused(bytes, length, ENCL_FORMAT, "abcde: found twice");
    free(bytes);
}

static void put(uint8_t *bytes, uint64_t value, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

// Each row changes a field of the only member's central header.
static void refuses_members(void **state) {
    (void)state;
    static const struct {
        bool deflated;
        size_t offset;
        size_t count;
        uint64_t value;
        encl_status status;
        const char *part;
    } rows[] = {
        {true, 8, 2, 1, ENCL_UNSUPPORTED, "encrypted"},
        {true, 10, 2, 9, ENCL_UNSUPPORTED, "Deflate64 (9)"},
        {true, 10, 2, 12, ENCL_UNSUPPORTED, "bzip2 (12)"},
        {true, 10, 2, 93, ENCL_UNSUPPORTED, "Zstandard (93)"},
        {true, 10, 2, 77, ENCL_UNSUPPORTED, "unknown method (77)"},
        {true, 16, 4, 0, ENCL_FORMAT, "CRC"},
        {true, 24, 4, 84, ENCL_FORMAT, "damaged"},           // one more than there is
        {true, 24, 4, 82, ENCL_FORMAT, "damaged"},           // one less
        {true, 24, 4, 0xfffffffe, ENCL_FORMAT, "cannot do"}, // a bomb: 4 GiB of some bytes
        {false, 24, 4, 82, ENCL_FORMAT, "expected equal"},
        {false, 10, 2, 8, ENCL_FORMAT, "damaged"}, // stored bytes are no deflated ones
        {false, 42, 4, 1, ENCL_FORMAT, "damaged"}, // no local header there
    };
    assert_int_equal(sizeof repeated - 1, 83);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const encl_zip_entry entry = {"member", repeated, sizeof repeated - 1, rows[i].deflated};
        size_t length = 0;
        uint8_t *bytes = zip_write(&entry, 1, &length);
        put(bytes + zip_central(bytes, length) + rows[i].offset, rows[i].value, rows[i].count);
        assert_member_refused(bytes, length, "member", rows[i].status, rows[i].part);
        free(bytes);
    }
}

// Two members over the same bytes: what each alone could be, both are not.
static void refuses_members_that_overlap(void **state) {
    (void)state;
    const encl_zip_entry two[] = {{"first", repeated, sizeof repeated - 1, false}, {"other", "2", 1, false}};
    size_t length = 0;
    uint8_t *bytes = zip_write(two, 2, &length);
    const size_t first = zip_central(bytes, length);
    const size_t other = first + 1 + zip_central(bytes + first + 1, length - first - 1);
    memcpy(bytes + other + 42, bytes + first + 42, 4);
    assert_member_refused(bytes, length, "other", ENCL_FORMAT, "not where"); // another name stands there
    put(bytes + other + 20, length - 82, 4);
    put(bytes + other + 24, length - 82, 4);
    assert_refused(bytes, length, ENCL_FORMAT, "more bytes in the zip");
    free(bytes);
}

static void refuses_what_is_no_zip(void **state) {
    (void)state;
    static const uint8_t text[64] = "no zip at all";
    static const uint8_t empty[22] = "PK\5\6"; // a sound zip without files, but nothing to read
    assert_refused(text, sizeof text, ENCL_FORMAT, "no zip");
    assert_refused(text, 0, ENCL_FORMAT, "no zip");
    assert_refused(empty, sizeof empty, ENCL_FORMAT, "no zip");
}

enum { END64 = 56, LOCATOR = 20, END = 22 };

// The same zip with the end records of zip64, which says that it holds `count` files. Caller frees.
static uint8_t *write_zip64(uint64_t count, size_t *length) {
    const encl_zip_entry entry = {"member", "bytes", 5, false};
    size_t short_length = 0;
    uint8_t *bytes = zip_write(&entry, 1, &short_length);
    const size_t central = zip_central(bytes, short_length);
    const size_t end = short_length - END;
    *length = short_length + END64 + LOCATOR;
    uint8_t *larger = calloc(1, *length);
    assert_non_null(larger);
    memcpy(larger, bytes, end);
    uint8_t *at = larger + end;
    memcpy(at, "PK\6\6", 4);
    put(at + 4, END64 - 12, 8);
    put(at + 12, 45, 2);
    put(at + 14, 45, 2);
    put(at + 24, count, 8);
    put(at + 32, count, 8);
    put(at + 40, end - central, 8);
    put(at + 48, central, 8);
    at += END64;
    memcpy(at, "PK\6\7", 4);
    put(at + 8, end, 8);
    put(at + 16, 1, 4);
    at += LOCATOR;
    memcpy(at, bytes + end, END);
    memset(at + 8, 0xff, 12);
    free(bytes);
    return larger;
}

static void reads_zip64_and_refuses_absurd_counts(void **state) {
    (void)state;
    static const uint64_t counts[] = {2, 100, 100001, (uint64_t)1 << 32, (uint64_t)1 << 60, UINT64_MAX};
    size_t length = 0;
    encl_file file;
    encl_archive *archive = NULL;
    uint8_t *bytes = write_zip64(1, &length);
    assert_ok(open_bytes(bytes, length, &file, &archive));
    assert_int_equal(encl_archive_count(archive), 1);
    encl_archive_close(archive);
    free(bytes);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        bytes = write_zip64(counts[i], &length);
        assert_refused(bytes, length, ENCL_FORMAT, counts[i] > 50 ? "expected at most" : "damaged");
        free(bytes);
    }
}

typedef struct sharing {
    const encl_archive *archive;
    bool right[64];
} sharing;

static void map_one(void *context, size_t i) {
    sharing *shared = context;
    encl_file mapped;
    const bool stored = i % 2 == 0;
    shared->right[i] = encl_archive_map(shared->archive, stored ? STORED : DEFLATED, &mapped) == ENCL_OK &&
                       memcmp(mapped.data, stored ? "stored bytes" : repeated, mapped.size) == 0;
    encl_file_unmap(&mapped);
}

static void may_be_shared_by_threads(void **state) {
    (void)state;
    size_t length = 0;
    uint8_t *bytes = zip_write(entries, ENTRIES, &length);
    encl_file file;
    encl_archive *archive = NULL;
    assert_ok(open_bytes(bytes, length, &file, &archive));
    sharing shared = {.archive = archive};
    encl_parallel(64, 4, map_one, &shared);
    for (size_t i = 0; i < 64; i++) {
        assert_true(shared.right[i]);
    }
    assert_int_equal(encl_archive_inflated_bytes(archive), 32 * (sizeof repeated - 1));
    encl_archive_close(archive);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_stored_in_place_and_inflates),
        cmocka_unit_test(reads_what_others_wrote),
        cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(survives_every_changed_byte),
        cmocka_unit_test(refuses_names),
        cmocka_unit_test(refuses_members),
        cmocka_unit_test(refuses_members_that_overlap),
        cmocka_unit_test(refuses_what_is_no_zip),
        cmocka_unit_test(reads_zip64_and_refuses_absurd_counts),
        cmocka_unit_test(may_be_shared_by_threads),
    };
    return encl_test_main(tests);
}
