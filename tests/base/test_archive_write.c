// Zips as they are written: what a reader finds in them, where, and what is left behind when something goes wrong.
#include <signal.h>
#include <sys/resource.h>

#include "checkpoint/scratch.h"
#include "runtime/base/archive.h"
#include "runtime/base/archive_write.h"
#include "runtime/base/random.h"

enum { MEMBERS = 40, LONGEST = 20000 };

static uint8_t bytes[LONGEST + MEMBERS];

// Names and sizes that make every kind of padding: members end just before, on and just behind pages.
static void describe(size_t i, char name[1200], size_t *length) {
    static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 8192, LONGEST, 17};
    const size_t letters = i % 5 == 4 ? 1000 : i;
    const int used = snprintf(name, 1200, "folder/%zu-", i);
    memset(name + used, 'n', letters);
    name[(size_t)used + letters] = '\0';
    *length = lengths[i % (sizeof lengths / sizeof lengths[0])];
}

static void write_members(const char *path, size_t count, bool commit) {
    encl_archive_writer *writer = NULL;
    assert_ok(encl_archive_create(path, &writer));
    for (size_t i = 0; i < count; i++) {
        char name[1200];
        size_t length = 0;
        describe(i, name, &length);
        assert_ok(encl_archive_begin(writer, name));
        assert_ok(encl_archive_append(writer, bytes + i, length / 2));
        assert_ok(encl_archive_append(writer, bytes + i + length / 2, length - length / 2));
    }
    assert_ok(commit ? encl_archive_commit(writer) : ENCL_OK);
    encl_archive_writer_close(writer);
}

static void open_zip(const char *path, encl_file *file, encl_archive **archive) {
    assert_ok(encl_file_map(path, file));
    assert_ok(encl_archive_open(file, path, archive));
}

static void members_begin_on_pages(void **state) {
    encl_scratch *scratch = *state;
    encl_file file;
    encl_archive *archive = NULL;
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)encl_random_next(&seed);
    }
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path(scratch, "members.zip"));
    write_members(path, MEMBERS, true);
    open_zip(path, &file, &archive);
    assert_int_equal(encl_archive_count(archive), MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) {
        char name[1200];
        size_t length = 0;
        encl_file mapped;
        describe(i, name, &length);
        const int64_t index = encl_archive_find(archive, name);
        assert_true(index >= 0);
        assert_true(encl_archive_is_stored(archive, (size_t)index));
        assert_ok(encl_archive_map(archive, (size_t)index, &mapped));
        if (mapped.size > 0) {
            assert_int_equal((size_t)(mapped.data - file.data) % ENCL_ARCHIVE_PAGE, 0);
        }
        assert_memory_equal(mapped.data, bytes + i, length);
        assert_ok(encl_archive_verify(archive, (size_t)index));
        encl_file_unmap(&mapped);
    }
    encl_archive_close(archive);
    encl_file_unmap(&file);
}

static void an_empty_zip_is_written(void **state) {
    encl_scratch *scratch = *state;
    encl_archive_writer *writer = NULL;
    assert_ok(encl_archive_create(scratch_path(scratch, "empty.zip"), &writer));
    assert_fails(encl_archive_append(writer, "x", 1), ENCL_INVALID, "no member was begun");
    assert_ok(encl_archive_commit(writer));
    assert_int_equal(encl_archive_written(writer), 56 + 20 + 22);
    encl_archive_writer_close(writer);
}

static void equal_members_give_equal_files(void **state) {
    encl_scratch *scratch = *state;
    encl_file files[2];
    write_members(scratch_path(scratch, "a.zip"), 9, true);
    assert_ok(encl_file_map(scratch->path, &files[0]));
    write_members(scratch_path(scratch, "b.zip"), 9, true);
    assert_ok(encl_file_map(scratch->path, &files[1]));
    assert_int_equal(files[0].size, files[1].size);
    assert_memory_equal(files[0].data, files[1].data, files[0].size);
    encl_file_unmap(&files[0]);
    encl_file_unmap(&files[1]);
}

static void nothing_is_left_of_what_was_not_committed(void **state) {
    encl_scratch *scratch = *state;
    const size_t before = scratch_count(scratch->folder);
    encl_archive_writer *writer = NULL;
    char name[1026];
    write_members(scratch_path(scratch, "abandoned.zip"), 3, false);
    assert_int_equal(scratch_count(scratch->folder), before);
    assert_fails(encl_archive_create(scratch_path(scratch, "nowhere/x.zip"), &writer), ENCL_IO, "nowhere");
    assert_null(writer);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_ok(encl_archive_create(scratch_path(scratch, "names.zip"), &writer));
    assert_fails(encl_archive_begin(writer, name), ENCL_INVALID, "1025 bytes");
    assert_fails(encl_archive_begin(writer, ""), ENCL_INVALID, "0 bytes");
    encl_archive_writer_close(writer);
    assert_int_equal(scratch_count(scratch->folder), before);
}

// A file that may not grow further is as a disk that is full.
static void a_full_disk_is_told(void **state) {
    encl_scratch *scratch = *state;
    const size_t before = scratch_count(scratch->folder);
    struct rlimit limit;
    encl_archive_writer *writer = NULL;
    encl_status status = ENCL_OK;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit low = {.rlim_cur = 30000, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_ok(encl_archive_create(scratch_path(scratch, "full.zip"), &writer));
    for (size_t i = 0; i < 8 && status == ENCL_OK; i++) {
        status = encl_archive_begin(writer, "members");
        status = status == ENCL_OK ? encl_archive_append(writer, bytes, LONGEST) : status;
    }
    status = status == ENCL_OK ? encl_archive_commit(writer) : status;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_fails(status, ENCL_IO, "full.zip: cannot write");
    encl_archive_writer_close(writer);
    assert_int_equal(scratch_count(scratch->folder), before);
}

// Every bit of a member is under its checksum.
static void damage_is_found(void **state) {
    encl_scratch *scratch = *state;
    encl_file file;
    encl_archive *archive = NULL;
    encl_archive_writer *writer = NULL;
    assert_ok(encl_archive_create(scratch_path(scratch, "damage.zip"), &writer));
    assert_ok(encl_archive_begin(writer, "member"));
    assert_ok(encl_archive_append(writer, bytes, 100));
    assert_ok(encl_archive_commit(writer));
    encl_archive_writer_close(writer);
    assert_ok(encl_file_map(scratch->path, &file));
    uint8_t *copy = malloc(file.size);
    assert_non_null(copy);
    for (size_t at = 0; at < 100; at++) {
        memcpy(copy, file.data, file.size);
        copy[ENCL_ARCHIVE_PAGE + at] ^= (uint8_t)(1 << at % 8);
        const encl_file damaged = {.data = copy, .size = file.size};
        assert_ok(encl_archive_open(&damaged, "damage.zip", &archive));
        assert_fails(encl_archive_verify(archive, 0), ENCL_FORMAT, "damage.zip/member: found bytes with the checksum");
        encl_archive_close(archive);
    }
    free(copy);
    encl_file_unmap(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_begin_on_pages),
        cmocka_unit_test(an_empty_zip_is_written),
        cmocka_unit_test(equal_members_give_equal_files),
        cmocka_unit_test(nothing_is_left_of_what_was_not_committed),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
