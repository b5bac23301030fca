// Files that are damaged, contradict themselves or are not a BERT tokenizer's: an error that says where, always.
#include "tokenizer_fixture.h"

static const char small_vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n中\n";
static const char small_json[] =
    "{\"added_tokens\":[{\"id\":1,\"content\":\"[UNK]\",\"special\":true},{\"id\":9,\"content\":\"<x>\"}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true,\"strip_accents\":null},"
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,"
    "\"[SEP]\":3,\"[MASK]\":4,\"a\":5,\"b\":6,\"##b\":7,\"\\u4e2d\":8}}}";
static const char generic_config[] = "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}";

static void assert_refused(encl_scratch *scratch, encl_status expected, const char *part) {
    encl_tokenizer *tokenizer = (encl_tokenizer *)scratch; // must become NULL
    assert_fails(encl_tokenizer_open(scratch->folder, &tokenizer), expected, part);
    assert_null(tokenizer);
}

static encl_tokenizer *open_folder(encl_scratch *scratch) {
    encl_tokenizer *tokenizer = NULL;
    assert_ok(encl_tokenizer_open(scratch->folder, &tokenizer));
    return tokenizer;
}

static void test_no_files(void **state) {
    encl_scratch *scratch = *state;
    assert_refused(scratch, ENCL_NOT_FOUND, "neither vocab.txt nor tokenizer.json");
    encl_tokenizer *tokenizer = NULL;
    assert_int_equal(encl_tokenizer_open("/nowhere/at/all", &tokenizer), ENCL_NOT_FOUND);
    scratch_make_folder(scratch, "vocab.txt");
    assert_refused(scratch, ENCL_IO, "vocab.txt");
}

// Whatever is left of the file, the answer is a tokenizer or a message.
static void check_truncations(encl_scratch *scratch, const char *name, const char *text, bool all_fail) {
    const size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        encl_tokenizer *tokenizer = NULL;
        scratch_write(scratch, name, text, i);
        const encl_status status = encl_tokenizer_open(scratch->folder, &tokenizer);
        if (status == ENCL_OK ? all_fail : strstr(encl_status_detail(), scratch->folder) == NULL) {
            fail_msg("%s cut at byte %zu: found %s", name, i, status == ENCL_OK ? "success" : encl_status_detail());
        }
        encl_tokenizer_close(tokenizer);
    }
    scratch_write_text(scratch, name, text);
    encl_tokenizer_close(open_folder(scratch));
}

static void test_truncated_vocabulary(void **state) {
    check_truncations(*state, "vocab.txt", small_vocabulary, false);
}

static void test_truncated_json(void **state) {
    check_truncations(*state, "tokenizer.json", small_json, true);
    scratch_write_text(*state, "tokenizer_config.json", generic_config);
    check_truncations(*state, "tokenizer.json", small_json, true);
}

static void test_truncated_configuration(void **state) {
    scratch_write_text(*state, "vocab.txt", small_vocabulary);
    check_truncations(*state, "tokenizer_config.json",
                      "{\"do_lower_case\":false,\"added_tokens_decoder\":{\"9\":{\"content\":\"<x>\"}}}", true);
}

