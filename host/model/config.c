#include "host/model/config.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

// Bounds are far above every published model and far below what could overflow or exhaust memory by itself.
enum { CONFIG_BYTES = 16 << 20, MAX_LABELS = 1 << 16, MAX_LAYERS = 1024, MAX_WIDTH = 1 << 16, MAX_ROWS = 1 << 24 };

static const struct {
    const char *name;
    encl_activation activation;
} activations[] = {
    {"gelu", ENCL_ACTIVATION_GELU},          {"gelu_python", ENCL_ACTIVATION_GELU},
    {"gelu_new", ENCL_ACTIVATION_GELU_TANH}, {"gelu_pytorch_tanh", ENCL_ACTIVATION_GELU_TANH},
    {"relu", ENCL_ACTIVATION_RELU},          {"silu", ENCL_ACTIVATION_SILU},
    {"swish", ENCL_ACTIVATION_SILU},         {"tanh", ENCL_ACTIVATION_TANH},
};
enum { ACTIVATIONS = sizeof activations / sizeof activations[0] };

static encl_status copy_text(const char *text, char **copy) {
    return encl_copy_text(text, strlen(text), copy);
}

static encl_status find_file(const encl_folder *folder, const char **name) {
    static const char *const names[] = {"config.json", "bert_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (encl_folder_has(folder, names[i])) {
            *name = names[i];
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_NOT_FOUND, "%s: no configuration found; looked for %s, %s", encl_folder_path(folder),
                     names[0], names[1]);
}

// A text that decides whether this runtime computes what the model means: anything but `expected` is refused.
static encl_status require_text(const char *path, const cJSON *json, const char *key, const char *expected) {
    const char *found = expected;
    const encl_status status = encl_json_get_text(path, json, key, &found);
    if (status == ENCL_OK && strcmp(found, expected) != 0) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: %s: found '%s', expected '%s'", path, key, found, expected);
    }
    return status;
}

static encl_status refuse_flag(const char *path, const cJSON *json, const char *key) {
    bool found = false;
    const encl_status status = encl_json_get_bool(path, json, key, &found);
    if (status == ENCL_OK && found) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: %s: found true, expected false: only encoders are supported", path,
                         key);
    }
    return status;
}

static encl_status read_sizes(const char *path, const cJSON *json, encl_config *config) {
    const struct {
        const char *key;
        int64_t standard;
        int64_t maximum;
        int32_t *size;
    } rows[] = {
        {"vocab_size", 30522, MAX_ROWS, &config->vocabulary},
        {"hidden_size", 768, MAX_WIDTH, &config->hidden},
        {"num_hidden_layers", 12, MAX_LAYERS, &config->layers},
        {"num_attention_heads", 12, MAX_WIDTH, &config->heads},
        {"intermediate_size", 3072, INT64_C(16) * MAX_WIDTH, &config->intermediate},
        {"max_position_embeddings", 512, MAX_ROWS, &config->max_position},
        {"type_vocab_size", 2, MAX_WIDTH, &config->type_vocabulary},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = rows[i].standard;
        const encl_status status = encl_json_get_int(path, json, rows[i].key, 1, rows[i].maximum, &value);
        if (status != ENCL_OK) {
            return status;
        }
        *rows[i].size = (int32_t)value;
    }
    if (config->hidden % config->heads != 0) {
        return encl_fail(ENCL_FORMAT, "%s: hidden_size: found %d, expected a multiple of num_attention_heads, %d", path,
                         config->hidden, config->heads);
    }
    int64_t pad_id = 0;
    const encl_status status = encl_json_get_int(path, json, "pad_token_id", 0, config->vocabulary - 1, &pad_id);
    config->pad_id = (int32_t)pad_id;
    return status;
}

static encl_status read_numerics(const char *path, const cJSON *json, encl_config *config) {
    encl_status status = ENCL_OK;
    double epsilon = 1e-12;
    const char *name = "gelu";
    size_t row = 0;
    ENCL_TRY(encl_json_get_number(path, json, "layer_norm_eps", &epsilon));
    if (!(epsilon >= (double)FLT_MIN && epsilon <= 1)) { // written so that NaN fails too
        return encl_fail(ENCL_FORMAT, "%s: layer_norm_eps: found %g, expected a float32 above 0 and up to 1", path,
                         epsilon);
    }
    config->epsilon = (float)epsilon;
    ENCL_TRY(encl_json_get_text(path, json, "hidden_act", &name));
    while (row < ACTIVATIONS && strcmp(name, activations[row].name) != 0) {
        row++;
    }
    if (row == ACTIVATIONS) {
        return encl_fail(ENCL_UNSUPPORTED,
                         "%s: hidden_act: found '%s', expected gelu, gelu_python, gelu_new, gelu_pytorch_tanh, relu, "
                         "silu, swish or tanh",
                         path, name);
    }
    config->activation = activations[row].activation;
cleanup:
    return status;
}

