// What a command computes with: a model on a device.
#ifndef ENCL_CLI_SESSION_H
#define ENCL_CLI_SESSION_H

#include "host/cli/command.h"

typedef struct encl_session {
    encl_model *model;
    const encl_device *device;
    encl_embedder *embedder;
} encl_session;

// Opens the model, chooses the device and uploads. The globals' part of options->executable is filled in.
encl_status encl_session_open(const encl_globals *globals, const char *path, const encl_embed_options *options,
                              encl_session *session);
void encl_session_close(encl_session *session); // a zeroed session is allowed

// The one warning of a run about texts that were cut.
void encl_warn_truncated(int64_t truncated, int64_t texts, int64_t max_length);

#endif
