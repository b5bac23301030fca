// What a compiler's log comes down to in one line; private to this room.
#ifndef ENCL_DEVICE_LOG_MESSAGE_H
#define ENCL_DEVICE_LOG_MESSAGE_H

#include "runtime/base/memory.h"

// Appends the log's first error as "file:line: text", or its first line where none looks like an error; nothing for
// an empty log or NULL. Where a compiler minds no #line and writes "<kernel>:line", as NVIDIA's does, the lines
// `#line N "file"` of the source say which place that is; without a source (NULL) it stays so.
encl_status encl_build_log_message(const char *log, const char *source, encl_string *message);

#endif
