// The vocabulary: tokens by id, ids by token, and the trie that WordPiece walks.
#ifndef ENCL_TEXT_VOCABULARY_H
#define ENCL_TEXT_VOCABULARY_H

#include "host/text/trie.h"
#include "runtime/base/folder.h"

enum {
    ENCL_VOCABULARY_TOKEN_BYTES = 4096,                // longest token that is accepted
    ENCL_VOCABULARY_FILE_BYTES = 64 * 1024 * 1024,     // largest vocab.txt
    ENCL_VOCABULARY_JSON_BYTES = 4 * 64 * 1024 * 1024, // largest tokenizer.json
};

// Zero-initialise.
typedef struct encl_vocabulary {
    encl_string text; // all tokens, each with a NUL
    int64_t *offsets; // [count] into text, -1 where an id has no token
    size_t offset_capacity;
    int32_t count;
    int32_t distinct;      // different tokens; less than count where lines repeat
    encl_trie trie;        // value: id
    uint32_t continuation; // the node of "##", 0: no such tokens
} encl_vocabulary;

// Reads a vocab.txt: a token a line, its id is the line's index; white space at its end is cut, a token that is
// repeated has its last id. "token<TAB>id", as ERNIE has it, is read too.
encl_status encl_vocabulary_read(const encl_folder *folder, const char *name, encl_vocabulary *vocabulary);

// Gives `token` an id that has none yet.
encl_status encl_vocabulary_add(const char *token, size_t length, int64_t id, encl_vocabulary *vocabulary);
// Names an id without making the token a piece of words: an added token.
encl_status encl_vocabulary_name(const char *token, size_t length, int64_t id, encl_vocabulary *vocabulary);
// Once all tokens are there.
void encl_vocabulary_finish(encl_vocabulary *vocabulary);
void encl_vocabulary_free(encl_vocabulary *vocabulary);

// NULL where the id does not exist.
const char *encl_vocabulary_token(const encl_vocabulary *vocabulary, int64_t id);

#endif
