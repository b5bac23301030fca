// The tokenizer. Its functions are public: encl_model.h has them.
#ifndef ENCL_TEXT_TOKENIZER_H
#define ENCL_TEXT_TOKENIZER_H

#include "host/encl_model.h"
#include "runtime/base/memory.h"

#endif
