#include "host/model/config.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"

// Bounds are far above every published model and far below what could overflow or exhaust memory by itself.
enum { MAX_LABELS = 1 << 16, MAX_LAYERS = 1024, MAX_WIDTH = 1 << 16, MAX_ROWS = 1 << 24 };

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

// ---- What kind of model -----------------------------------------------------------------------------------

static const struct {
    const char *type;
    const char *class; // how the names of its architectures begin
} kinds[] = {{"bert", "Bert"}, {"ernie", "Ernie"}, {"roberta", "Roberta"}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

// The model type whose class an architecture is of ("BertForMaskedLM", "BertModel"); NULL: none of those that are read.
static const char *type_of(const char *architecture) {
    const char *end = strstr(architecture, "For");
    end = end != NULL ? end : strstr(architecture, "Model");
    for (size_t i = 0; i < KINDS && end != NULL; i++) {
        const size_t length = strlen(kinds[i].class);
        if ((size_t)(end - architecture) == length && strncmp(architecture, kinds[i].class, length) == 0) {
            return kinds[i].type;
        }
    }
    return NULL;
}

static const char supported[] =
    "bert, ernie, or roberta where it is BERT (a vocab.txt, 2 token types, 512 positions from 0)";

static encl_status read_kind(const char *path, const cJSON *json, encl_config *config) {
    encl_status status = ENCL_OK;
    const char *type = NULL;
    const char *architecture = "";
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "architectures");
    if (list != NULL && !cJSON_IsNull(list)) {
        if (!cJSON_IsArray(list) || (list->child != NULL && !cJSON_IsString(list->child))) {
            return encl_fail(ENCL_FORMAT, "%s: architectures: expected an array of texts", path);
        }
        architecture = list->child != NULL ? list->child->valuestring : "";
    }
    ENCL_TRY(encl_json_get_text(path, json, "model_type", &type));
    const char *class_type = architecture[0] == '\0' ? "bert" : type_of(architecture);
    if (type == NULL && class_type == NULL) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: architectures: found '%.80s', expected one of model type %s", path,
                         architecture, supported);
    }
    bool known = type == NULL;
    for (size_t i = 0; i < KINDS; i++) {
        known = known || strcmp(type, kinds[i].type) == 0;
    }
    if (!known) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: model_type: found '%.80s', expected %s", path, type, supported);
    }
    const bool is_roberta = class_type != NULL && strcmp(class_type, "roberta") == 0;
    ENCL_TRY(copy_text(is_roberta || type == NULL ? class_type : type, &config->model_type));
    status = copy_text(architecture, &config->architecture);
cleanup:
    return status;
}

// RoBERTa (Liu et al. 2019) has byte-level BPE, one token type and positions that begin behind the padding's id. Some
// that were trained with BERT's code, as hfl's, have none of that and are BERT by another name. PaddleNLP's positions
// begin at 0 for all of them; elsewhere, the number of positions tells: RoBERTa's tables have two rows more.
static encl_status check_roberta(const char *path, const cJSON *json, const encl_folder *folder, encl_config *config) {
    const bool is_paddle = cJSON_GetObjectItemCaseSensitive(json, "init_class") != NULL;
    const bool has_words = encl_folder_has(folder, "vocab.txt") && !encl_folder_has(folder, "merges.txt") &&
                           !encl_folder_has(folder, "vocab.json");
    if (!has_words || config->type_vocabulary != 2 || (config->max_position != 512 && !is_paddle)) {
        return encl_fail(ENCL_UNSUPPORTED,
                         "%s: model_type: found 'roberta' with %s, %d token types and %d positions, expected %s", path,
                         has_words ? "a vocab.txt" : "no WordPiece vocabulary", config->type_vocabulary,
                         config->max_position, supported);
    }
    encl_string note = {0};
    const encl_status status =
        encl_string_format(&note, "%s says roberta; read as BERT: its vocabulary is WordPiece's", config->file);
    free(config->note);
    config->note = note.text;
    return status;
}

