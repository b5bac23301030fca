// The commands that compute: embed, similarity.
#include <dirent.h>
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";
static const double tolerance = 2e-5; // the golden file's numbers have seven digits

// A .npy that the program wrote: [rows, columns].
typedef struct matrix {
    char *bytes;
    const float *values;
    long rows, columns;
} matrix;

static matrix read_npy(const char *path) {
    matrix read = {0};
    size_t length = 0;
    assert_ok(encl_file_read(path, 1 << 26, &read.bytes, &length));
    assert_true(length >= 10);
    assert_memory_equal(read.bytes, "\x93NUMPY\x01\x00", 8);
    size_t header = 10 + (size_t)(unsigned char)read.bytes[8] + 256 * (size_t)(unsigned char)read.bytes[9];
    assert_true(header <= length);
    assert_int_equal(header % 64, 0);
    assert_int_equal(read.bytes[header - 1], '\n');
    assert_non_null(strstr(read.bytes + 10, "'descr': '<f4'"));
    assert_non_null(strstr(read.bytes + 10, "'fortran_order': False"));
    const char *shape = strstr(read.bytes + 10, "'shape': (");
    assert_non_null(shape);
    assert_int_equal(sscanf(shape, "'shape': (%ld, %ld)", &read.rows, &read.columns), 2);
    assert_int_equal(length - header, (size_t)(read.rows * read.columns) * sizeof(float));
    read.values = (const float *)(const void *)(read.bytes + header);
    return read;
}

// JSON and .npy, against what transformers computed.
static void test_golden(void **state) {
    (void)state;
    need_device();
    cJSON *golden = NULL;
    assert_ok(encl_json_read("tests/golden/model/tiny-bert.json", 1 << 24, &golden));
    const cJSON *sequences = array_of(array_of(golden, "batches")->child, "sequences");
    encl_string lines = {0};
    for (const cJSON *sequence = sequences->child; sequence != NULL; sequence = sequence->next) {
        assert_ok(encl_string_format(&lines, "%s\n", text_of(sequence, "text")));
    }
    const char *path = in_folder("golden.npy");
    outcome json = RUN(lines.text, "embed", model, "--json");
    outcome file = RUN(lines.text, "embed", model, "--output", path);
    expect_exit(&file, 0);
    assert_string_equal(file.out, "");
    parse_lines(&json);
    assert_int_equal(json.line_count, cJSON_GetArraySize(sequences));
    matrix embeddings = read_npy(path);
    assert_int_equal(embeddings.rows, json.line_count);
    const cJSON *sequence = sequences->child;
    for (size_t i = 0; i < json.line_count; i++, sequence = sequence->next) {
        expect_keys(json.lines[i], "index,embedding");
        assert_int_equal(number_of(json.lines[i], "index"), (double)i);
        const cJSON *found = array_of(json.lines[i], "embedding");
        expect_numbers(found, array_of(sequence, "embedding"), tolerance);
        assert_int_equal(cJSON_GetArraySize(found), embeddings.columns);
        const float *row = embeddings.values + (long)i * embeddings.columns;
        for (const cJSON *value = found->child; value != NULL; value = value->next) {
            assert_true((float)value->valuedouble == *row++); // nine digits give a float back
        }
    }
    free(embeddings.bytes);
    encl_string_free(&lines);
    cJSON_Delete(golden);
    free_outcome(&json);
    free_outcome(&file);
}

