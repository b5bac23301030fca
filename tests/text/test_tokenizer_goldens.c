// Every token, offset and type as the Hugging Face BertTokenizer gives them (tests/golden/tokenizer*.json).
#include "runtime/base/hash.h"
#include "tokenizer_fixture.h"

static const char *place = ""; // what is being checked, for messages

static cJSON *read_golden(const char *path) {
    cJSON *golden = NULL;
    assert_ok(encl_json_read(path, 1 << 24, &golden));
    return golden;
}

static const cJSON *need(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item == NULL) {
        fail_msg("the golden file has no %s", key);
    }
    return item;
}

static void assert_numbers(const char *text, const char *what, const cJSON *expected, const int32_t *found,
                           size_t count) {
    size_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) {
        if (i < count && found[i] != (int32_t)item->valuedouble) {
            fail_msg("%s: '%s': %s[%zu]: found %d, expected %d", place, text, what, i, found[i],
                     (int)item->valuedouble);
        }
        i++;
    }
    if (i != count) {
        fail_msg("%s: '%s': found %zu %s, expected %zu", place, text, count, what, i);
    }
}

static void assert_offsets(const char *text, const cJSON *expected, const encl_encoding *encoding) {
    size_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) {
        const int32_t found = i % 2 == 0 ? encoding->starts[i / 2] : encoding->ends[i / 2];
        if (found != (int32_t)item->valuedouble) {
            fail_msg("%s: '%s': token %zu: found %s %d, expected %d", place, text, i / 2, i % 2 == 0 ? "start" : "end",
                     found, (int)item->valuedouble);
        }
        i++;
    }
}

static void assert_tokens(const encl_tokenizer *tokenizer, const cJSON *expected, const encl_encoding *encoding) {
    size_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, expected) {
        size_t length;
        char *token = golden_text(item, &length);
        assert_string_equal(encl_tokenizer_token(tokenizer, encoding->ids[i]), token);
        assert_int_equal(encl_tokenizer_id(tokenizer, token), encoding->ids[i]);
        free(token);
        i++;
    }
}

static void check_case(const encl_tokenizer *tokenizer, const cJSON *row, encl_encoding *encoding) {
    const cJSON *pair_item = cJSON_GetObjectItemCaseSensitive(row, "pair");
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(row, "max_length");
    size_t length = 0;
    size_t pair_length = 0;
    char *text = golden_text(need(row, "text"), &length);
    char *pair = pair_item != NULL ? golden_text(pair_item, &pair_length) : NULL;
    const size_t max_length = limit != NULL ? (size_t)limit->valuedouble : 0;
    assert_ok(encl_tokenizer_encode(tokenizer, text, length, pair, pair_length, max_length, encoding));
    assert_numbers(text, "ids", need(row, "ids"), encoding->ids, encoding->count);
    assert_numbers(text, "types", need(row, "types"), encoding->types, encoding->count);
    assert_offsets(text, need(row, "offsets"), encoding);
    assert_tokens(tokenizer, need(row, "tokens"), encoding);
    size_t i = 0;
    const cJSON *special;
    cJSON_ArrayForEach(special, need(row, "special")) {
        assert_int_equal(encoding->special[i++], (int)special->valuedouble);
    }
    const size_t kept = encoding->count;
    const size_t lost = encoding->lost;
    assert_ok(encl_tokenizer_encode(tokenizer, text, length, pair, pair_length, 0, encoding));
    assert_int_equal(encoding->count, kept + lost);
    free(pair);
    free(text);
}

// All cases of a golden file, one tokenizer for each set of options.
static void check_golden(encl_scratch *scratch, const char *path, const char *vocabulary) {
    cJSON *golden = read_golden(path);
    const cJSON *cases = need(golden, "cases");
    encl_encoding encoding = {0};
    size_t checked = 0;
    const cJSON *options;
    cJSON_ArrayForEach(options, need(golden, "options")) {
        place = options->string;
        char *config = cJSON_PrintUnformatted(options);
        encl_tokenizer *tokenizer = open_fixture(scratch, vocabulary, config);
        const cJSON *row;
        cJSON_ArrayForEach(row, cases) {
            if (strcmp(need(row, "option")->valuestring, options->string) == 0) {
                check_case(tokenizer, row, &encoding);
                checked++;
            }
        }
        encl_tokenizer_close(tokenizer);
        cJSON_free(config);
    }
    assert_int_equal(checked, cJSON_GetArraySize(cases));
    assert_true(checked > 500);
    encl_encoding_free(&encoding);
    cJSON_Delete(golden);
}