// ERNIE (Sun et al. 2019) is BERT; its third version may add a learned vector that says which task it is about, and
// both libraries take task 0 unless told otherwise.
static encl_status read_tasks(const char *path, const cJSON *json, encl_config *config) {
    encl_status status = ENCL_OK;
    bool used = false;
    int64_t count = 3;
    int64_t task = 0;
    ENCL_TRY(encl_json_get_bool(path, json, "use_task_id", &used));
    ENCL_TRY(encl_json_get_int(path, json, "task_type_vocab_size", 1, MAX_WIDTH, &count));
    ENCL_TRY(encl_json_get_int(path, json, "task_id", 0, INT32_MAX, &task));
    if (used && task != 0) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: task_id: found %lld, expected 0", path, (long long)task);
    }
    config->task_types = used ? (int32_t)count : 0;
cleanup:
    return status;
}

static encl_status check_kind(const char *path, const cJSON *json, const encl_folder *folder, encl_config *config) {
    encl_status status = copy_text("", &config->note);
    if (status == ENCL_OK && strcmp(config->model_type, "roberta") == 0) {
        status = check_roberta(path, json, folder, config);
    } else if (status == ENCL_OK && strcmp(config->model_type, "ernie") == 0) {
        status = read_tasks(path, json, config);
    }
    return status;
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

// ---- Texts and labels -------------------------------------------------------------------------------------

static encl_status read_texts(const char *path, const cJSON *json, encl_config *config) {
    encl_status status = ENCL_OK;
    const char *dtype = "";
    const char *problem_type = "";
    ENCL_TRY(encl_json_get_text(path, json, "torch_dtype", &dtype));
    ENCL_TRY(encl_json_get_text(path, json, "dtype", &dtype)); // its name since transformers 4.56
    ENCL_TRY(encl_json_get_text(path, json, "problem_type", &problem_type));
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

static void free_labels(encl_config *config) {
    for (size_t i = 0; i < config->label_count; i++) {
        free(config->labels[i]);
    }
    free(config->labels);
    config->labels = NULL;
    config->label_count = 0;
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

encl_status encl_config_number_labels(encl_config *config, size_t count) {
    free_labels(config);
    encl_status status = encl_allocate(count, sizeof *config->labels, (void **)&config->labels);
    if (status == ENCL_OK) {
        config->label_count = count;
        config->labels_named = false;
        status = number_labels(config);
    }
    return status;
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
    config->labels_named = named && count == name_count;
    status = config->labels_named ? read_names(path, names, config) : number_labels(config);
cleanup:
    return status;
}

// ---- All --------------------------------------------------------------------------------------------------

encl_status encl_config_read(const encl_folder *folder, encl_config *config) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    cJSON *json = NULL;
    encl_config read = {.tied = true};
    *config = (encl_config){0};
    ENCL_TRY(encl_config_file_read(folder, &read.file, &path, &json));
    ENCL_TRY(read_kind(path, json, &read));
    ENCL_TRY(require_text(path, json, "position_embedding_type", "absolute"));
    ENCL_TRY(refuse_flag(path, json, "is_decoder"));
    ENCL_TRY(refuse_flag(path, json, "add_cross_attention"));
    ENCL_TRY(encl_json_get_bool(path, json, "tie_word_embeddings", &read.tied));
    ENCL_TRY(read_sizes(path, json, &read));
    ENCL_TRY(read_numerics(path, json, &read));
    ENCL_TRY(read_texts(path, json, &read));
    ENCL_TRY(read_labels(path, json, &read));
    ENCL_TRY(check_kind(path, json, folder, &read));
    *config = read;
    read = (encl_config){0};
cleanup:
    encl_config_free(&read);
    cJSON_Delete(json);
    free(path);
    return status;
}

void encl_config_free(encl_config *config) {
    free_labels(config);
    free(config->file);
    free(config->architecture);
    free(config->model_type);
    free(config->note);
    free(config->dtype);
    free(config->problem_type);
    *config = (encl_config){0};
}