// The same texts by every way in give the same lines.
static void test_inputs(void **state) {
    (void)state;
    need_device();
    const char *text = write_text("in.text", "one\r\n\r\n\xe4\xbd\xa0\xe5\xa5\xbd\r\n");
    const char *tsv = write_text("in.tsv", "label\tsentence\tx\n1\tone\t\n0\t\t\n1\t\xe4\xbd\xa0\xe5\xa5\xbd\n");
    const char *jsonl = write_text("in.jsonl", "{\"text\":\"one\",\"t\":\"\"}\n{\"text\":\"\",\"t\":\"\"}\n"
                                               "{\"t\":\"x\",\"text\":\"\\u4f60\\u597d\"}");
    outcome texts = RUN("", "embed", model, "--json", "one", "", "\xe4\xbd\xa0\xe5\xa5\xbd");
    parse_lines(&texts);
    assert_int_equal(texts.line_count, 3);
    outcome ways[] = {
        RUN("one\n\n\xe4\xbd\xa0\xe5\xa5\xbd", "embed", model, "--json"),
        RUN("one\n\n\xe4\xbd\xa0\xe5\xa5\xbd\n", "embed", model, "--json", "--input", "-"),
        RUN("", "embed", model, "--json", "--input", text),
        RUN("", "embed", model, "--json", "--input", tsv, "--column", "2", "--header"),
        RUN("", "embed", model, "--json", "--input", tsv, "--column", "sentence"),
        RUN("", "embed", model, "--json", "--input", jsonl),
        RUN("", "embed", model, "--json", "--input", jsonl, "--column", "text"),
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        expect_exit(&ways[i], 0);
        assert_string_equal(ways[i].out, texts.out);
        free_outcome(&ways[i]);
    }
    const char *path = in_folder("out.jsonl");
    outcome file = RUN("", "embed", model, "--output", path, "--input", text);
    expect_exit(&file, 0);
    char *written = NULL;
    size_t length = 0;
    assert_ok(encl_file_read(path, 1 << 20, &written, &length));
    assert_string_equal(written, texts.out);
    free(written);
    free_outcome(&file);
    free_outcome(&texts);
}

static void test_bad_inputs(void **state) {
    (void)state;
    need_device();
    const char *tsv = write_text("bad.tsv", "a\tb\n1\t2\n3\n");
    const char *jsonl = write_text("bad.jsonl", "{\"text\":\"one\"}\n{\"text\":7}\n");
    const char *array = write_text("array.jsonl", "[1]\n");
    expect_bad(RUN("", "embed", model, "--input", tsv, "--column", "2"), "bad.tsv: line 3: found 1");
    expect_bad(RUN("", "embed", model, "--input", tsv, "--column", "c"), "without 'c'");
    expect_bad(RUN("", "embed", model, "--input", jsonl), "line 2");
    expect_bad(RUN("", "embed", model, "--input", jsonl, "--column", "body"), "line 1: found no key 'body'");
    expect_bad(RUN("", "embed", model, "--input", array), "array.jsonl: line 1");
    expect_bad(RUN("", "embed", model, "--input", folder), "directory");
    expect_bad(RUN("a\n", "embed", model, "--output", "/no/such/folder/a.npy"), "/no/such/folder/a.npy");
    assert_ok(encl_path_make_folder(in_folder("folder.npy")));
    expect_bad(RUN("a\n", "embed", model, "--output", in_folder("folder.npy")), "folder.npy");
    expect_bad(RUN("a\n\xff\n", "embed", model, "--json"), "line 2, byte 1");
    expect_bad(RUN("a\n", "embed", model, "--prompt", "no such prompt"), "no such prompt");
    expect_bad(RUN("a\n", "embed", model, "--max-length", "100000"), "100000");

    // A run that fails leaves no file.
    const char *path = in_folder("failed.npy");
    expect_bad(RUN("a\nb\n\xff\n", "embed", model, "--output", path), "line 3, byte 1");
    assert_false(encl_path_exists(path));
}

static void test_empty_input(void **state) {
    (void)state;
    need_device();
    const char *path = in_folder("empty.npy");
    outcome json = RUN("", "embed", model, "--json");
    expect_exit(&json, 0);
    assert_string_equal(json.out, "");
    outcome file = RUN("", "embed", model, "--output", path);
    expect_exit(&file, 0);
    matrix none = read_npy(path);
    assert_int_equal(none.rows, 0);
    assert_int_equal(none.columns, 32);
    free(none.bytes);
    free_outcome(&file);
    free_outcome(&json);
    expect_bad(RUN("one\n", "similarity", model), "found 1 text");
}

static double norm_of(const cJSON *vector) {
    double squares = 0;
    for (const cJSON *value = vector->child; value != NULL; value = value->next) {
        squares += value->valuedouble * value->valuedouble;
    }
    return sqrt(squares);
}

