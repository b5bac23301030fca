// Files, outputs and paths, in a folder of their own.
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <signal.h>

#include "runtime/base/file.h"

static char folder[64];

static char *in_folder(const char *name) {
    char *path = NULL;
    assert_int_equal(encl_path_join(folder, name, &path), ENCL_OK);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/encl-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -r %s", folder, folder);
    return system(command);
}

static int count_entries(const char *path) {
    DIR *entries = opendir(path);
    assert_non_null(entries);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(entries);
    return count;
}

static void expect_content(const char *path, const char *expected) {
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(encl_file_read(path, 1 << 20, &text, &length), ENCL_OK);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

// ---- Reading ----------------------------------------------------------------------------------------------

static void test_map(void **state) {
    (void)state;
    char *path = in_folder("map");
    const size_t size = 3 * 4096 + 17;
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 31 >> 3);
    }
    assert_int_equal(encl_file_write(path, bytes, size), ENCL_OK);
    encl_file file;
    assert_int_equal(encl_file_map(path, &file), ENCL_OK);
    assert_int_equal(file.size, size);
    assert_memory_equal(file.data, bytes, size);
    const size_t places[] = {0, 1, 4095, 4096, 4097, size - 1, size, size + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        for (size_t j = 0; j < sizeof places / sizeof places[0]; j++) {
            encl_file_advise_ahead(&file, places[i], places[j]);
            encl_file_advise_drop(&file, places[i], places[j]);
        }
    }
    assert_memory_equal(file.data, bytes, size);
    encl_file_unmap(&file);
    assert_null(file.data);
    encl_file_unmap(&file);

    assert_int_equal(encl_file_write(path, NULL, 0), ENCL_OK);
    assert_int_equal(encl_file_map(path, &file), ENCL_OK);
    assert_non_null(file.data);
    assert_int_equal(file.size, 0);
    encl_file_advise_ahead(&file, 0, 10);
    encl_file_unmap(&file);
    free(bytes);
    free(path);
}

static void expect_detail(const char *part) {
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", encl_status_detail(), part);
    }
}

