// Tokens to text again: what the decoder of the Hugging Face tokenizer gives (tokenizers 0.23, WordPiece with cleanup).
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/scratch.h"
#include "host/text/decode.h"

static const char *const tokens[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##lo", ".",  ".5",    "?",    "!",   ",",    "...", "'s",
    "n't",   "'",     "it",    "。",    "##.",    "do",    "not",  "'m", "[NEW]", "word", "##s", "##'t", "n",
};
enum { TOKENS = sizeof tokens / sizeof tokens[0] };

static encl_tokenizer *open_tokenizer(encl_scratch *scratch, bool clean_up) {
    const char *const config = clean_up ? "{\"clean_up_tokenization_spaces\":true}"
                                        : "{\"tokenizer_class\":\"BertTokenizer\","
                                          "\"additional_special_tokens\":[\"[NEW]\"]}";
    encl_tokenizer *tokenizer = NULL;
    char lines[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < TOKENS; i++) {
        used += (size_t)snprintf(lines + used, sizeof lines - used, "%s\n", tokens[i]);
    }
    scratch_write(scratch, "vocab.txt", lines, used);
    scratch_write(scratch, "tokenizer_config.json", config, strlen(config));
    assert_ok(encl_tokenizer_open(scratch->folder, &tokenizer));
    return tokenizer;
}

// `words` are tokens with spaces between them.
static void expect(const encl_tokenizer *tokenizer, const char *words, bool skip_special, const char *expected) {
    int32_t ids[16];
    size_t count = 0;
    encl_string text = {0};
    for (const char *word = words; *word != '\0'; word += strspn(word, " ")) {
        const size_t length = strcspn(word, " ");
        char token[32] = "";
        memcpy(token, word, length);
        ids[count] = encl_tokenizer_id(tokenizer, token);
        assert_true(ids[count] >= 0);
        word += length;
        count++;
    }
    assert_ok(encl_decode(tokenizer, ids, count, skip_special, &text));
    assert_string_equal(text.text != NULL ? text.text : "", expected);
    encl_string_free(&text);
}

static void tokens_are_joined(void **state) {
    encl_tokenizer *tokenizer = open_tokenizer(*state, false);
    static const char *const cases[][2] = {
        {"hello .5", "hello.5"},
        {"hello ...", "hello..."},
        {"hello 's", "hello's"},
        {"it n't", "itn't"},
        {"it ' hello", "it ' hello"},
        {"hello . it", "hello. it"},
        {"hello ##. it", "hello. it"},
        {"##lo it", "##lo it"},
        {"hello ##lo", "hellolo"},
        {"do not", "do not"},
        {"hello 。 ? . ! ,", "hello 。?.!,"},
        {"'m hello 'm", "'m hello'm"},
        {"[CLS] hello [UNK] [NEW] [SEP]", "[CLS] hello [UNK] [NEW] [SEP]"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(tokenizer, cases[i][0], false, cases[i][1]);
    }
    encl_tokenizer_close(tokenizer);
}

static void spaces_are_cleaned_up(void **state) {
    encl_tokenizer *tokenizer = open_tokenizer(*state, true);
    static const char *const cases[][2] = {
        {"it ' hello", "it'hello"},
        {"it ' ##s hello", "it's hello"},
        {"it n ##'t", "itn't"},
        {"it ' ##s ' ##s", "it's's"},
        {"it n ##'t 's ' ##s .", "itn't's's."},
        {"' it", "' it"},
        {"it '", "it '"},
        {"it ' ' hello", "it'' hello"},
        {"it ' 's hello", "it ''s hello"},
        {"do ' n't ' . ' not", "do 'n't '.'not"},
        {"hello ' ##lo", "hello 'lo"},
        {"' ' ' it", "''' it"},
        {"。 ' 。", "。'。"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(tokenizer, cases[i][0], false, cases[i][1]);
    }
    encl_string text = {0};
    const int32_t id = encl_tokenizer_id(tokenizer, "'");
    const int32_t ids[] = {id, id, id};
    assert_ok(encl_string_append(&text, "a ' ", 4)); // what is there stays
    assert_ok(encl_decode(tokenizer, ids, sizeof ids / sizeof ids[0], false, &text));
    assert_string_equal(text.text, "a ' '''");
    encl_string_free(&text);
    encl_tokenizer_close(tokenizer);
}

static void special_tokens_are_left_out(void **state) {
    encl_tokenizer *tokenizer = open_tokenizer(*state, false);
    expect(tokenizer, "[CLS] hello [UNK] [NEW] [MASK] [SEP] [PAD]", true, "hello");
    expect(tokenizer, "[CLS] ##lo it", true, "##lo it"); // the first that is left has nothing to be glued to
    expect(tokenizer, "[CLS] . it", true, ". it");
    expect(tokenizer, "[CLS] [SEP]", true, "");
    encl_tokenizer_close(tokenizer);
}

static void unknown_ids_are_left_out(void **state) {
    encl_tokenizer *tokenizer = open_tokenizer(*state, false);
    const int32_t ids[] = {5, -1, TOKENS, INT32_MAX, INT32_MIN, 23};
    encl_string text = {0};
    assert_ok(encl_string_append(&text, "> ", 2)); // what is there stays
    assert_ok(encl_decode(tokenizer, ids, sizeof ids / sizeof ids[0], false, &text));
    assert_string_equal(text.text, "> hello word");
    encl_string_free(&text);
    encl_tokenizer_close(tokenizer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(tokens_are_joined),
        TEST(spaces_are_cleaned_up),
        TEST(special_tokens_are_left_out),
        TEST(unknown_ids_are_left_out),
    };
    return encl_test_main(tests);
}
