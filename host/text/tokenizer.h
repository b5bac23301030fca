// The tokenizer. Its other functions are public: encl_model.h has them.
#ifndef ENCL_TEXT_TOKENIZER_H
#define ENCL_TEXT_TOKENIZER_H

#include "host/encl_model.h"
#include "runtime/base/folder.h"

// encl_tokenizer_open for a folder that is open already; it is not needed afterwards.
encl_status encl_tokenizer_open_in(const encl_folder *folder, encl_tokenizer **tokenizer);

#endif
