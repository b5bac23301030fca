// A progress bar on stderr with rate and time left; silent where stderr is no terminal or the log is quiet.
#ifndef ENCL_BASE_PROGRESS_H
#define ENCL_BASE_PROGRESS_H

#include <stdint.h>

#include "runtime/base/status.h"

typedef struct encl_progress {
    const char *label;
    const char *unit; // "texts", "files"
    int64_t total;    // 0: unknown
    int64_t start_ns;
    int64_t shown_ns; // private
    bool active;      // private
} encl_progress;

void encl_progress_start(encl_progress *progress, const char *label, const char *unit, int64_t total);
void encl_progress_update(encl_progress *progress, int64_t done); // redraws at most ten times a second
void encl_progress_finish(encl_progress *progress);               // clears the line

#endif
