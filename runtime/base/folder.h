// A folder of files that are read by name, on disk or in a zip (archive.h). Names are relative ("config.json",
// "1_Pooling/config.json"); a name that leads out of the folder ("..", an absolute one) is INVALID. Immutable once
// opened; may be shared by threads.
#ifndef ENCL_BASE_FOLDER_H
#define ENCL_BASE_FOLDER_H

#include "runtime/base/file.h"

struct cJSON;

typedef struct encl_folder encl_folder;

// A folder, or a zip: then the least deep folder in it that holds a configuration or weights. "model.zip/folder" names
// a folder in a zip itself. NOT_FOUND where nothing has the name, FORMAT for a file that is no zip or a damaged one,
// and for a zip of several models.
encl_status encl_folder_open(const char *path, encl_folder **folder);
// A folder inside this one, which must outlive it. "" is the folder itself.
encl_status encl_folder_open_inner(const encl_folder *parent, const char *name, encl_folder **folder);
void encl_folder_close(encl_folder *folder); // NULL is allowed

// What a user calls a model: a folder, a zip of one, or a file in either. *file is NULL for a folder, else the file's
// name in *folder. A zip that is a weight file of PyTorch's is a file.
// A name without a file is taken as the prefix of a TensorFlow checkpoint where `<path>.index` exists. Caller closes
// *folder and frees *file.
encl_status encl_folder_resolve(const char *path, encl_folder **folder, char **file);

const char *encl_folder_path(const encl_folder *folder); // for messages: "folder", "model.zip/folder"
bool encl_folder_is_archive(const encl_folder *folder);
uint64_t encl_folder_inflated_bytes(const encl_folder *folder); // taken so far by what lies compressed in the zip
// "folder/name", for messages. Caller frees.
encl_status encl_folder_place(const encl_folder *folder, const char *name, char **place);
bool encl_folder_has(const encl_folder *folder, const char *name); // something has the name
// The names of what is directly in the folder, sorted, without hidden ones. Caller frees with encl_folder_free_names.
encl_status encl_folder_list(const encl_folder *folder, char ***names, size_t *count);
void encl_folder_free_names(char **names, size_t count);

// As encl_file_map and encl_file_read. A mapped file must be unmapped before the folder is closed.
encl_status encl_folder_map(const encl_folder *folder, const char *name, encl_file *file);
encl_status encl_folder_read(const encl_folder *folder, const char *name, size_t limit, char **text, size_t *length);
// Reads and parses a file of at most `limit` bytes whose top value must be an object (json.h). Caller deletes *json.
encl_status encl_folder_read_json(const encl_folder *folder, const char *name, size_t limit, struct cJSON **json);

// Reads every file of the zip that the folder is in and compares its checksum; a folder on disk has none: *files is 0.
// proceed() is asked between files and ends it with its status; NULL: nothing is asked.
encl_status encl_folder_verify(const encl_folder *folder, encl_status (*proceed)(void), size_t *files);

// True for a relative path none of whose parts leads up.
bool encl_path_is_inside(const char *path);

#endif