static void test_options(void **state) {
    (void)state;
    need_device();
    outcome plain = RUN("", "embed", model, "--json", "one two", "--no-normalize");
    outcome unit = RUN("", "embed", model, "--json", "one two", "--normalize");
    outcome both = RUN("", "embed", model, "--json", "one two", "--pooling", "cls,max", "--batch-tokens", "96");
    parse_lines(&plain);
    parse_lines(&unit);
    parse_lines(&both);
    double norm = norm_of(array_of(plain.lines[0], "embedding"));
    assert_true(fabs(norm_of(array_of(unit.lines[0], "embedding")) - 1) < 1e-5);
    assert_true(fabs(norm - 1) > 1e-3);
    assert_int_equal(cJSON_GetArraySize(array_of(both.lines[0], "embedding")), 64);
    free_outcome(&plain);
    free_outcome(&unit);
    free_outcome(&both);

    outcome people = RUN("", "embed", model, "one two");
    expect_exit(&people, 0);
    assert_int_equal(count_lines(people.out), 3); // heading, rule, one row
    free_outcome(&people);

    const char sentence[] = "tests/fixtures/tiny-sentence";
    outcome prompt = RUN("", "embed", sentence, "--json", "--prompt", "query", "one");
    outcome spelt = RUN("", "embed", sentence, "--json", "--prompt", "", "query: one");
    outcome bare = RUN("", "embed", sentence, "--json", "--prompt", "", "one");
    parse_lines(&prompt);
    assert_string_equal(prompt.out, spelt.out);
    assert_string_not_equal(prompt.out, bare.out);
    free_outcome(&prompt);
    free_outcome(&spelt);
    free_outcome(&bare);
}

static void test_tokens(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "embed", model, "--json", "--tokens", "one two", "");
    outcome tokens = RUN("", "tokenize", model, "--json", "one two", "");
    parse_lines(&result);
    parse_lines(&tokens);
    assert_int_equal(result.line_count, 2);
    for (size_t i = 0; i < result.line_count; i++) {
        expect_keys(result.lines[i], "index,tokens,embeddings");
        assert_true(cJSON_Compare(array_of(result.lines[i], "tokens"), array_of(tokens.lines[i], "tokens"), true));
        const cJSON *rows = array_of(result.lines[i], "embeddings");
        assert_int_equal(cJSON_GetArraySize(rows), cJSON_GetArraySize(array_of(tokens.lines[i], "tokens")));
        assert_int_equal(cJSON_GetArraySize(rows->child), 32);
    }
    free_outcome(&result);
    free_outcome(&tokens);
}

static void test_truncation(void **state) {
    (void)state;
    need_device();
    const char *texts = "one two three four five\nsix seven eight nine ten\n\n";
    outcome warned = RUN(texts, "embed", model, "--json", "--max-length", "4");
    outcome quiet = RUN(texts, "embed", model, "--json", "--max-length", "4", "--quiet");
    expect_exit(&warned, 0);
    assert_int_equal(count_lines(warned.err), 1);
    assert_non_null(strstr(warned.err, "2 of 3 texts"));
    assert_string_equal(quiet.err, "");
    assert_string_equal(quiet.out, warned.out);
    expect_bad(RUN(texts, "embed", model, "--json", "--max-length", "4", "--no-truncate"), "encl: error: ");
    free_outcome(&warned);
    free_outcome(&quiet);
}

static void test_similarity(void **state) {
    (void)state;
    need_device();
    outcome texts = RUN("", "similarity", model, "--json", "one two", "three", "\xe4\xbd\xa0\xe5\xa5\xbd");
    outcome lines = RUN("one two\nthree\n\xe4\xbd\xa0\xe5\xa5\xbd\n", "similarity", model, "--json");
    outcome vectors = RUN("", "embed", model, "--json", "one two", "three", "\xe4\xbd\xa0\xe5\xa5\xbd");
    parse_lines(&texts);
    parse_lines(&vectors);
    expect_exit(&lines, 0);
    assert_string_equal(lines.out, texts.out);
    expect_keys(texts.lines[0], "scores");
    const cJSON *scores = array_of(texts.lines[0], "scores");
    assert_int_equal(cJSON_GetArraySize(scores), 3);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            double expected = 0; // embeddings have norm 1
            for (int k = 0; k < 32; k++) {
                expected += cJSON_GetArrayItem(array_of(vectors.lines[i], "embedding"), k)->valuedouble *
                            cJSON_GetArrayItem(array_of(vectors.lines[j], "embedding"), k)->valuedouble;
            }
            double found = cJSON_GetArrayItem(cJSON_GetArrayItem(scores, i), j)->valuedouble;
            assert_true(fabs(found - expected) < 1e-5);
        }
    }
    outcome people = RUN("", "similarity", model, "one two", "three");
    expect_exit(&people, 0);
    assert_non_null(strstr(people.out, "1.0000"));
    free_outcome(&people);
    free_outcome(&vectors);
    free_outcome(&lines);
    free_outcome(&texts);
}