static void test_missing_special_tokens(void **state) {
    encl_scratch *scratch = *state;
    static const char *const needed[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        char text[sizeof small_vocabulary];
        memcpy(text, small_vocabulary, sizeof text);
        strstr(text, needed[i])[1] = 'x';
        scratch_write_text(scratch, "vocab.txt", text);
        assert_refused(scratch, ENCL_FORMAT, needed[i]);
    }
    scratch_write_text(scratch, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
    encl_tokenizer *tokenizer = open_folder(scratch);
    assert_int_equal(encl_tokenizer_get_info(tokenizer)->mask, -1);
    assert_int_equal(encl_tokenizer_get_info(tokenizer)->vocabulary, 4);
    encl_tokenizer_close(tokenizer);
}

static void test_bad_lines(void **state) {
    encl_scratch *scratch = *state;
    static const char nul[] = "[PAD]\n[UNK]\n[C\0LS]\n";
    scratch_write(scratch, "vocab.txt", nul, sizeof nul - 1);
    assert_refused(scratch, ENCL_FORMAT, "vocab.txt: line 3: found a NUL");
    scratch_write_text(scratch, "vocab.txt", "[PAD]\n[UNK]\na\xff\n");
    assert_refused(scratch, ENCL_FORMAT, "vocab.txt: line 3: byte 2 is not valid UTF-8");
    scratch_write_text(scratch, "vocab.txt", "");
    assert_refused(scratch, ENCL_FORMAT, "found no token");
    scratch_write_text(scratch, "vocab.txt", "\n\n\r\n");
    assert_refused(scratch, ENCL_FORMAT, "found no token");
    void *line = NULL;
    const size_t length = 10 << 20;
    assert_ok(encl_allocate(length, 1, &line));
    memset(line, 'x', length);
    ((char *)line)[5] = '\n';
    scratch_write(scratch, "vocab.txt", line, length);
    free(line);
    assert_refused(scratch, ENCL_FORMAT, "vocab.txt: line 2: found a token of 10485754 bytes");
}

static void test_lines_with_ids(void **state) {
    encl_scratch *scratch = *state;
    scratch_write_text(scratch, "vocab.txt", "[PAD]\t0\n[UNK]\t1\n[CLS]\t2\n[SEP]\t3\n中\t4\n");
    encl_tokenizer *tokenizer = open_folder(scratch);
    assert_int_equal(encl_tokenizer_id(tokenizer, "中"), 4);
    encl_tokenizer_close(tokenizer);
    scratch_write_text(scratch, "vocab.txt", "[PAD]\t0\n[UNK]\t2\n");
    assert_refused(scratch, ENCL_FORMAT, "line 2: found \"2\" after the tab");
}

typedef struct bad_file {
    const char *text;
    encl_status status;
    const char *part;
} bad_file;

static void test_bad_configurations(void **state) {
    encl_scratch *scratch = *state;
    static const bad_file files[] = {
        {"[]", ENCL_FORMAT, "expected an object"},
        {"{\"do_lower_case\":1}", ENCL_FORMAT, "do_lower_case"},
        {"{\"strip_accents\":\"yes\"}", ENCL_FORMAT, "strip_accents"},
        {"{\"clean_up_tokenization_spaces\":1}", ENCL_FORMAT, "clean_up_tokenization_spaces"},
        {"{\"tokenizer_class\":7}", ENCL_FORMAT, "tokenizer_class"},
        {"{\"tokenizer_class\":\"BertJapaneseTokenizer\"}", ENCL_UNSUPPORTED, "BertJapaneseTokenizer"},
        {"{\"tokenizer_class\":\"RobertaTokenizer\"}", ENCL_UNSUPPORTED, "RobertaTokenizer"},
        {"{\"model_max_length\":\"long\"}", ENCL_FORMAT, "model_max_length"},
        {"{\"cls_token\":5}", ENCL_FORMAT, "cls_token"},
        {"{\"cls_token\":\"<s>\"}", ENCL_FORMAT, "cls_token \"<s>\" is not in the vocabulary"},
        {"{\"added_tokens_decoder\":[]}", ENCL_FORMAT, "added_tokens_decoder"},
        {"{\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}", ENCL_FORMAT, "added_tokens_decoder"},
        {"{\"added_tokens_decoder\":{\"9\":{}}}", ENCL_FORMAT, "without \"content\""},
        {"{\"added_tokens_decoder\":{\"9\":{\"content\":[]}}}", ENCL_FORMAT, "content"},
        {"{\"added_tokens_decoder\":{\"99\":{\"content\":\"<x>\"}}}", ENCL_FORMAT, "found id 99, expected the next"},
    };
    scratch_write_text(scratch, "vocab.txt", small_vocabulary);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_write_text(scratch, "tokenizer_config.json", files[i].text);
        assert_refused(scratch, files[i].status, files[i].part);
        assert_detail_has(scratch->folder);
    }
}

#define MODEL(vocabulary) "{\"model\":{\"type\":\"WordPiece\",\"vocab\":" vocabulary "}}"

