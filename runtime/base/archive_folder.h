// A zip seen as folders. A folder in it is a prefix of names: "" or one that ends in '/'.
#ifndef ENCL_BASE_ARCHIVE_FOLDER_H
#define ENCL_BASE_ARCHIVE_FOLDER_H

#include "runtime/base/archive.h"

// Whether the zip is a file of PyTorch's: some folder of it holds data.pkl. It is then no folder of files.
bool encl_archive_is_torch(const encl_archive *archive);

// The model's folder: the least deep one that holds a configuration or weights, whatever lies around it; "" where none
// does. FORMAT where two are equally deep. Caller frees *prefix.
encl_status encl_archive_find_root(const encl_archive *archive, const char *place, char **prefix);

// The name of a file or a folder in a folder; "" is the folder itself.
typedef enum encl_archive_entry { ENCL_ARCHIVE_NOTHING, ENCL_ARCHIVE_FILE, ENCL_ARCHIVE_FOLDER } encl_archive_entry;
encl_archive_entry encl_archive_look_up(const encl_archive *archive, const char *prefix, const char *name);

// As encl_folder_list, in no order.
encl_status encl_archive_list(const encl_archive *archive, const char *prefix, char ***names, size_t *count);

#endif
