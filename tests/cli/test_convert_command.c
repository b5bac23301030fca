// encl convert: what it writes is what it read, and a failure leaves nothing.
#include <dirent.h>
#include <sys/resource.h>

#include "cli/program.h"
#include "host/model/model.h"

// Bits of every weight, sizes and labels: as before, under Hugging Face's names.
static void expect_same_model(const char *source, const char *converted) {
    encl_model *before = NULL;
    encl_model *after = NULL;
    assert_ok(encl_model_open(source, &before));
    assert_ok(encl_model_open(converted, &after));
    size_t compared = 0;
    for (size_t i = 0; i < encl_state_dict_count(before->state); i++) {
        const encl_state_entry *entry = encl_state_dict_at(before->state, i);
        const bool tied = strncmp(entry->name, "cls.predictions.decoder.", strlen("cls.predictions.decoder.")) == 0;
        if (entry->ignored || tied) {
            continue;
        }
        const encl_tensor *found = encl_model_find_tensor(after, entry->name);
        if (found == NULL) {
            fail_msg("%s: found no %s", converted, entry->name);
        }
        assert_int_equal(found->dtype, entry->tensor.dtype);
        assert_int_equal(found->dimensions, entry->tensor.dimensions);
        assert_memory_equal(found->shape, entry->tensor.shape, sizeof found->shape);
        assert_true(encl_tensor_is_dense(found));
        void *expected = NULL;
        assert_ok(encl_allocate(found->bytes, 1, &expected));
        assert_ok(encl_tensor_copy(&entry->tensor, 0, found->elements, expected));
        assert_memory_equal(found->data, expected, found->bytes);
        free(expected);
        compared++;
    }
    assert_int_equal(compared, encl_state_dict_count(after->state));
    assert_int_equal(after->info.unused_count, before->info.unused_count);
    assert_string_equal(after->info.dtype, before->info.dtype);
    assert_string_equal(after->info.head, before->info.head);
    assert_int_equal(after->info.lowercase, before->info.lowercase);
    assert_int_equal(after->info.max_length, before->info.max_length);
    const encl_config *a = &before->config;
    const encl_config *b = &after->config;
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->hidden, b->hidden);
    assert_int_equal(a->heads, b->heads);
    assert_int_equal(a->intermediate, b->intermediate);
    assert_int_equal(a->vocabulary, b->vocabulary);
    assert_int_equal(a->max_position, b->max_position);
    assert_int_equal(a->type_vocabulary, b->type_vocabulary);
    assert_int_equal(a->pad_id, b->pad_id);
    assert_int_equal(a->activation, b->activation);
    assert_true(a->epsilon == b->epsilon);
    assert_string_equal(a->problem_type, b->problem_type);
    assert_string_equal(b->file, "config.json");
    assert_int_equal(a->label_count, b->label_count);
    for (size_t i = 0; i < a->label_count; i++) {
        assert_string_equal(a->labels[i], b->labels[i]);
    }
    encl_model_close(after);
    encl_model_close(before);
}

static void expect_same_file(const char *left, const char *right) {
    encl_file a;
    encl_file b;
    assert_ok(encl_file_map(left, &a));
    assert_ok(encl_file_map(right, &b));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    encl_file_unmap(&a);
    encl_file_unmap(&b);
}