static void test_bad_json(void **state) {
    encl_scratch *scratch = *state;
    static const bad_file files[] = {
        {"{}", ENCL_FORMAT, "model: vocab"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", ENCL_UNSUPPORTED, "found type BPE"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", ENCL_UNSUPPORTED, "found type Unigram"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", ENCL_UNSUPPORTED, "WordPiece"},
        {"{\"model\":{\"type\":4}}", ENCL_FORMAT, "type"},
        {MODEL("[]"), ENCL_FORMAT, "model: vocab"},
        {MODEL("{}"), ENCL_FORMAT, "model: vocab"},
        {MODEL("{\"a\":-1}"), ENCL_FORMAT, "\"a\": expected an id"},
        {MODEL("{\"a\":0.5}"), ENCL_FORMAT, "\"a\": expected an id"},
        {MODEL("{\"a\":\"0\"}"), ENCL_FORMAT, "\"a\": expected an id"},
        {MODEL("{\"a\":16000000}"), ENCL_FORMAT, "\"a\": expected an id"},
        {MODEL("{\"a\":9007199254740992}"), ENCL_FORMAT, "\"a\": expected an id"},
        {MODEL("{\"a\":0,\"b\":0}"), ENCL_FORMAT, "id 0 belongs to \"a\" and \"b\""},
        {MODEL("{\"a\":0,\"a\":1}"), ENCL_FORMAT, "tokenizer.json"},
        {MODEL("{\"a\":0}"), ENCL_FORMAT, "[UNK]"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_write_text(scratch, "tokenizer.json", files[i].text);
        assert_refused(scratch, files[i].status, files[i].part);
    }
}

// A pipeline that is not BERT's: the part and what it is are named.
static void test_foreign_pipelines(void **state) {
    encl_scratch *scratch = *state;
    static const struct {
        const char *from, *to, *part;
    } changes[] = {
        {"BertNormalizer", "NFKC", "normalizer: found type NFKC"},
        {"BertPreTokenizer", "Whitespace", "pre_tokenizer: found type Whitespace"},
        {"BertProcessing", "RobertaProcessing", "post_processor: found type RobertaProcessing"},
        {"\"sep\":[\"[SEP]\"", "\"sep\":[\"[PAD]\"", "post_processor: expected [CLS] A [SEP]"},
        {"\"unk_token\":\"[UNK]\"", "\"continuing_subword_prefix\":\"@@\"", "continuing_subword_prefix: found \"@@\""},
        {"\"unk_token\":\"[UNK]\"", "\"max_input_chars_per_word\":50", "max_input_chars_per_word: found 50"},
        {"\"id\":9,", "", "an \"id\" in every token"},
        {"\"id\":9,", "\"id\":12,", "found id 12, expected the next free one, 9"},
    };
    scratch_write_text(scratch, "tokenizer_config.json", generic_config);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char text[sizeof small_json + 64];
        const char *at = strstr(small_json, changes[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small_json), small_json, changes[i].to,
                 at + strlen(changes[i].from));
        scratch_write_text(scratch, "tokenizer.json", text);
        encl_tokenizer *tokenizer = NULL;
        assert_int_not_equal(encl_tokenizer_open(scratch->folder, &tokenizer), ENCL_OK);
        assert_detail_has(changes[i].part);
    }
    scratch_write_text(scratch, "tokenizer.json", small_json);
    encl_tokenizer_close(open_folder(scratch));
}

// Many added tokens are found in time that their number does not multiply.
static void test_many_added_tokens(void **state) {
    encl_scratch *scratch = *state;
    encl_string config = {0};
    enum { MANY = 50000 };
    scratch_write_text(scratch, "vocab.txt", small_vocabulary);
    assert_ok(encl_string_format(&config, "{\"added_tokens_decoder\":{"));
    for (int i = 0; i < MANY; i++) {
        assert_ok(encl_string_format(&config, "%s\"%d\":{\"content\":\"[w%d]\",\"special\":true}", i > 0 ? "," : "",
                                     9 + i, i));
    }
    assert_ok(encl_string_format(&config, "}}"));
    scratch_write(scratch, "tokenizer_config.json", config.text, config.length);
    encl_string_free(&config);
    encl_tokenizer *tokenizer = open_folder(scratch);
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_encode(tokenizer, "a[w49999][w5]", 13, NULL, 0, 0, &encoding));
    assert_int_equal(encoding.count, 5);
    assert_int_equal(encoding.ids[2], 9 + 49999);
    assert_int_equal(encoding.starts[3], 9);
    assert_string_equal(encl_tokenizer_token(tokenizer, 9 + 5), "[w5]");
    assert_int_equal(encl_tokenizer_get_info(tokenizer)->vocabulary, 9 + MANY);
    encl_encoding_free(&encoding);
    encl_tokenizer_close(tokenizer);
}