static void test_fixture_vocabulary(void **state) {
    check_golden(*state, "tests/golden/tokenizer.json", fixture_vocabulary);
}

static void test_full_vocabulary(void **state) {
    char path[512];
    if (shared_file("data/vocab_zh.txt", path) == NULL) {
        print_message("skipped: %s is absent\n", path);
        skip();
    }
    check_golden(*state, "tests/golden/tokenizer_full.json", path);
}

// Folders whose files say different things.
static void test_files(void **state) {
    encl_scratch *scratch = *state;
    cJSON *golden = read_golden("tests/golden/tokenizer_files.json");
    encl_encoding encoding = {0};
    int number = 0;
    const cJSON *folder;
    cJSON_ArrayForEach(folder, need(golden, "cases")) {
        char name[128];
        place = need(folder, "name")->valuestring;
        snprintf(name, sizeof name, "%d", number);
        scratch_make_folder(scratch, name);
        const cJSON *file;
        cJSON_ArrayForEach(file, need(folder, "files")) {
            snprintf(name, sizeof name, "%d/%s", number, file->string);
            scratch_write_text(scratch, name, file->valuestring);
        }
        snprintf(name, sizeof name, "%s/%d", scratch->folder, number++);
        encl_tokenizer *tokenizer = NULL;
        if (encl_tokenizer_open(name, &tokenizer) != ENCL_OK) {
            fail_msg("%s: %s", place, encl_status_detail());
        }
        const cJSON *row;
        cJSON_ArrayForEach(row, need(folder, "cases")) {
            check_case(tokenizer, row, &encoding);
        }
        encl_tokenizer_close(tokenizer);
    }
    assert_true(number > 20);
    encl_encoding_free(&encoding);
    cJSON_Delete(golden);
}

// Hashes ids, starts and ends of every text of the corpus, as the golden's script does.
static void check_corpus(const encl_tokenizer *tokenizer, const char *corpus, size_t length, const cJSON *row) {
    encl_encoding encoding = {0};
    encl_hash hash;
    encl_hash_start(&hash);
    size_t texts = 0;
    size_t tokens = 0;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(corpus + at, '\n', length - at);
        const size_t bytes = end != NULL ? (size_t)(end - corpus) - at : length - at;
        const char *text = memchr(corpus + at, '\t', bytes);
        if (at > 0 && text != NULL) {
            text++;
            assert_ok(encl_tokenizer_encode(tokenizer, text, (size_t)(corpus + at + bytes - text), NULL, 0,
                                            (size_t)need(row, "max_length")->valuedouble, &encoding));
            encl_hash_add(&hash, encoding.ids, encoding.count * sizeof(int32_t));
            encl_hash_add(&hash, encoding.starts, encoding.count * sizeof(int32_t));
            encl_hash_add(&hash, encoding.ends, encoding.count * sizeof(int32_t));
            texts++;
            tokens += encoding.count;
        }
        at += bytes + 1;
    }
    encl_encoding_free(&encoding);
    char found[ENCL_HASH_TEXT];
    encl_hash_finish(&hash, found);
    assert_int_equal(texts, (size_t)need(row, "texts")->valuedouble);
    assert_int_equal(tokens, (size_t)need(row, "tokens")->valuedouble);
    assert_string_equal(found, need(row, "sha256")->valuestring);
}

static void test_corpus(void **state) {
    char vocabulary[512];
    char texts[512];
    if (shared_file("data/vocab_zh.txt", vocabulary) == NULL ||
        shared_file("data/chnsenticorp_dev.tsv", texts) == NULL) {
        print_message("skipped: %s or its corpus is absent\n", vocabulary);
        skip();
    }
    cJSON *golden = read_golden("tests/golden/tokenizer_full.json");
    encl_tokenizer *tokenizer = open_fixture(*state, vocabulary, "{}");
    char *corpus = NULL;
    size_t length = 0;
    assert_ok(encl_file_read(texts, 1 << 24, &corpus, &length));
    const cJSON *row;
    cJSON_ArrayForEach(row, need(golden, "corpus")) {
        check_corpus(tokenizer, corpus, length, row);
    }
    free(corpus);
    encl_tokenizer_close(tokenizer);
    cJSON_Delete(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fixture_vocabulary, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_files, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_full_vocabulary, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_corpus, scratch_setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