static void test_formats(void **state) {
    (void)state;
    static const struct {
        const char *name, *architecture;
        bool same; // as the file that Hugging Face's library wrote of these weights
    } rows[] = {
        {"tiny-pretraining", "BertForPreTraining", true},
        {"tiny-torch-zip", "BertForPreTraining", true},
        {"tiny-torch-legacy", "BertForPreTraining", true},
        {"tiny-torch-sharded", "BertForPreTraining", true},
        {"tiny-torch-strided", "BertForPreTraining", false},
        {"tiny-tf1", "BertForPreTraining", true},
        {"tiny-tf1-partitioned", "BertForPreTraining", false},
        {"tiny-tf1-untrained", "BertForPreTraining", false},
        {"tiny-paddle", "BertForPreTraining", true},
        {"tiny-paddle-2", "BertForPreTraining", true},
        {"tiny-zip/stored.zip", "BertForPreTraining", true},
        {"tiny-zip/deflated.zip", "BertForPreTraining", true},
        {"tiny-bert", "BertForMaskedLM", false},
        {"tiny-qa", "BertForQuestionAnswering", false},
        {"tiny-tf1-qa", "BertForQuestionAnswering", false},
        {"tiny-paddle-qa", "BertForQuestionAnswering", false},
        {"tiny-ner", "BertForTokenClassification", false},
        {"tiny-multi-label", "BertForSequenceClassification", false},
        {"tiny-bert-bf16", "BertForSequenceClassification", false},
        {"tiny-bert-f16", "BertModel", false},
        {"tiny-multiple-choice", "BertForMultipleChoice", false},
    };
    const char *first = in_folder("first");
    const char *again = in_folder("again");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char source[128];
        char path[2][PATH_LENGTH];
        snprintf(source, sizeof source, "tests/fixtures/%s", rows[i].name);
        outcome result = RUN("", "convert", source, first, "--json");
        parse_lines(&result);
        expect_keys(result.lines[0], "path,architecture,files,tensors,bytes,left_out");
        assert_string_equal(result.err, "");
        if (strcmp(rows[i].architecture, text_of(result.lines[0], "architecture")) != 0) {
            fail_msg("%s: found %s", rows[i].name, text_of(result.lines[0], "architecture"));
        }
        expect_same_model(source, first);
        snprintf(path[0], PATH_LENGTH, "%s/model.safetensors", first);
        if (rows[i].same) { // the order of keys in the header is free; the library sorts as this program
            snprintf(path[1], PATH_LENGTH, "tests/fixtures/tiny-pretraining/model.safetensors");
            encl_file a;
            encl_file b;
            assert_ok(encl_file_map(path[0], &a));
            assert_ok(encl_file_map(path[1], &b));
            assert_int_equal(a.size, b.size);
            const size_t data = a.size - 4 * 33271;
            assert_memory_equal(a.data + data, b.data + data, a.size - data);
            encl_file_unmap(&a);
            encl_file_unmap(&b);
        }
        // What was converted stays as it is.
        outcome twice = RUN("", "convert", first, again);
        expect_exit(&twice, 0);
        static const char *const files[] = {"model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json"};
        for (size_t j = 0; j < sizeof files / sizeof files[0]; j++) {
            snprintf(path[0], PATH_LENGTH, "%s/%s", first, files[j]);
            snprintf(path[1], PATH_LENGTH, "%s/%s", again, files[j]);
            expect_same_file(path[0], path[1]);
        }
        assert_int_equal(nftw(first, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        assert_int_equal(nftw(again, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        free_outcome(&twice);
        free_outcome(&result);
    }
}

// A decoder that is not the table of words is kept, as is its bias.
static void test_untied(void **state) {
    (void)state;
    outcome result = RUN("", "convert", "tests/fixtures/tiny-untied", in_folder("untied"), "--json");
    parse_lines(&result);
    char path[PATH_LENGTH];
    encl_checkpoint *before = NULL;
    encl_checkpoint *after = NULL;
    snprintf(path, sizeof path, "%s/untied", folder);
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-untied", &before));
    assert_ok(encl_checkpoint_open(path, &after));
    assert_int_equal(encl_checkpoint_count(after), encl_checkpoint_count(before));
    for (size_t i = 0; i < encl_checkpoint_count(after); i++) {
        const encl_tensor *found = encl_checkpoint_at(after, i);
        assert_string_equal(found->name, encl_checkpoint_at(before, i)->name);
        assert_memory_equal(found->data, encl_checkpoint_at(before, i)->data, found->bytes);
    }
    encl_checkpoint_close(after);
    encl_checkpoint_close(before);
    free_outcome(&result);
}

// The modules' files come along, and the model embeds as before.
static void test_sentence(void **state) {
    (void)state;
    const char *target = in_folder("sentence");
    outcome result = RUN("", "convert", "tests/fixtures/tiny-sentence", target, "--json");
    parse_lines(&result);
    static const char *const files[] = {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
                                        "config_sentence_transformers.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[2][PATH_LENGTH];
        snprintf(path[0], PATH_LENGTH, "tests/fixtures/tiny-sentence/%s", files[i]);
        snprintf(path[1], PATH_LENGTH, "%s/%s", target, files[i]);
        expect_same_file(path[0], path[1]);
        bool listed = false;
        for (const cJSON *item = array_of(result.lines[0], "files")->child; item != NULL; item = item->next) {
            listed = listed || strcmp(item->valuestring, files[i]) == 0;
        }
        assert_true(listed);
    }
    assert_string_equal(text_of(result.lines[0], "architecture"), "BertModel");
    expect_same_model("tests/fixtures/tiny-sentence", target);
    // BertModel saves no prefix.
    encl_checkpoint *checkpoint = NULL;
    assert_ok(encl_checkpoint_open(target, &checkpoint));
    assert_non_null(encl_checkpoint_find(checkpoint, "embeddings.word_embeddings.weight"));
    assert_int_equal(encl_checkpoint_count(checkpoint), number_of(result.lines[0], "tensors"));
    encl_checkpoint_close(checkpoint);
    free_outcome(&result);
}

// Entries of the test's folder that begin so.
static size_t count_beginning(const char *start) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t count = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        count += strncmp(entry->d_name, start, strlen(start)) == 0 ? 1 : 0;
    }
    closedir(directory);
    return count;
}

static void expect_failure(const char *source, const char *target, const char *message) {
    outcome result = RUN("", "convert", source, target, "--json");
    expect_exit(&result, 1);
    if (strstr(result.err, message) == NULL) {
        fail_msg("found '%s', expected '%s' in it", result.err, message);
    }
    assert_int_equal(count_lines(result.err), 1);
    assert_string_equal(result.out, "");
    assert_int_equal(count_beginning(".encl-"), 0);
    free_outcome(&result);
}

static void test_targets(void **state) {
    (void)state;
    static const char source[] = "tests/fixtures/tiny-bert";
    assert_ok(encl_path_make_folder(in_folder("full")));
    const char *file = write_text("full/file", "text");
    expect_failure(source, in_folder("full"), "full: found 'file' in it, expected an empty folder or a new name");
    expect_failure(source, file, "found a file");
    expect_failure(source, in_folder("none/new"), "none/new");
    expect_failure(source, in_folder("full/file/new"), "Not a directory");
    expect_failure(source, "/proc/new", "/proc/new");
    expect_failure("/no/such/model", in_folder("new"), "/no/such/model");
    assert_false(encl_path_exists(in_folder("new")));
    assert_ok(encl_path_make_folder(in_folder("empty")));
    outcome result = RUN("", "convert", source, in_folder("empty"));
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "empty: BertForMaskedLM, 42 tensors"));
    expect_same_model(source, in_folder("empty"));
    free_outcome(&result);
    // A model onto itself.
    expect_failure(in_folder("empty"), in_folder("empty"), "expected an empty folder");
    result = RUN("", "convert", source);
    expect_exit(&result, 2);
    free_outcome(&result);
}

