// What output.c and output_folder.c share. The writers themselves are in file.h and output_folder.h.
#ifndef ENCL_BASE_OUTPUT_H
#define ENCL_BASE_OUTPUT_H

#include "runtime/base/file.h"

// "path: cannot <action>: <the system's reason>": OUT_OF_MEMORY for ENOMEM, else IO.
encl_status encl_output_fail(const char *path, const char *action, int error);
// What was written and renamed in a folder reaches the disk. Some file systems cannot sync one; nothing is lost by that
// but the order of events at a power cut.
void encl_output_sync_folder(const char *folder);

#endif