// Whether the folder holds an entry with this in its name.
static bool holds(const char *part) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    bool found = false;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        found = found || strstr(entry->d_name, part) != NULL;
    }
    closedir(directory);
    return found;
}

// Ctrl-C while the program waits for a text: exit 130, and the unfinished file is gone.
static void test_interrupt(void **state) {
    (void)state;
    need_device();
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    const char *const arguments[] = {"embed", model, "--output", in_folder("stopped.npy"), NULL};
    pid_t child = start_program(arguments, pipes[0], "out.txt");
    while (!holds(".tmp") && waitpid(child, NULL, WNOHANG) == 0) {
        usleep(100000);
    }
    assert_true(holds(".tmp")); // the file under its temporary name
    kill(child, SIGINT);
    outcome result = finish_program(child);
    close(pipes[0]);
    close(pipes[1]);
    expect_exit(&result, 130);
    assert_false(holds(".tmp"));
    assert_false(holds("stopped.npy"));
    free_outcome(&result);
}

// Waits until a process has opened a file.
static bool opens(pid_t process, const char *path) {
    for (int tries = 0; tries < 300; tries++) {
        for (int descriptor = 3; descriptor < 64; descriptor++) {
            char link[64];
            char name[PATH_LENGTH] = "";
            snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)process, descriptor);
            if (readlink(link, name, sizeof name - 1) > 0 && strcmp(name, path) == 0) {
                return true;
            }
        }
        usleep(100000);
    }
    return false;
}

// A pipe whose writer comes late is waited for; the wait ends with Ctrl-C, too.
static void test_pipe(void **state) {
    (void)state;
    need_device();
    const char *pipe = in_folder("pipe");
    const char *const arguments[] = {"embed", model, "--json", "--input", pipe, NULL};
    write_text("in.txt", "");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    pid_t child = start_program(arguments, -1, "out.txt");
    const bool waits = opens(child, pipe);
    const int writer = waits ? open(pipe, O_WRONLY | O_CLOEXEC) : -1;
    if (writer < 0 || write(writer, "hello\n", 6) != 6) {
        kill(child, SIGKILL);
    }
    if (writer >= 0) {
        close(writer);
    }
    outcome result = finish_program(child);
    parse_lines(&result);
    assert_int_equal(result.line_count, 1);
    free_outcome(&result);
    child = start_program(arguments, -1, "out.txt");
    kill(child, opens(child, pipe) ? SIGINT : SIGKILL);
    result = finish_program(child);
    expect_exit(&result, 130);
    free_outcome(&result);
}

// A model in a zip, in whatever format, gives what the same weights in a folder give.
static void test_zip(void **state) {
    (void)state;
    need_device();
    static const char *const models[] = {
        "tests/fixtures/tiny-pretraining",
        "tests/fixtures/tiny-zip/stored.zip",
        "tests/fixtures/tiny-zip/stored.zip/tiny-pretraining",
        "tests/fixtures/tiny-zip/torch.zip",
        "tests/fixtures/tiny-zip/deflated.zip",
        "tests/fixtures/tiny-zip/deflated.zip/tiny_wwm_L-2_H-32_A-2/bert_model.ckpt",
    };
    enum { MODELS = sizeof models / sizeof models[0] };
    outcome results[MODELS];
    for (size_t i = 0; i < MODELS; i++) {
        results[i] = RUN("hello world\ngood night\n", "embed", models[i], "--json");
        expect_exit(&results[i], 0);
        assert_true(results[i].out_length > 100);
        assert_string_equal(results[i].out, results[0].out);
    }
    for (size_t i = 0; i < MODELS; i++) {
        free_outcome(&results[i]);
    }
    outcome stored = RUN("", "info", models[1]);
    outcome deflated = RUN("", "info", models[4]);
    assert_non_null(strstr(stored.out, "stored: weights are read where they lie"));
    assert_non_null(strstr(deflated.out, "of weights were inflated into memory"));
    free_outcome(&stored);
    free_outcome(&deflated);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),      cmocka_unit_test(test_inputs),     cmocka_unit_test(test_bad_inputs),
        cmocka_unit_test(test_empty_input), cmocka_unit_test(test_options),    cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_truncation),  cmocka_unit_test(test_similarity), cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_pipe),        cmocka_unit_test(test_zip),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
