// tokenizer.json and the tokenizer: the input is a file, a zero byte, and a text that the file's tokenizer (or, where
// it is refused, one of a small vocabulary) encodes. What comes out must be in range.
#include "fuzz.h"
#include "host/encl_model.h"

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nb\n##b\n中\n国\n##中\n.\n";

static void check(const encl_tokenizer *tokenizer, const encl_encoding *encoding, size_t bytes) {
    const encl_tokenizer_info *info = encl_tokenizer_get_info(tokenizer);
    for (size_t i = 0; i < encoding->count; i++) {
        if (encoding->ids[i] < 0 || encoding->ids[i] >= info->vocabulary || encoding->starts[i] < 0 ||
            encoding->starts[i] > encoding->ends[i] || (size_t)encoding->ends[i] > bytes) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    encl_tokenizer *tokenizer = NULL;
    encl_encoding encoding = {0};
    const uint8_t *zero = size == 0 ? NULL : memchr(data, 0, size);
    const size_t length = zero == NULL ? size : (size_t)(zero - data);
    const char *text = zero == NULL ? (const char *)data : (const char *)zero + 1;
    const size_t text_length = zero == NULL ? size : size - length - 1;
    char path[128];
    fuzz_write("vocab.txt", vocabulary, sizeof vocabulary - 1);
    fuzz_write("tokenizer.json", data, length);
    if (encl_tokenizer_open(fuzz_folder(), &tokenizer) != ENCL_OK) {
        snprintf(path, sizeof path, "%s/tokenizer.json", fuzz_folder());
        remove(path);
        if (encl_tokenizer_open(fuzz_folder(), &tokenizer) != ENCL_OK) {
            abort();
        }
    }
    if (encl_tokenizer_encode(tokenizer, text, text_length, NULL, 0, 0, &encoding) == ENCL_OK) {
        check(tokenizer, &encoding, text_length);
    }
    (void)encl_tokenizer_encode(tokenizer, text, text_length / 2, text + text_length / 2, text_length - text_length / 2,
                                8, &encoding);
    encl_encoding_free(&encoding);
    encl_tokenizer_close(tokenizer);
    return 0;
}
