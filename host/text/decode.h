// Tokens to text again, as the Hugging Face WordPiece decoder writes it.
#ifndef ENCL_TEXT_DECODE_H
#define ENCL_TEXT_DECODE_H

#include "host/text/tokenizer.h"

// Appends the tokens with spaces between them, but none before "##…", which loses its mark, and none before a full
// stop, a comma, a question or exclamation mark and the English "n't", "'m", "'s", "'ve", "'re". With skip_special,
// special tokens ([CLS], [UNK], …) are left out. Ids outside the vocabulary are left out, too. Where the tokenizer's
// configuration sets clean_up_tokenization_spaces, an apostrophe loses the spaces at both sides ("it ' s": "it's").
encl_status encl_decode(const encl_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                        encl_string *text);

#endif
