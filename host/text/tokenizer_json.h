// tokenizer.json, the serialized pipeline of the tokenizers library. What is not BERT's is refused by name.
#ifndef ENCL_TEXT_TOKENIZER_JSON_H
#define ENCL_TEXT_TOKENIZER_JSON_H

#include "host/text/vocabulary.h"
#include "runtime/base/json.h"

// What the file says of normalization, for tokenizers that take it as it is.
typedef struct encl_tokenizer_json {
    bool clean, lowercase, strip_accents, split_cjk;
    const char *unknown; // lives in the JSON, NULL: not given
} encl_tokenizer_json;

// The model's vocabulary; the model must be WordPiece.
encl_status encl_tokenizer_json_vocabulary(const char *path, const cJSON *json, encl_vocabulary *vocabulary);
// Normalizer, pre-tokenizer and model options.
encl_status encl_tokenizer_json_pipeline(const char *path, const cJSON *json, encl_tokenizer_json *pipeline);
// The post-processor must be cls A sep, and cls A sep B sep with types 0 and 1.
encl_status encl_tokenizer_json_template(const char *path, const cJSON *json, const char *cls, const char *sep);

#endif
