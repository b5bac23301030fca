// Weights from a checkpoint's tensors.
#include <stdio.h>
#include <string.h>

#include "host/model/model.h"

const encl_tensor *encl_model_find_tensor(const encl_model *model, const char *name) {
    const encl_state_entry *entry = model->state != NULL ? encl_state_dict_find(model->state, name) : NULL;
    return entry != NULL ? &entry->tensor : NULL;
}

void encl_model_use_tensor(encl_model *model, const char *name) {
    const encl_state_entry *entry = encl_state_dict_find(model->state, name);
    if (entry != NULL) {
        encl_state_dict_use(model->state, entry);
    }
}

static encl_status read_tensor(void *context, int64_t row, int64_t count, float *destination) {
    const encl_tensor *tensor = context;
    const int64_t width = tensor->dimensions < 2 ? 1 : tensor->shape[1];
    encl_status status = encl_tensor_read(tensor, row * width, count * width, destination);
    if (status == ENCL_OK && row + count == tensor->shape[0]) {
        encl_tensor_drop(tensor);
    }
    return status;
}

// A tensor's numbers where they lie, if float32 can be read there.
static const float *values_of(const encl_tensor *tensor) {
    const bool whole = tensor->dtype == ENCL_DTYPE_F32 && encl_tensor_is_dense(tensor);
    return whole && (uintptr_t)tensor->data % _Alignof(float) == 0 ? (const float *)(const void *)tensor->data : NULL;
}

bool encl_dtype_is_float(encl_dtype dtype) {
    return dtype == ENCL_DTYPE_F32 || dtype == ENCL_DTYPE_F16 || dtype == ENCL_DTYPE_BF16 || dtype == ENCL_DTYPE_F64;
}

// ---- Messages ---------------------------------------------------------------------------------------------

static void describe_shape(const encl_tensor *tensor, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s [", encl_dtype_name(tensor->dtype));
    for (int32_t i = 0; i < tensor->dimensions && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i == 0 ? "" : ", ", (long long)tensor->shape[i]);
    }
    if (used < size) {
        snprintf(text + used, size - used, "]");
    }
}

// Makes a weight of a tensor, whose shape must be [rows, columns] of floats. Messages have the names and shapes of
// `stored`, the file's, which its owner knows; `file` is the configuration.
static encl_status make_weight(const char *path, const char *file, const encl_tensor *tensor, const encl_tensor *stored,
                               bool transposed, int64_t rows, int64_t columns, encl_weight *weight) {
    const int32_t dimensions = columns == 0 ? 1 : 2;
    if (encl_dtype_is_float(tensor->dtype) && tensor->dimensions == dimensions && tensor->shape[0] == rows &&
        (dimensions == 1 || tensor->shape[1] == columns)) {
        *weight = (encl_weight){tensor->name, rows, columns, read_tensor, (void *)(uintptr_t)tensor, values_of(tensor)};
        return ENCL_OK;
    }
    char shape[160];
    char expected[64];
    describe_shape(stored, shape, sizeof shape);
    if (columns == 0) {
        snprintf(expected, sizeof expected, "%lld", (long long)rows);
    } else {
        snprintf(expected, sizeof expected, "%lld, %lld", (long long)(transposed ? columns : rows),
                 (long long)(transposed ? rows : columns));
    }
    return encl_fail(ENCL_FORMAT, "%s: tensor %s is %s, %s makes it a float [%s]", path, stored->name, shape, file,
                     expected);
}

encl_status encl_model_weight(const char *path, const encl_tensor *tensor, int64_t rows, int64_t columns,
                              encl_weight *weight) {
    return make_weight(path, "config.json", tensor, tensor, false, rows, columns, weight);
}

static encl_status fail_missing(const encl_model *model, const char *name) {
    encl_string stored = {0};
    const encl_dialect dialect = encl_checkpoint_dialect(model->checkpoint);
    encl_status status = encl_state_stored_name(dialect, name, &stored);
    if (status == ENCL_OK && dialect == ENCL_DIALECT_TENSORFLOW) {
        status = encl_fail(ENCL_FORMAT, "%s: has no tensor %s, which %s asks for", model->path, stored.text,
                           model->config.file);
    } else if (status == ENCL_OK) {
        status = encl_fail(ENCL_FORMAT, "%s: has no tensor %s (nor bert.%s), which %s asks for", model->path,
                           stored.text, stored.text, model->config.file);
    }
    encl_string_free(&stored);
    return status;
}

// ---- Finding them -----------------------------------------------------------------------------------------

encl_status encl_model_find_weight(void *context, const char *name, int64_t rows, int64_t columns, bool optional,
                                   encl_weight *weight, bool *found) {
    encl_model *model = context;
    const encl_state_entry *entry = encl_state_dict_find(model->state, name);
    *found = entry != NULL;
    if (entry == NULL) {
        return optional ? ENCL_OK : fail_missing(model, name);
    }
    encl_status status = make_weight(model->path, model->config.file, &entry->tensor, entry->stored, entry->transposed,
                                     rows, columns, weight);
    if (status == ENCL_OK) {
        encl_state_dict_use(model->state, entry);
    }
    return status;
}

// Adds the first task to every row of token types.
static encl_status read_task_types(void *context, int64_t row, int64_t count, float *destination) {
    enum { PART = 1024 };
    const encl_task_types *both = context;
    const int64_t width = both->types->shape[1];
    float task[PART];
    encl_status status = encl_tensor_read(both->types, row * width, count * width, destination);
    for (int64_t first = 0; first < width && status == ENCL_OK; first += PART) {
        const int64_t length = width - first < PART ? width - first : PART;
        status = encl_tensor_read(both->tasks, first, length, task);
        for (int64_t i = 0; i < count && status == ENCL_OK; i++) {
            for (int64_t j = 0; j < length; j++) {
                destination[i * width + first + j] += task[j];
            }
        }
    }
    return status;
}

encl_status encl_model_collect(encl_model *model) {
    enum { TOKEN_TYPES = 2 }; // in the order of encl_bert's embeddings
    encl_status status = ENCL_OK;
    encl_weight tasks;
    bool found = false;
    ENCL_TRY(encl_bert_collect(&model->config, encl_model_find_weight, model, &model->bert));
    if (model->config.task_types > 0) {
        encl_weight *types = &model->bert.embeddings[TOKEN_TYPES];
        ENCL_TRY(encl_model_find_weight(model, "embeddings.task_type_embeddings.weight", model->config.task_types,
                                        model->config.hidden, false, &tasks, &found));
        model->task_types = (encl_task_types){types->context, tasks.context};
        types->read = read_task_types;
        types->context = &model->task_types;
        types->values = NULL;
    }
cleanup:
    return status;
}