static void test_unreadable(void **state) {
    (void)state;
    encl_file file = {.size = 5};
    char *text = folder;
    size_t length = 5;
    char *missing = in_folder("missing");
    char *pipe = in_folder("pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);

    assert_int_equal(encl_file_map(missing, &file), ENCL_NOT_FOUND);
    assert_int_equal(file.size, 0);
    expect_detail(missing);
    expect_detail("No such file");
    assert_int_equal(encl_file_read(missing, 10, &text, &length), ENCL_NOT_FOUND);
    assert_null(text);
    assert_int_equal(length, 0);
    assert_int_equal(encl_file_map(folder, &file), ENCL_IO);
    expect_detail("found a folder, expected a file");
    assert_int_equal(encl_file_read(folder, 10, &text, &length), ENCL_IO);
    assert_int_equal(encl_file_map(pipe, &file), ENCL_IO); // and does not wait for a writer
    expect_detail("expected a regular file");
    assert_int_equal(encl_file_read(pipe, 10, &text, &length), ENCL_OK);
    assert_int_equal(length, 0);
    free(text);
    assert_int_equal(encl_file_map(NULL, &file), ENCL_INVALID);
    assert_int_equal(encl_file_read(NULL, 1, &text, &length), ENCL_INVALID);
    free(missing);
    free(pipe);
}

static void test_read_limit(void **state) {
    (void)state;
    char *path = in_folder("limit");
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(encl_file_write(path, "12345", 5), ENCL_OK);
    assert_int_equal(encl_file_read(path, 4, &text, &length), ENCL_FORMAT);
    assert_null(text);
    expect_detail("found 5 bytes, expected at most 4");
    assert_int_equal(encl_file_read(path, 5, &text, &length), ENCL_OK);
    assert_string_equal(text, "12345");
    free(text);
    assert_int_equal(encl_file_read(path, SIZE_MAX, &text, &length), ENCL_OK);
    assert_int_equal(length, 5);
    free(text);
    // Neither files that hide their size nor endless ones get past the limit.
    assert_int_equal(encl_file_read("/proc/self/status", 1 << 20, &text, &length), ENCL_OK);
    assert_true(length > 0 && text[length] == '\0');
    free(text);
    assert_int_equal(encl_file_read("/proc/self/status", 3, &text, &length), ENCL_FORMAT);
    assert_int_equal(encl_file_read("/dev/zero", 100000, &text, &length), ENCL_FORMAT);
    assert_null(text);
    assert_int_equal(encl_file_read("/dev/null", 0, &text, &length), ENCL_OK);
    assert_int_equal(length, 0);
    free(text);
    free(path);
}

// ---- Writing ----------------------------------------------------------------------------------------------

static void test_write_replaces(void **state) {
    (void)state;
    char *path = in_folder("replaced");
    const int before = count_entries(folder);
    assert_int_equal(encl_file_write(path, "old", 3), ENCL_OK);
    struct stat first, second;
    assert_int_equal(stat(path, &first), 0);
    const mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(first.st_mode & 0777, 0666 & ~mask);
    assert_int_equal(encl_file_write(path, "new!", 4), ENCL_OK);
    assert_int_equal(stat(path, &second), 0);
    assert_int_not_equal(first.st_ino, second.st_ino); // a new file under the old name
    expect_content(path, "new!");
    assert_int_equal(count_entries(folder), before + 1);
    free(path);
}

static void test_readers_see_old_or_new(void **state) {
    (void)state;
    char *path = in_folder("output");
    assert_int_equal(encl_file_write(path, "old", 3), ENCL_OK);
    const int before = count_entries(folder);

    encl_output output;
    assert_int_equal(encl_output_open(path, &output), ENCL_OK);
    assert_int_equal(count_entries(folder), before + 1);
    fputs("....new", output.stream);
    fflush(output.stream);
    expect_content(path, "old");
    encl_output_abandon(&output);
    assert_null(output.stream);
    encl_output_abandon(&output);
    expect_content(path, "old");
    assert_int_equal(count_entries(folder), before);

    assert_int_equal(encl_output_open(path, &output), ENCL_OK);
    fputs("....new", output.stream);
    assert_int_equal(fseek(output.stream, 0, SEEK_SET), 0);
    fputs("head", output.stream);
    expect_content(path, "old");
    assert_int_equal(encl_output_commit(&output), ENCL_OK);
    expect_content(path, "headnew");
    assert_int_equal(count_entries(folder), before);
    encl_output_abandon(&output);
    assert_int_equal(encl_output_commit(&output), ENCL_INVALID);
    free(path);
}

static void test_failed_write_leaves_nothing(void **state) {
    (void)state;
    char *path = in_folder("large");
    assert_int_equal(encl_file_write(path, "old", 3), ENCL_OK);
    const int before = count_entries(folder);
    static char bytes[1 << 16];

    // A limit on the size of files stands for a full disk.
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    const struct rlimit small = {.rlim_cur = 1000, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const encl_status whole = encl_file_write(path, bytes, sizeof bytes);
    encl_output output;
    const encl_status opened = encl_output_open(path, &output);
    fwrite(bytes, 1, 2000, output.stream);
    const encl_status committed = encl_output_commit(&output);
    setrlimit(RLIMIT_FSIZE, &limit);

    assert_int_equal(whole, ENCL_IO);
    assert_int_equal(opened, ENCL_OK);
    assert_int_equal(committed, ENCL_IO);
    expect_detail(path);
    expect_detail("File too large");
    expect_content(path, "old");
    assert_int_equal(count_entries(folder), before);
    free(path);
}

static void test_unwritable(void **state) {
    (void)state;
    encl_output output = {.path = folder};
    char *missing = in_folder("none/file");
    assert_int_equal(encl_output_open(missing, &output), ENCL_IO);
    assert_null(output.path);
    expect_detail(missing);
    assert_int_equal(encl_file_write("/proc/encl-test", "x", 1), ENCL_IO);
    assert_int_equal(encl_file_write(folder, "x", 1), ENCL_IO);
    expect_detail("found a folder");
    assert_int_equal(encl_file_write("/dev/null", "x", 1), ENCL_IO); // must stay a device
    struct stat null_device;
    assert_int_equal(stat("/dev/null", &null_device), 0);
    assert_true(S_ISCHR(null_device.st_mode));
    assert_int_equal(encl_file_write("", "x", 1), ENCL_INVALID);
    assert_int_equal(encl_file_write(NULL, "x", 1), ENCL_INVALID);
    free(missing);

    if (geteuid() == 0) {
        print_message("permissions do not bind root: the read-only folder is left out\n");
        return;
    }
    char *closed = in_folder("closed");
    char *inside = in_folder("closed/file");
    assert_int_equal(mkdir(closed, 0500), 0);
    assert_int_equal(encl_file_write(inside, "x", 1), ENCL_IO);
    expect_detail("Permission denied");
    assert_int_equal(count_entries(closed), 0);
    free(inside);
    free(closed);
}

static void test_links_and_long_names(void **state) {
    (void)state;
    char *target = in_folder("target");
    char *link = in_folder("link");
    assert_int_equal(encl_file_write(target, "old", 3), ENCL_OK);
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(encl_file_write(link, "new", 3), ENCL_OK);
    expect_content(target, "new");
    struct stat itself;
    assert_int_equal(lstat(link, &itself), 0);
    assert_true(S_ISLNK(itself.st_mode));
    free(target);
    free(link);

    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    char *longest = in_folder(name);
    assert_int_equal(encl_file_write(longest, "x", 1), ENCL_OK);
    expect_content(longest, "x");
    free(longest);
}

// ---- Paths ------------------------------------------------------------------------------------------------

static void test_join_and_folder(void **state) {
    (void)state;
    static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"},
                                           {"", "b", "b"},    {"a", "/b", "/b"},  {"a", "", "a/"}};
    for (size_t i = 0; i < sizeof joins / sizeof joins[0]; i++) {
        char *path = NULL;
        assert_int_equal(encl_path_join(joins[i][0], joins[i][1], &path), ENCL_OK);
        assert_string_equal(path, joins[i][2]);
        free(path);
    }
    static const char *const folders[][2] = {{"a/b", "a"},  {"b", "."},  {"/b", "/"},   {"/", "/"},     {"", "."},
                                             {"a//b", "a"}, {"a/", "."}, {"a/b/", "a"}, {"/a/b", "/a"}, {"//", "/"}};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *path = NULL;
        assert_int_equal(encl_path_folder(folders[i][0], &path), ENCL_OK);
        assert_string_equal(path, folders[i][1]);
        free(path);
    }
}

