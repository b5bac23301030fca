// The JSON files of an exported model: what the model's own say, without what only its first library reads, and with
// what transformers would otherwise guess.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "host/model/export.h"

enum { FILE_BYTES = 16 << 20 };

// A JSON object in the making; what could not be allocated is told at its end.
typedef struct key_set {
    cJSON *object;
    bool incomplete;
} key_set;

static void set(key_set *keys, const char *name, cJSON *item) {
    cJSON_DeleteItemFromObjectCaseSensitive(keys->object, name);
    if (item == NULL || !cJSON_AddItemToObject(keys->object, name, item)) {
        cJSON_Delete(item);
        keys->incomplete = true;
    }
}

// Sets a key that is not there, or null.
static bool lacks(const key_set *keys, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(keys->object, name);
    return item == NULL || cJSON_IsNull(item);
}

static void set_default_number(key_set *keys, const char *name, double number) {
    if (lacks(keys, name)) {
        set(keys, name, cJSON_CreateNumber(number));
    }
}

static void set_default_text(key_set *keys, const char *name, const char *text) {
    if (lacks(keys, name)) {
        set(keys, name, cJSON_CreateString(text));
    }
}

// Gives the text and frees the object.
static encl_status print(const char *place, key_set *keys, char **text) {
    char *printed = keys->incomplete ? NULL : cJSON_Print(keys->object);
    encl_string line = {0};
    encl_status status = printed != NULL ? encl_string_format(&line, "%s\n", printed)
                                         : encl_fail(ENCL_OUT_OF_MEMORY, "%s: cannot allocate its keys", place);
    cJSON_free(printed);
    cJSON_Delete(keys->object);
    keys->object = NULL;
    *text = line.text;
    return status;
}

// ---- config.json ------------------------------------------------------------------------------------------

// What Google's files say of a pooler that there is no code for, and what PaddleNLP says of itself.
static void remove_foreign(key_set *keys) {
    static const char *const names[] = {"directionality",       "pooler_fc_size",       "pooler_num_attention_heads",
                                        "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
                                        "init_class",           "paddlenlp_version"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(keys->object, names[i]);
    }
}

static void set_sizes(key_set *keys, const encl_config *config) {
    const struct {
        const char *name;
        int32_t number;
    } rows[] = {
        {"vocab_size", config->vocabulary},           {"hidden_size", config->hidden},
        {"num_hidden_layers", config->layers},        {"num_attention_heads", config->heads},
        {"intermediate_size", config->intermediate},  {"max_position_embeddings", config->max_position},
        {"type_vocab_size", config->type_vocabulary}, {"pad_token_id", config->pad_id},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_default_number(keys, rows[i].name, rows[i].number);
    }
    set_default_number(keys, "layer_norm_eps", 1e-12); // what a file that is silent about it means
    set_default_text(keys, "hidden_act", "gelu");
}

// The names of a classifier's classes, where the file names none.
static void set_labels(key_set *keys, const encl_model *model) {
    const encl_config *config = &model->config;
    const bool labelled = model->heads[ENCL_HEAD_CLASSIFY].width > 0 || model->heads[ENCL_HEAD_NER].width > 0;
    if (!labelled || config->labels_named) {
        return;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(keys->object, "num_labels");
    cJSON *names = cJSON_CreateObject();
    cJSON *ids = cJSON_CreateObject();
    for (size_t i = 0; i < config->label_count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        keys->incomplete = cJSON_AddStringToObject(names, id, config->labels[i]) == NULL ||
                           cJSON_AddNumberToObject(ids, config->labels[i], (double)i) == NULL || keys->incomplete;
    }
    set(keys, "id2label", names);
    set(keys, "label2id", ids);
}

// What transformers loads the weights as: as they are.
static void set_dtype(key_set *keys, const encl_model *model) {
    static const char *const names[][2] = {
        {"F32", "float32"}, {"F16", "float16"}, {"BF16", "bfloat16"}, {"F64", "float64"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(model->info.dtype, names[i][0]) == 0 && lacks(keys, "torch_dtype")) {
            set_default_text(keys, "dtype", names[i][1]);
        }
    }
}

encl_status encl_export_config(const encl_model *model, const char *architecture, char **text) {
    encl_status status = ENCL_OK;
    char *name = NULL;
    char *path = NULL;
    key_set keys = {0};
    *text = NULL;
    ENCL_TRY(encl_config_file_read(encl_checkpoint_folder(model->checkpoint), &name, &path, &keys.object));
    remove_foreign(&keys);
    set(&keys, "architectures", cJSON_CreateStringArray(&architecture, 1));
    set(&keys, "model_type", cJSON_CreateString(strncmp(architecture, "Ernie", 5) == 0 ? "ernie" : "bert"));
    set_sizes(&keys, &model->config);
    set_labels(&keys, model);
    set_dtype(&keys, model);
    status = print(path, &keys, text);
cleanup:
    cJSON_Delete(keys.object);
    free(path);
    free(name);
    return status;
}

// ---- tokenizer_config.json --------------------------------------------------------------------------------

encl_status encl_export_tokenizer_config(const encl_model *model, char **text) {
    static const char name[] = "tokenizer_config.json";
    const encl_folder *folder = encl_checkpoint_folder(model->checkpoint);
    const encl_tokenizer_info *info = encl_tokenizer_get_info(model->tokenizer);
    encl_status status = ENCL_OK;
    key_set keys = {0};
    *text = NULL;
    if (encl_folder_has(folder, name)) {
        ENCL_TRY(encl_folder_read_json(folder, name, FILE_BYTES, &keys.object));
    } else {
        keys.object = cJSON_CreateObject();
        keys.incomplete = keys.object == NULL;
        set(&keys, "tokenizer_class", cJSON_CreateString("BertTokenizer"));
        set(&keys, "model_max_length", cJSON_CreateNumber((double)model->config.max_position));
    }
    if (lacks(&keys, "do_lower_case")) {
        set(&keys, "do_lower_case", cJSON_CreateBool(info->lowercase));
    }
    status = print(name, &keys, text);
cleanup:
    cJSON_Delete(keys.object);
    return status;
}
