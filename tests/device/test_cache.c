// The cache on disk: what was stored comes back whole or not at all.
#include "fixture.h"

#include "runtime/base/thread.h"
#include "runtime/device/cache.h"

static const char key[] = "00ff00ff00ff";
static char root[FIXTURE_PATH];

static int set_up(void **state) {
    (void)state;
    fixture_folder(root);
    return setenv("ENCL_CACHE_DIR", root, 1);
}

static int tear_down(void **state) {
    (void)state;
    fixture_remove(root);
    return 0;
}

static size_t read_entry(unsigned char *bytes, size_t capacity) {
    char path[2 * FIXTURE_PATH];
    snprintf(path, sizeof path, "%s/programs/%s", root, key);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    size_t length = fread(bytes, 1, capacity, stream);
    fclose(stream);
    return length;
}

static void write_entry(const void *bytes, size_t length) {
    char folder[2 * FIXTURE_PATH];
    snprintf(folder, sizeof folder, "%s/programs", root);
    fixture_write(folder, key, bytes, length);
}

static bool entry_exists(void) {
    char path[2 * FIXTURE_PATH];
    snprintf(path, sizeof path, "%s/programs/%s", root, key);
    return access(path, F_OK) == 0;
}

static void expect_payload(const void *bytes, size_t length) {
    void *loaded = NULL;
    size_t loaded_length = 0;
    assert_ok(encl_cache_load("programs", key, &loaded, &loaded_length));
    assert_int_equal(loaded_length, length);
    assert_memory_equal(loaded, bytes, length);
    free(loaded);
}

static void expect_nothing(void) {
    void *loaded = root;
    size_t length = 1;
    assert_int_equal(encl_cache_load("programs", key, &loaded, &length), ENCL_NOT_FOUND);
    assert_null(loaded);
    assert_int_equal(length, 0);
    assert_false(entry_exists());
}

static void test_round_trip(void **state) {
    (void)state;
    expect_nothing();
    encl_cache_store("programs", key, "first", 5);
    expect_payload("first", 5);
    encl_cache_store("programs", key, "second one", 10);
    expect_payload("second one", 10);
    encl_cache_store("programs", key, "", 0);
    expect_payload("", 0);
    encl_cache_remove("programs", key);
    expect_nothing();
    encl_cache_remove("programs", key);
}

// The layout that the header promises, so that another version of the program can read it.
static void test_layout(void **state) {
    (void)state;
    // SHA-256("abc"), FIPS 180-4.
    static const unsigned char expected[] = "enclcach\x01\0\0\0\x03\0\0\0\0\0\0\0"
                                            "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                                            "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad"
                                            "abc";
    unsigned char entry[128];
    encl_cache_store("programs", key, "abc", 3);
    assert_int_equal(read_entry(entry, sizeof entry), sizeof expected - 1);
    assert_memory_equal(entry, expected, sizeof expected - 1);
}

static void test_truncation(void **state) {
    (void)state;
    unsigned char entry[128];
    encl_cache_store("programs", key, "some payload", 12);
    size_t length = read_entry(entry, sizeof entry);
    for (size_t i = 0; i < length; i++) {
        write_entry(entry, i);
        expect_nothing();
    }
    write_entry(entry, length);
    expect_payload("some payload", 12);
    entry[length] = 0;
    write_entry(entry, length + 1);
    expect_nothing();
}

static void test_flipped_bits(void **state) {
    (void)state;
    unsigned char entry[128];
    encl_cache_store("programs", key, "some payload", 12);
    size_t length = read_entry(entry, sizeof entry);
    for (size_t i = 0; i < 8 * length; i++) {
        entry[i / 8] ^= (unsigned char)(1u << i % 8);
        write_entry(entry, length);
        expect_nothing();
        entry[i / 8] ^= (unsigned char)(1u << i % 8);
    }
}

static void test_foreign_entries(void **state) {
    (void)state;
    unsigned char entry[128];
    encl_cache_store("programs", key, "some payload", 12);
    size_t length = read_entry(entry, sizeof entry);
    entry[8]++; // a later format
    write_entry(entry, length);
    expect_nothing();
    entry[8]--;
    memset(entry + 12, 0xff, 8); // 2^64 - 1 bytes
    write_entry(entry, length);
    expect_nothing();
    write_entry("#!/bin/sh\necho a file of someone else's that is longer than a header\n", 69);
    expect_nothing();
}

