// A folder that is complete or not there: it is filled under a temporary name beside its own and renamed at the end.
#ifndef ENCL_BASE_OUTPUT_FOLDER_H
#define ENCL_BASE_OUTPUT_FOLDER_H

#include "runtime/base/status.h"

typedef struct encl_output_folder {
    char *path;      // its name at the end
    char *temporary; // where files are written until then
} encl_output_folder;

// `path` must name nothing yet, or an empty folder; its parent must exist. One of the next two must be called.
encl_status encl_output_folder_open(const char *path, encl_output_folder *folder);
encl_status encl_output_folder_commit(encl_output_folder *folder); // on failure everything in it is removed
void encl_output_folder_abandon(encl_output_folder *folder);       // removes it; a zeroed one is allowed

#endif
