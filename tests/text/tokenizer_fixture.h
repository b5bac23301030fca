// Tokenizers in scratch folders, and texts as the golden files hold them.
#ifndef ENCL_TEST_TOKENIZER_FIXTURE_H
#define ENCL_TEST_TOKENIZER_FIXTURE_H

#include "checkpoint/scratch.h"
#include "host/text/tokenizer.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"

static const char fixture_vocabulary[] = "tests/fixtures/tokenizer/vocab.txt";

// A file of the folder beside the repository that holds data not written by this project, NULL where it is absent.
static inline const char *shared_file(const char *name, char path[512]) {
    const char *shared = getenv("ENCL_SHARED");
    snprintf(path, 512, "%s/%s", shared != NULL ? shared : "../shared", name);
    return encl_path_exists(path) ? path : NULL;
}

// A folder with this vocabulary and this tokenizer_config.json (NULL: none), opened.
static inline encl_tokenizer *open_fixture(encl_scratch *scratch, const char *vocabulary, const char *config) {
    char *text = NULL;
    size_t length = 0;
    encl_tokenizer *tokenizer = NULL;
    assert_ok(encl_file_read(vocabulary, 1 << 24, &text, &length));
    scratch_write(scratch, "vocab.txt", text, length);
    free(text);
    if (config != NULL) {
        scratch_write_text(scratch, "tokenizer_config.json", config);
    }
    assert_ok(encl_tokenizer_open(scratch->folder, &tokenizer));
    return tokenizer;
}

static inline size_t put_code_point(uint32_t code_point, char *bytes) {
    if (code_point < 0x80) {
        bytes[0] = (char)code_point;
        return 1;
    }
    const size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; code_point >>= 6) {
        bytes[i] = (char)(0x80 | (code_point & 0x3f));
    }
    bytes[0] = (char)(leads[length] | code_point);
    return length;
}

// A JSON text, or an array of its code points. Ends with a NUL; the caller frees it.
static inline char *golden_text(const cJSON *item, size_t *length) {
    const size_t room = cJSON_IsString(item) ? strlen(item->valuestring) : 4 * (size_t)cJSON_GetArraySize(item);
    char *text = calloc(room + 1, 1);
    assert_non_null(text);
    *length = 0;
    if (cJSON_IsString(item)) {
        memcpy(text, item->valuestring, room);
        *length = room;
        return text;
    }
    const cJSON *code_point;
    cJSON_ArrayForEach(code_point, item) {
        *length += put_code_point((uint32_t)code_point->valuedouble, text + *length);
    }
    return text;
}

#endif
