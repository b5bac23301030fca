// The files of a tokenizer: vocab.txt, tokenizer.json, tokenizer_config.json and the older special_tokens_map.json
// and added_tokens.json, with the precedence that transformers 5 gives them, but for one thing: where no file says
// whether texts are lowercased, the vocabulary decides. Google's archives have nothing but a vocab.txt, and
// transformers lowercases what a cased model reads.
#ifndef ENCL_TEXT_TOKENIZER_FILES_H
#define ENCL_TEXT_TOKENIZER_FILES_H

#include "host/text/added.h"
#include "host/text/vocabulary.h"
#include "runtime/base/folder.h"

typedef struct encl_tokenizer_files {
    encl_vocabulary vocabulary;
    encl_added added;
    int32_t cls, sep, pad, unk, mask; // mask may be -1
    int64_t model_max_length;         // -1: none
    bool clean, lowercase, strip_accents, split_cjk;
    bool cased_by_vocabulary; // no file says; its words do
    bool clean_up;            // clean_up_tokenization_spaces: decoded texts lose more spaces
} encl_tokenizer_files;

encl_status encl_tokenizer_files_read(const encl_folder *folder, encl_tokenizer_files *files);
void encl_tokenizer_files_free(encl_tokenizer_files *files);

#endif
