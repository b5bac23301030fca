// What a compiler's log comes down to in one line; private to this room.
#ifndef ENCL_DEVICE_LOG_MESSAGE_H
#define ENCL_DEVICE_LOG_MESSAGE_H

#include "runtime/base/memory.h"

// Appends the log's first error as "file:line: text", or its first line where none looks like an error; nothing for
// an empty log or NULL.
encl_status encl_build_log_message(const char *log, encl_string *message);

#endif
