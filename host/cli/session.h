// What a command computes with: a model on a device.
#ifndef ENCL_CLI_SESSION_H
#define ENCL_CLI_SESSION_H

#include "host/cli/precision.h"

typedef struct encl_session {
    encl_model *model;
    const encl_device *device;
    encl_chosen_precision precision;
    encl_executable_options executable; // what the global options say; a task's own is added
} encl_session;

// Opens the model and chooses the device and the precision.
encl_status encl_session_open(const encl_globals *globals, const char *path, encl_session *session);
void encl_session_close(encl_session *session); // a zeroed session is allowed; after the tasks that use it

// The one warning of a run about texts that were cut.
void encl_warn_truncated(int64_t truncated, int64_t texts, int64_t max_length);

#endif
