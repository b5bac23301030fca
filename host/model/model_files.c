// The files of a model beside its weights.
#include <stdlib.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/base/json.h"

enum { MODULES_BYTES = 16 << 20 };

static const char modules_file[] = "modules.json";

// Adds a file of a module's folder ("": the model's) where it is there and not in the list yet.
static encl_status add_file(const encl_folder *folder, const char *module, const char *name, encl_texts *names) {
    encl_status status = ENCL_OK;
    encl_string path = {0};
    const bool slash = module[0] != '\0' && !encl_text_ends(module, "/");
    ENCL_TRY(encl_string_format(&path, "%s%s%s", module, slash ? "/" : "", name));
    bool listed = !encl_folder_has(folder, path.text);
    for (size_t i = 0; i < names->count; i++) {
        listed = listed || strcmp(names->texts[i], path.text) == 0;
    }
    ENCL_TRY(listed ? ENCL_OK : encl_texts_add(names, path.text));
cleanup:
    encl_string_free(&path);
    return status;
}

static encl_status add_modules(const encl_folder *folder, encl_texts *names) {
    static const char *const files[] = {"config.json", "model.safetensors", "pytorch_model.bin"};
    encl_status status = ENCL_OK;
    char *text = NULL;
    size_t length = 0;
    cJSON *modules = NULL;
    const cJSON *module = NULL;
    ENCL_TRY(encl_folder_read(folder, modules_file, MODULES_BYTES, &text, &length));
    ENCL_TRY(encl_json_parse(modules_file, text, length, &modules));
    cJSON_ArrayForEach(module, modules) {
        const char *path = "";
        ENCL_TRY(encl_json_get_text(modules_file, module, "path", &path));
        for (size_t i = 0; i < sizeof files / sizeof files[0] && path[0] != '\0'; i++) {
            ENCL_TRY(add_file(folder, path, files[i], names));
        }
    }
cleanup:
    cJSON_Delete(modules);
    free(text);
    return status;
}

// The list of modules was checked when the model was opened.
encl_status encl_model_list_sentence_files(const encl_model *model, encl_texts *names) {
    static const char *const files[] = {modules_file, "sentence_bert_config.json", "config_sentence_transformers.json"};
    const encl_folder *folder = encl_checkpoint_folder(model->checkpoint);
    encl_status status = ENCL_OK;
    if (!model->sentence.found) {
        return ENCL_OK;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ENCL_TRY(add_file(folder, "", files[i], names));
    }
    if (model->sentence.transformer[0] != '\0') {
        ENCL_TRY(add_file(folder, model->sentence.transformer, files[1], names));
    }
    ENCL_TRY(add_modules(folder, names));
cleanup:
    return status;
}

encl_status encl_model_list_files(const encl_model *model, encl_texts *names) {
    const char *const files[] = {model->config.file,        "vocab.txt",
                                 "tokenizer.json",          "tokenizer_config.json",
                                 "special_tokens_map.json", "added_tokens.json"};
    const encl_folder *folder = encl_checkpoint_folder(model->checkpoint);
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ENCL_TRY(add_file(folder, "", files[i], names));
    }
    status = encl_model_list_sentence_files(model, names);
cleanup:
    return status;
}
