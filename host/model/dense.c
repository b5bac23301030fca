#include "host/model/dense.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/base/json.h"

enum { FILE_BYTES = 1 << 20 };

// Classes of torch.nn, by the last part of their names.
static const struct {
    const char *name;
    encl_activation activation;
} activations[] = {
    {"Identity", ENCL_ACTIVATION_NONE}, {"Tanh", ENCL_ACTIVATION_TANH}, {"ReLU", ENCL_ACTIVATION_RELU},
    {"GELU", ENCL_ACTIVATION_GELU},     {"SiLU", ENCL_ACTIVATION_SILU},
};

static encl_status set_activation(const char *path, const char *type, encl_dense *dense) {
    static const char package[] = "torch.nn.";
    const char *dot = strrchr(type, '.');
    for (size_t i = 0; i < sizeof activations / sizeof activations[0] && dot != NULL; i++) {
        if (encl_text_begins(type, package) && strcmp(dot + 1, activations[i].name) == 0) {
            dense->activation = activations[i].activation;
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_UNSUPPORTED,
                     "%s: activation_function: found '%s', expected Identity, Tanh, ReLU, GELU or SiLU of torch.nn",
                     path, type);
}

// The module may read and write other values than the embedding, and add what it reads: not here.
static encl_status check_flow(const char *path, const cJSON *json) {
    static const char *const keys[] = {"module_input_name", "module_output_name"};
    static const char expected[] = "sentence_embedding";
    bool residual = false;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *name = expected;
        encl_status status = encl_json_get_text(path, json, keys[i], &name);
        if (status != ENCL_OK) {
            return status;
        }
        if (strcmp(name, expected) != 0) {
            return encl_fail(ENCL_UNSUPPORTED, "%s: %s: found '%s', expected '%s'", path, keys[i], name, expected);
        }
    }
    encl_status status = encl_json_get_bool(path, json, "use_residual", &residual);
    return status == ENCL_OK && residual
               ? encl_fail(ENCL_UNSUPPORTED, "%s: use_residual: found true, expected false", path)
               : status;
}

encl_status encl_dense_read(const encl_folder *folder, const char *module, int32_t in, encl_dense *dense) {
    encl_status status = ENCL_OK;
    char *name = NULL;
    char *path = NULL;
    cJSON *json = NULL;
    int64_t features[] = {0, 0};
    const char *activation = "torch.nn.modules.activation.Tanh";
    *dense = (encl_dense){.in = in, .has_bias = true};
    ENCL_TRY(encl_copy_text(module, strlen(module), &dense->module));
    ENCL_TRY(module[0] != '\0' ? encl_path_join(module, "config.json", &name)
                               : encl_copy_text("config.json", strlen("config.json"), &name));
    ENCL_TRY(encl_folder_place(folder, name, &path));
    ENCL_TRY(encl_folder_read_json(folder, name, FILE_BYTES, &json));
    ENCL_TRY(encl_json_get_int(path, json, "in_features", 1, INT32_MAX, &features[0]));
    ENCL_TRY(encl_json_get_int(path, json, "out_features", 1, INT32_MAX, &features[1]));
    if (features[0] != in || features[1] == 0) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found in_features %lld and out_features %lld, expected %d and at least 1",
                           path, (long long)features[0], (long long)features[1], (int)in));
    }
    dense->out = (int32_t)features[1];
    ENCL_TRY(encl_json_get_bool(path, json, "bias", &dense->has_bias));
    ENCL_TRY(encl_json_get_text(path, json, "activation_function", &activation));
    ENCL_TRY(set_activation(path, activation, dense));
    ENCL_TRY(check_flow(path, json));
cleanup:
    cJSON_Delete(json);
    free(path);
    free(name);
    return status;
}

// Several modules have tensors of one name, so weights are called by their module, too.
static encl_status find_weight(const encl_dense *dense, const char *name, int64_t rows, int64_t columns,
                               char **whole_name, encl_weight *weight) {
    const encl_tensor *tensor = encl_checkpoint_find(dense->checkpoint, name);
    encl_string whole = {0};
    encl_status status = ENCL_OK;
    if (tensor == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: has no tensor %s, which config.json asks for",
                         encl_folder_path(dense->folder), name);
    }
    ENCL_TRY(encl_model_weight(encl_folder_path(dense->folder), tensor, rows, columns, weight));
    ENCL_TRY(encl_string_format(&whole, "%s/%s", dense->module, name));
    *whole_name = whole.text;
    weight->name = whole.text;
cleanup:
    return status;
}

encl_status encl_dense_open(const encl_folder *folder, encl_dense *dense) {
    static const char *const files[] = {"model.safetensors", "pytorch_model.bin"};
    encl_status status = ENCL_OK;
    if (dense->module == NULL) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_folder_open_inner(folder, dense->module, &dense->folder));
    const char *file = encl_folder_has(dense->folder, files[0]) ? files[0] : files[1];
    ENCL_TRY(encl_checkpoint_open_in(dense->folder, file, &dense->checkpoint));
    ENCL_TRY(find_weight(dense, "linear.weight", dense->out, dense->in, &dense->names[0], &dense->weight));
    if (dense->has_bias) {
        ENCL_TRY(find_weight(dense, "linear.bias", dense->out, 0, &dense->names[1], &dense->bias));
    }
cleanup:
    return status;
}

void encl_dense_free(encl_dense *dense) {
    encl_checkpoint_close(dense->checkpoint);
    encl_folder_close(dense->folder);
    free(dense->module);
    free(dense->names[0]);
    free(dense->names[1]);
    *dense = (encl_dense){0};
}

encl_status encl_dense_add(const encl_dense *dense, encl_graph *graph, encl_value *value) {
    if (dense->module == NULL) {
        return encl_graph_normalize(graph, *value, value);
    }
    encl_status status = encl_graph_linear(graph, *value, &dense->weight, dense->has_bias ? &dense->bias : NULL, value);
    if (status == ENCL_OK && dense->activation != ENCL_ACTIVATION_NONE) {
        status = encl_graph_activation(graph, *value, dense->activation, value);
    }
    return status;
}