// The small vocabulary with as many words that begin with a capital, as many special tokens that do, and 200 others.
static void write_cased_vocabulary(encl_scratch *scratch, int words) {
    encl_string text = {0};
    assert_ok(encl_string_format(&text, "%s", small_vocabulary));
    for (int i = 0; i < words; i++) {
        assert_ok(encl_string_format(&text, "%sWord%d\n", i % 2 == 0 ? "" : "##", i));
    }
    for (int i = 0; i < 200; i++) {
        assert_ok(encl_string_format(&text, "[UNUSED%d]\nword%d\n", i, i));
    }
    scratch_write(scratch, "vocab.txt", text.text, text.length);
    encl_string_free(&text);
}

static void check_case(encl_scratch *scratch, bool lowercase, bool strip_accents, bool guessed) {
    encl_tokenizer *tokenizer = open_folder(scratch);
    const encl_tokenizer_info *info = encl_tokenizer_get_info(tokenizer);
    assert_int_equal(info->lowercase, lowercase);
    assert_int_equal(info->strip_accents, strip_accents);
    assert_int_equal(info->cased_by_vocabulary, guessed);
    encl_encoding encoding = {0};
    assert_ok(encl_tokenizer_encode(tokenizer, "Word0", 5, NULL, 0, 0, &encoding));
    assert_string_equal(encl_tokenizer_token(tokenizer, encoding.ids[1]), lowercase ? "word0" : "Word0");
    encl_encoding_free(&encoding);
    encl_tokenizer_close(tokenizer);
}

// Without a word in the other files, more than a hundred words with capitals make a cased vocabulary.
static void test_casing(void **state) {
    encl_scratch *scratch = *state;
    write_cased_vocabulary(scratch, 100);
    check_case(scratch, true, true, false);
    write_cased_vocabulary(scratch, 101);
    check_case(scratch, false, false, true);
    scratch_write_text(scratch, "tokenizer_config.json", "{\"model_max_length\":512,\"do_lower_case\":null}");
    check_case(scratch, false, false, true);
    scratch_write_text(scratch, "tokenizer_config.json", "{\"strip_accents\":true}");
    check_case(scratch, false, true, true);
    scratch_write_text(scratch, "tokenizer_config.json", "{\"do_lower_case\":true}");
    check_case(scratch, true, true, false);
    scratch_write_text(scratch, "tokenizer_config.json", "{\"do_lower_case\":false}");
    check_case(scratch, false, false, false);
}

// A tokenizer.json that says it leaves transformers' rule alone: the configuration's default goes before it.
static void test_casing_of_json(void **state) {
    encl_scratch *scratch = *state;
    encl_string text = {0};
    const char *start = strstr(small_json, "\"normalizer\"");
    const char *place = strstr(small_json, "\"a\":5");
    assert_true(start != NULL && place != NULL);
    assert_ok(encl_string_format(&text, "{%.*s", (int)(place - start), start));
    for (int i = 0; i < 200; i++) {
        assert_ok(encl_string_format(&text, "\"Word%d\":%d,", i, i + 9));
    }
    assert_ok(encl_string_format(&text, "%s", place));
    scratch_write(scratch, "tokenizer.json", text.text, text.length);
    encl_tokenizer *tokenizer = open_folder(scratch);
    assert_true(encl_tokenizer_get_info(tokenizer)->lowercase);
    assert_false(encl_tokenizer_get_info(tokenizer)->cased_by_vocabulary);
    encl_tokenizer_close(tokenizer);
    encl_string_free(&text);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_scratch(test_no_files),
        in_scratch(test_truncated_vocabulary),
        in_scratch(test_truncated_json),
        in_scratch(test_truncated_configuration),
        in_scratch(test_missing_special_tokens),
        in_scratch(test_bad_lines),
        in_scratch(test_lines_with_ids),
        in_scratch(test_bad_configurations),
        in_scratch(test_bad_json),
        in_scratch(test_foreign_pipelines),
        in_scratch(test_many_added_tokens),
        in_scratch(test_casing),
        in_scratch(test_casing_of_json),
    };
    return encl_test_main(tests);
}
