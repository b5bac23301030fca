// Every allocation in turn fails while a tokenizer is opened and used: a status, no leak, and an encoding that works
// again afterwards.
#include "exhaustion.h"
#include "tokenizer_fixture.h"

static const char *folder;

// A text with accents out of order and an added token, twice, so that growth is met as well.
static const char text[] =
    "hello e\u0301\u302e\u0316 新词 [MASK] probability，世界 hello e\u0301\u302e\u0316 新词 [MASK]";

static encl_status use_tokenizer(void) {
    encl_status status = ENCL_OK;
    encl_tokenizer *tokenizer = NULL;
    encl_encoding encoding = {0};
    ENCL_TRY(encl_tokenizer_open(folder, &tokenizer));
    status = encl_tokenizer_encode(tokenizer, text, sizeof text - 1, text, sizeof text - 1, 0, &encoding);
    if (status != ENCL_OK) {
        assert_int_equal(encoding.count, 0);
        before_failure = LONG_MAX; // memory is back
        assert_int_equal(encl_tokenizer_encode(tokenizer, text, sizeof text - 1, NULL, 0, 0, &encoding), ENCL_OK);
        assert_true(encoding.count > 10);
    }
cleanup:
    encl_encoding_free(&encoding);
    encl_tokenizer_close(tokenizer);
    return status;
}

static void check_folder(encl_scratch *scratch) {
    folder = scratch->folder;
    assert_ok(use_tokenizer());
#ifdef FOREIGN_ALLOCATOR
    print_message("skipped: the allocator is not glibc's\n");
    skip();
#else
    once = true;
    assert_true(fail_each(use_tokenizer, 1) > 40);
    once = false;
    assert_true(fail_each(use_tokenizer, 1) > 40);
#endif
}

static void test_lines(void **state) {
    encl_scratch *scratch = *state;
    scratch_write_text(scratch, "vocab.txt",
                       "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\ne\npro\n##bability\n世\n界\n，\n");
    scratch_write_text(scratch, "tokenizer_config.json",
                       "{\"added_tokens_decoder\":{\"12\":{\"content\":\"新词\",\"normalized\":true}}}");
    check_folder(scratch);
}

static void test_json(void **state) {
    encl_scratch *scratch = *state;
    scratch_write_text(scratch, "tokenizer.json",
                       "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
                       "\"[MASK]\":4,\"hello\":5,\"世\":6}},\"added_tokens\":[{\"id\":7,\"content\":\"新词\"}]}");
    scratch_write_text(scratch, "special_tokens_map.json", "{\"mask_token\":{\"content\":\"[MASK]\"}}");
    check_folder(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_json, scratch_setup, scratch_teardown),
    };
    return encl_test_main(tests);
}
