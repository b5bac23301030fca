// WordPiece tokenization (Wu et al. 2016, as BERT uses it), token for token and offset for offset what the
// Hugging Face fast BertTokenizer gives. A tokenizer is immutable once opened and may be shared by threads.
#ifndef ENCL_TEXT_TOKENIZER_H
#define ENCL_TEXT_TOKENIZER_H

#include "runtime/base/memory.h"

typedef struct encl_tokenizer encl_tokenizer;

// Opens the tokenizer of a model folder: vocab.txt and/or tokenizer.json, with tokenizer_config.json.
encl_status encl_tokenizer_open(const char *folder, encl_tokenizer **tokenizer);
void encl_tokenizer_close(encl_tokenizer *tokenizer);

typedef struct encl_tokenizer_info {
    int32_t vocabulary;               // number of ids
    int32_t cls, sep, pad, unk, mask; // ids; mask may be -1
    int64_t model_max_length;         // of tokenizer_config.json, or -1
    bool lowercase, strip_accents, split_cjk;
} encl_tokenizer_info;
const encl_tokenizer_info *encl_tokenizer_get_info(const encl_tokenizer *tokenizer);

// The token of an id, NULL outside the vocabulary. Lives as long as the tokenizer.
const char *encl_tokenizer_token(const encl_tokenizer *tokenizer, int32_t id);
// The id of a token's exact text, -1 where there is none.
int32_t encl_tokenizer_id(const encl_tokenizer *tokenizer, const char *token);

// One encoded text or pair: four arrays of `count`. Zero-initialise; reused by later calls, which replace it.
// Offsets are Unicode code points into the text (of a pair: into the text that types[] says); an added special
// token has [0, 0] and special[i] = 1.
typedef struct encl_encoding {
    int32_t *ids;
    int32_t *types;
    int32_t *starts;
    int32_t *ends;
    uint8_t *special;
    size_t count;
    size_t capacity;
    size_t lost; // tokens that truncation removed
} encl_encoding;
void encl_encoding_free(encl_encoding *encoding);

// [CLS] text [SEP], or [CLS] text [SEP] pair [SEP] where pair is not NULL (and not empty). Texts are UTF-8 of the
// given byte lengths; invalid UTF-8 is FORMAT naming the byte. max_length counts the specials; 0: no truncation.
// Pairs are truncated longest first.
encl_status encl_tokenizer_encode(const encl_tokenizer *tokenizer, const char *text, size_t length, const char *pair,
                                  size_t pair_length, size_t max_length, encl_encoding *encoding);

// Appends the tokens of the text without special tokens (for windows over long texts).
encl_status encl_tokenizer_append(const encl_tokenizer *tokenizer, const char *text, size_t length,
                                  encl_encoding *encoding);

#endif