// A sparse file far beyond any entry must not be read into memory.
static void test_huge_file(void **state) {
    (void)state;
    char path[2 * FIXTURE_PATH];
    encl_cache_store("programs", key, "x", 1);
    snprintf(path, sizeof path, "%s/programs/%s", root, key);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    expect_nothing();
}

static void test_bad_names(void **state) {
    (void)state;
    static const char *const keys[] = {"", "..", "../escape", "AB", "xyz", "0 ", "0/0"};
    static const char *const kinds[] = {"", ".", "..", "a/b", "Programs"};
    char long_key[200];
    void *loaded = NULL;
    size_t length = 0;
    memset(long_key, 'a', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    assert_int_equal(encl_cache_load("programs", long_key, &loaded, &length), ENCL_INVALID);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(encl_cache_load("programs", keys[i], &loaded, &length), ENCL_INVALID);
        encl_cache_remove("programs", keys[i]);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_int_equal(encl_cache_load(kinds[i], key, &loaded, &length), ENCL_INVALID);
    }
    assert_int_equal(access(root, F_OK), 0);
}

static void test_folder_in_the_way(void **state) {
    (void)state;
    char path[2 * FIXTURE_PATH];
    void *loaded = NULL;
    size_t length = 0;
    encl_cache_store("programs", key, "x", 1);
    encl_cache_remove("programs", key);
    snprintf(path, sizeof path, "%s/programs/%s", root, key);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/programs/%s/full", root, key);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(encl_cache_load("programs", key, &loaded, &length), ENCL_NOT_FOUND);
    assert_null(loaded);
}

// Writers and readers at once: a reader sees one whole payload or the other.
enum { WRITER_ROUNDS = 50, SHARED_BYTES = 20000 };

static void write_or_read(void *context, size_t i) {
    size_t *bad = context;
    char *payload = malloc(SHARED_BYTES);
    memset(payload, 'a' + (int)i, SHARED_BYTES);
    for (int round = 0; round < WRITER_ROUNDS; round++) {
        void *loaded = NULL;
        size_t length = 0;
        encl_cache_store("programs", key, payload, SHARED_BYTES);
        // Removal never happens here, so after its own store a thread always finds an entry.
        if (encl_cache_load("programs", key, &loaded, &length) != ENCL_OK || length != SHARED_BYTES ||
            memchr("abcd", ((char *)loaded)[0], 4) == NULL ||
            memcmp(loaded, (char *)loaded + 1, SHARED_BYTES - 1) != 0) {
            bad[i]++;
        }
        free(loaded);
    }
    free(payload);
}

static void test_concurrent_writers(void **state) {
    (void)state;
    size_t bad[4] = {0};
    encl_parallel(4, 4, write_or_read, bad);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(bad[i], 0);
    }
}

// In the child: the cache's folder is a file.
static int store_twice(void) {
    void *loaded = NULL;
    size_t length = 0;
    encl_cache_store("programs", key, "x", 1);
    encl_cache_store("programs", key, "x", 1);
    encl_cache_store("checks", key, "x", 1);
    return encl_cache_load("programs", key, &loaded, &length) == ENCL_NOT_FOUND ? 0 : 1;
}

static void expect_one_warning(const char *environment) {
    char text[FIXTURE_TEXT];
    assert_int_equal(fixture_child(environment, "store-twice", text), 0);
    const char *warning = strstr(text, "warning: the cache cannot be written");
    assert_non_null(warning);
    assert_null(strstr(warning + 1, "warning:"));
}

static void test_unwritable(void **state) {
    (void)state;
    char environment[2 * FIXTURE_PATH];
    fixture_write_text(root, "file", "not a folder");
    snprintf(environment, sizeof environment, "ENCL_CACHE_DIR='%s/file'", root);
    expect_one_warning(environment);
    expect_one_warning("ENCL_CACHE_DIR=/proc/encl-no-such-folder");
    expect_one_warning("ENCL_CACHE_DIR= XDG_CACHE_HOME= HOME=");
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "store-twice") == 0) {
        return store_twice();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_layout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_truncation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flipped_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_huge_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder_in_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_concurrent_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unwritable, set_up, tear_down),
    };
    return encl_test_main(tests);
}
