// The one log: lines on stderr, "encl: warning: …". Thread-safe; a line is written whole.
#ifndef ENCL_BASE_LOG_H
#define ENCL_BASE_LOG_H

#include "runtime/base/status.h"

// Levels and encl_log_set_level are public (encl.h). Default: warnings and errors.
void encl_log(encl_log_level level, const char *format, ...) ENCL_PRINTF(2, 3);
#define encl_warn(...) encl_log(ENCL_LOG_WARNING, __VA_ARGS__)
#define encl_info(...) encl_log(ENCL_LOG_INFO, __VA_ARGS__)
#define encl_debug(...) encl_log(ENCL_LOG_DEBUG, __VA_ARGS__)

// True where a message of this level would be written.
bool encl_log_enabled(encl_log_level level);

// Says whether an unfinished line (a progress bar) stands on the terminal: log lines erase it first.
void encl_log_set_bar(bool shown);

#endif