static void test_make_folder(void **state) {
    (void)state;
    char *deep = in_folder("x/y//z/");
    char *first = in_folder("x");
    assert_false(encl_path_exists(first));
    assert_int_equal(encl_path_make_folder(deep), ENCL_OK);
    assert_true(encl_path_is_folder(deep));
    assert_int_equal(encl_path_make_folder(deep), ENCL_OK);
    struct stat made;
    assert_int_equal(stat(first, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0700);

    char *file = in_folder("x/file");
    char *below = in_folder("x/file/below");
    assert_int_equal(encl_file_write(file, "x", 1), ENCL_OK);
    assert_true(encl_path_exists(file));
    assert_false(encl_path_is_folder(file));
    assert_int_equal(encl_path_make_folder(file), ENCL_IO);
    expect_detail("found a file, expected a folder");
    assert_int_equal(encl_path_make_folder(below), ENCL_IO);
    assert_int_equal(encl_path_make_folder("/proc/encl-test/x"), ENCL_IO);
    assert_int_equal(encl_path_make_folder(""), ENCL_INVALID);
    free(below);
    free(file);
    free(first);
    free(deep);
}

static void test_cache(void **state) {
    (void)state;
    static const struct {
        const char *own, *shared, *home, *expected;
    } cases[] = {
        {"/c", "/s", "/h", "/c"},
        {"", "/s", "/h", "/s/encl"},
        {NULL, "relative", "/h", "/h/.cache/encl"},
        {NULL, NULL, "/h/", "/h/.cache/encl"},
        {NULL, NULL, NULL, NULL},
        {"", "", "", NULL},
    };
    static const char *const names[] = {"ENCL_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const values[] = {cases[i].own, cases[i].shared, cases[i].home};
        for (int v = 0; v < 3; v++) {
            assert_int_equal(values[v] != NULL ? setenv(names[v], values[v], 1) : unsetenv(names[v]), 0);
        }
        char *path = NULL;
        const encl_status status = encl_path_cache(&path);
        if (cases[i].expected == NULL) {
            assert_int_equal(status, ENCL_NOT_FOUND);
            assert_null(path);
        } else {
            assert_int_equal(status, ENCL_OK);
            assert_string_equal(path, cases[i].expected);
        }
        free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_read_limit),
        cmocka_unit_test(test_write_replaces),
        cmocka_unit_test(test_readers_see_old_or_new),
        cmocka_unit_test(test_failed_write_leaves_nothing),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_links_and_long_names),
        cmocka_unit_test(test_join_and_folder),
        cmocka_unit_test(test_make_folder),
        cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
