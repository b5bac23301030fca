#include "host/model/config_file.h"

#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES = 16 << 20 };

// ---- Finding it -------------------------------------------------------------------------------------------

// The only name in the folder that begins with bert_config and ends with .json: archives of several sizes of a model
// call theirs bert_config_rbt3.json. Caller frees *name; NULL: none, or several.
static encl_status find_only(const encl_folder *folder, char **name) {
    char **names = NULL;
    size_t count = 0;
    size_t found = 0;
    encl_status status = encl_folder_list(folder, &names, &count);
    for (size_t i = 0; i < count; i++) {
        if (encl_text_begins(names[i], "bert_config") && encl_text_ends(names[i], ".json")) {
            found++;
            char *kept = *name;
            *name = names[i];
            names[i] = kept;
        }
    }
    if (found > 1) {
        status = encl_fail(ENCL_FORMAT, "%s: found %zu files bert_config*.json, expected one, or a config.json",
                           encl_folder_path(folder), found);
    }
    if (found != 1) {
        free(*name);
        *name = NULL;
    }
    encl_folder_free_names(names, count);
    return status;
}

static encl_status find_file(const encl_folder *folder, char **name) {
    static const char paddle[] = "model_config.json";
    static const char *const names[] = {"config.json", "bert_config.json"};
    *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (encl_folder_has(folder, names[i])) {
            return encl_copy_text(names[i], strlen(names[i]), name);
        }
    }
    const encl_status status = find_only(folder, name);
    if (status != ENCL_OK || *name != NULL) {
        return status;
    }
    if (encl_folder_has(folder, paddle)) {
        return encl_copy_text(paddle, strlen(paddle), name);
    }
    return encl_fail(ENCL_NOT_FOUND, "%s: no configuration found; looked for %s, %s, bert_config*.json, %s",
                     encl_folder_path(folder), names[0], names[1], paddle);
}

// ---- PaddleNLP's form -------------------------------------------------------------------------------------

static encl_status fail_without_memory(const char *path) {
    return encl_fail(ENCL_OUT_OF_MEMORY, "%s: cannot allocate its keys", path);
}

// Gives an item to an object that has no such key; deletes it otherwise.
static encl_status give(const char *path, cJSON *object, const char *key, cJSON *item) {
    if (item == NULL) {
        return fail_without_memory(path);
    }
    const bool known = cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
    if (known || !cJSON_AddItemToObject(object, key, item)) {
        cJSON_Delete(item);
        return known ? ENCL_OK : fail_without_memory(path);
    }
    return ENCL_OK;
}

// The number of classes stands beside the encoder's arguments.
static encl_status take_classes(const char *path, cJSON *root, cJSON *keys) {
    static const char *const names[] = {"num_classes", "num_labels"};
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == ENCL_OK; i++) {
        cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(root, names[i]);
        status = item != NULL ? give(path, keys, "num_labels", item) : ENCL_OK;
    }
    return status;
}

// {"init_args": [{the encoder's keys, "init_class": "BertModel"}], "num_classes": 3, "init_class":
// "BertForSequenceClassification"}, or the encoder's keys alone with its class. *json becomes what Hugging Face would
// have written.
static encl_status flatten_paddle(const char *path, cJSON **json) {
    encl_status status = ENCL_OK;
    cJSON *root = *json;
    cJSON *keys = NULL; // the encoder's, where they are not the root
    cJSON *arguments = cJSON_GetObjectItemCaseSensitive(root, "init_args");
    const char *class = "";
    ENCL_TRY(encl_json_get_text(path, root, "init_class", &class));
    if (arguments != NULL && (!cJSON_IsArray(arguments) || !cJSON_IsObject(arguments->child))) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: init_args: expected an array that begins with an object", path));
    }
    keys = arguments != NULL ? cJSON_DetachItemFromArray(arguments, 0) : NULL;
    cJSON *target = keys != NULL ? keys : root;
    if (keys != NULL) {
        ENCL_TRY(take_classes(path, root, keys));
        ENCL_TRY(give(path, keys, "init_class", cJSON_CreateString(class))); // says whose file it was
    }
    if (class[0] != '\0') {
        const char *const classes[] = {class};
        ENCL_TRY(give(path, target, "architectures", cJSON_CreateStringArray(classes, 1)));
    }
    if (keys != NULL) {
        cJSON_Delete(root);
        *json = keys;
        keys = NULL;
    }
cleanup:
    cJSON_Delete(keys);
    return status;
}

static bool is_paddle(const cJSON *json) {
    return cJSON_GetObjectItemCaseSensitive(json, "init_class") != NULL ||
           cJSON_GetObjectItemCaseSensitive(json, "init_args") != NULL;
}

encl_status encl_config_file_read(const encl_folder *folder, char **name, char **path, cJSON **json) {
    encl_status status = ENCL_OK;
    char *found = NULL;
    char *place = NULL;
    cJSON *read = NULL;
    *name = NULL;
    *path = NULL;
    *json = NULL;
    ENCL_TRY(find_file(folder, &found));
    ENCL_TRY(encl_folder_place(folder, found, &place));
    ENCL_TRY(encl_folder_read_json(folder, found, CONFIG_BYTES, &read));
    if (is_paddle(read)) {
        ENCL_TRY(flatten_paddle(place, &read));
    }
    *name = found;
    *path = place;
    *json = read;
    found = NULL;
    place = NULL;
    read = NULL;
cleanup:
    cJSON_Delete(read);
    free(place);
    free(found);
    return status;
}
