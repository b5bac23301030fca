// vocab.txt: the input is the file; a tokenizer that it makes encodes the input itself.
#include "fuzz.h"
#include "host/encl_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    encl_tokenizer *tokenizer = NULL;
    encl_encoding encoding = {0};
    fuzz_write("vocab.txt", data, size);
    if (encl_tokenizer_open(fuzz_folder(), &tokenizer) == ENCL_OK) {
        (void)encl_tokenizer_encode(tokenizer, (const char *)data, size, NULL, 0, 0, &encoding);
    }
    encl_encoding_free(&encoding);
    encl_tokenizer_close(tokenizer);
    return 0;
}