static encl_status read_texts(const char *path, const cJSON *json, encl_config *config) {
    encl_status status = ENCL_OK;
    const char *model_type = "bert";
    const char *dtype = "";
    const char *problem_type = "";
    const char *architecture = "";
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "architectures");
    if (list != NULL && !cJSON_IsNull(list)) {
        if (!cJSON_IsArray(list) || (list->child != NULL && !cJSON_IsString(list->child))) {
            return encl_fail(ENCL_FORMAT, "%s: architectures: expected an array of texts", path);
        }
        architecture = list->child != NULL ? list->child->valuestring : "";
    }
    ENCL_TRY(encl_json_get_text(path, json, "model_type", &model_type));
    ENCL_TRY(encl_json_get_text(path, json, "torch_dtype", &dtype));
    ENCL_TRY(encl_json_get_text(path, json, "dtype", &dtype)); // its name since transformers 4.56
    ENCL_TRY(encl_json_get_text(path, json, "problem_type", &problem_type));
    ENCL_TRY(copy_text(architecture, &config->architecture));
    ENCL_TRY(copy_text(model_type, &config->model_type));
    ENCL_TRY(copy_text(dtype, &config->dtype));
    ENCL_TRY(copy_text(problem_type, &config->problem_type));
cleanup:
    return status;
}

// "12" → 12; -1 for anything that is not the shortest decimal form of an index below `count`.
static int64_t parse_index(const char *text, size_t count) {
    size_t value = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return -1;
    }
    for (const char *digit = text; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9') {
            return -1;
        }
        value = 10 * value + (size_t)(*digit - '0');
        if (value >= count) {
            return -1;
        }
    }
    return (int64_t)value;
}

// id2label = {"0": "negative", "1": "positive"}: keys are the indices 0 … count - 1, each once (JSON has no key twice).
static encl_status read_names(const char *path, const cJSON *names, encl_config *config) {
    const cJSON *item;
    cJSON_ArrayForEach(item, names) {
        const int64_t index = parse_index(item->string, config->label_count);
        if (index < 0) {
            return encl_fail(ENCL_FORMAT, "%s: id2label: found key '%s', expected the numbers 0 to %zu", path,
                             item->string, config->label_count - 1);
        }
        if (!cJSON_IsString(item)) {
            return encl_fail(ENCL_FORMAT, "%s: id2label: '%s': found no text, expected a label", path, item->string);
        }
        const encl_status status = copy_text(item->valuestring, &config->labels[index]);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

// Labels without names are LABEL_0, LABEL_1, …
static encl_status number_labels(encl_config *config) {
    for (size_t i = 0; i < config->label_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "LABEL_%zu", i);
        const encl_status status = copy_text(name, &config->labels[i]);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

// As transformers does: id2label gives the labels, but a num_labels that differs from its size wins.
static encl_status read_labels(const char *path, const cJSON *json, encl_config *config) {
    encl_status status = ENCL_OK;
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(json, "id2label");
    const bool named = names != NULL && !cJSON_IsNull(names);
    if (named && !cJSON_IsObject(names)) {
        return encl_fail(ENCL_FORMAT, "%s: id2label: expected an object of index and label", path);
    }
    const int name_count = named ? cJSON_GetArraySize(names) : 2;
    if (name_count < 1 || name_count > MAX_LABELS) {
        return encl_fail(ENCL_FORMAT, "%s: id2label: found %d labels, expected 1 to %d", path, name_count, MAX_LABELS);
    }
    int64_t count = name_count;
    ENCL_TRY(encl_json_get_int(path, json, "num_labels", 1, MAX_LABELS, &count));
    ENCL_TRY(encl_allocate((size_t)count, sizeof *config->labels, (void **)&config->labels));
    config->label_count = (size_t)count;
    status = named && count == name_count ? read_names(path, names, config) : number_labels(config);
cleanup:
    return status;
}

encl_status encl_config_read(const encl_folder *folder, encl_config *config) {
    encl_status status = ENCL_OK;
    const char *name = NULL;
    char *path = NULL;
    cJSON *json = NULL;
    encl_config read = {.tied = true};
    *config = (encl_config){0};
    ENCL_TRY(find_file(folder, &name));
    ENCL_TRY(encl_folder_place(folder, name, &path));
    ENCL_TRY(encl_folder_read_json(folder, name, CONFIG_BYTES, &json));
    ENCL_TRY(require_text(path, json, "model_type", "bert"));
    ENCL_TRY(require_text(path, json, "position_embedding_type", "absolute"));
    ENCL_TRY(refuse_flag(path, json, "is_decoder"));
    ENCL_TRY(refuse_flag(path, json, "add_cross_attention"));
    ENCL_TRY(encl_json_get_bool(path, json, "tie_word_embeddings", &read.tied));
    ENCL_TRY(read_sizes(path, json, &read));
    ENCL_TRY(read_numerics(path, json, &read));
    ENCL_TRY(read_texts(path, json, &read));
    ENCL_TRY(read_labels(path, json, &read));
    *config = read;
    read = (encl_config){0};
cleanup:
    encl_config_free(&read);
    cJSON_Delete(json);
    free(path);
    return status;
}

void encl_config_free(encl_config *config) {
    for (size_t i = 0; i < config->label_count; i++) {
        free(config->labels[i]);
    }
    free(config->labels);
    free(config->architecture);
    free(config->model_type);
    free(config->dtype);
    free(config->problem_type);
    *config = (encl_config){0};
}
