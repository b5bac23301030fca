// The file that describes a model, whoever wrote it.
#ifndef ENCL_MODEL_CONFIG_FILE_H
#define ENCL_MODEL_CONFIG_FILE_H

#include "runtime/base/folder.h"
#include "runtime/base/json.h"

// Reads config.json, else Google's bert_config.json, else the only bert_config*.json, else PaddleNLP's
// model_config.json. *json has the keys that Hugging Face would have written, flat (of PaddleNLP's file also
// `init_class`); *name is the file's name, *path its place for messages. Caller frees *name and *path and deletes
// *json.
encl_status encl_config_file_read(const encl_folder *folder, char **name, char **path, cJSON **json);

#endif