// A limit on the size of files, which children inherit, is a disk that is full.
static void test_full_disk(void **state) {
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    static const rlim_t limits[] = {8, 60000, 133000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct rlimit small = {.rlim_cur = limits[i], .rlim_max = before.rlim_max};
        signal(SIGXFSZ, SIG_IGN);
        write_text("in.txt", "");
        const char *const arguments[] = {"convert", "tests/fixtures/tiny-bert", in_folder("large"), NULL};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const pid_t child = start_program(arguments, -1, "/dev/null");
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        assert_false(encl_path_exists(in_folder("large")));
        assert_int_equal(count_beginning(".encl-"), 0);
    }
    outcome result = {0};
    size_t length = 0;
    assert_ok(read_result("err.txt", &result.err, &length));
    assert_non_null(strstr(result.err, "cannot write: File too large"));
    free(result.err);
}

// Output that cannot be written is told, even where the folder is complete.
static void test_closed_output(void **state) {
    (void)state;
    const char *const arguments[] = {"convert", "tests/fixtures/tiny-bert", in_folder("told"), NULL};
    write_text("in.txt", "");
    const pid_t child = start_program(arguments, -1, "/dev/full");
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

// Ctrl-C while the weights are written: exit 130, and nothing is there.
static void test_interrupt(void **state) {
    (void)state;
    enum { ELEMENTS_BITS = 30 }; // 4 GiB that a hole in the source holds
    const unsigned long long elements = 1ull << ELEMENTS_BITS;
    const unsigned long long bytes = 4 * elements;
    static const char fixture[] = "tests/fixtures/tiny-pretraining/";
    char header[256];
    char path[PATH_LENGTH];
    encl_file file;
    assert_ok(encl_path_make_folder(in_folder("huge")));
    static const char *const files[] = {"config.json", "vocab.txt", "model.safetensors"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", fixture, files[i]);
        assert_ok(encl_file_map(path, &file));
        snprintf(path, sizeof path, "%s/huge/%s", folder, i == 2 ? "model-1.safetensors" : files[i]);
        assert_ok(encl_file_write(path, file.data, file.size));
        encl_file_unmap(&file);
    }
    // An index that adds a tensor of zeros to the fixture's.
    encl_checkpoint *checkpoint = NULL;
    encl_string index = {0};
    assert_ok(encl_string_format(&index, "{\"weight_map\":{\"other.weight\":\"model-2.safetensors\""));
    assert_ok(encl_checkpoint_open("tests/fixtures/tiny-pretraining", &checkpoint));
    for (size_t i = 0; i < encl_checkpoint_count(checkpoint); i++) {
        assert_ok(
            encl_string_format(&index, ",\"%s\":\"model-1.safetensors\"", encl_checkpoint_at(checkpoint, i)->name));
    }
    assert_ok(encl_string_format(&index, "}}"));
    encl_checkpoint_close(checkpoint);
    write_text("huge/model.safetensors.index.json", index.text);
    encl_string_free(&index);
    const int length =
        snprintf(header + 8, sizeof header - 8,
                 "{\"other.weight\":{\"dtype\":\"F32\",\"shape\":[%llu],\"data_offsets\":[0,%llu]}}", elements, bytes);
    memset(header, 0, 8);
    header[0] = (char)length;
    snprintf(path, sizeof path, "%s/huge/model-2.safetensors", folder);
    assert_ok(encl_file_write(path, header, 8 + (size_t)length));
    if (truncate(path, (off_t)(8 + (unsigned long long)length + bytes)) != 0) {
        print_message("no sparse files\n");
        skip();
    }

    const char *const arguments[] = {"convert", in_folder("huge"), in_folder("stopped"), NULL};
    write_text("in.txt", "");
    const pid_t child = start_program(arguments, -1, "out.txt");
    while (count_beginning(".encl-") == 0 && waitpid(child, NULL, WNOHANG) == 0) {
        usleep(1000);
    }
    assert_int_equal(count_beginning(".encl-"), 1);
    kill(child, SIGINT);
    outcome result = finish_program(child);
    expect_exit(&result, 130);
    assert_int_equal(count_beginning(".encl-"), 0);
    assert_false(encl_path_exists(in_folder("stopped")));
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),   cmocka_unit_test(test_untied),    cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_targets),   cmocka_unit_test(test_full_disk), cmocka_unit_test(test_closed_output),
        cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
