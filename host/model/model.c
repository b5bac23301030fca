#include "host/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Weights from a checkpoint ----------------------------------------------------------------------------

// Old checkpoints call a LayerNorm's gain and shift gamma and beta.
static bool old_name(const char *name, char *old, size_t size) {
    static const char gain[] = "LayerNorm.weight";
    static const char shift[] = "LayerNorm.bias";
    const size_t length = strlen(name);
    const char *last = NULL;
    size_t cut = 0;
    if (length > strlen(gain) && strcmp(name + length - strlen(gain), gain) == 0) {
        last = "gamma";
        cut = strlen("weight");
    } else if (length > strlen(shift) && strcmp(name + length - strlen(shift), shift) == 0) {
        last = "beta";
        cut = strlen("bias");
    } else {
        return false;
    }
    snprintf(old, size, "%.*s%s", (int)(length - cut), name, last);
    return true;
}

static const encl_tensor *find_tensor(const encl_checkpoint *checkpoint, const char *name) {
    static const char *const prefixes[] = {"bert.", ""};
    char old[160];
    const char *const names[] = {name, old_name(name, old, sizeof old) ? old : NULL};
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2 && names[j] != NULL; j++) {
            char whole[192];
            snprintf(whole, sizeof whole, "%s%s", prefixes[i], names[j]);
            const encl_tensor *tensor = encl_checkpoint_find(checkpoint, whole);
            if (tensor != NULL) {
                return tensor;
            }
        }
    }
    return NULL;
}

const encl_tensor *encl_model_find_tensor(const encl_model *model, const char *name) {
    return find_tensor(model->checkpoint, name);
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

static void describe_shape(const encl_tensor *tensor, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s [", encl_dtype_name(tensor->dtype));
    for (int32_t i = 0; i < tensor->dimensions && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i == 0 ? "" : ", ", (long long)tensor->shape[i]);
    }
    if (used < size) {
        snprintf(text + used, size - used, "]");
    }
}

static bool is_float(encl_dtype dtype) {
    return dtype == ENCL_DTYPE_F32 || dtype == ENCL_DTYPE_F16 || dtype == ENCL_DTYPE_BF16 || dtype == ENCL_DTYPE_F64;
}

encl_status encl_model_weight(const char *path, const encl_tensor *tensor, int64_t rows, int64_t columns,
                              encl_weight *weight) {
    const int32_t dimensions = columns == 0 ? 1 : 2;
    if (!is_float(tensor->dtype) || tensor->dimensions != dimensions || tensor->shape[0] != rows ||
        (dimensions == 2 && tensor->shape[1] != columns)) {
        char shape[160];
        describe_shape(tensor, shape, sizeof shape);
        return columns == 0 ? encl_fail(ENCL_FORMAT, "%s: tensor %s is %s, config.json makes it a float [%lld]", path,
                                        tensor->name, shape, (long long)rows)
                            : encl_fail(ENCL_FORMAT, "%s: tensor %s is %s, config.json makes it a float [%lld, %lld]",
                                        path, tensor->name, shape, (long long)rows, (long long)columns);
    }
    *weight = (encl_weight){tensor->name, rows, columns, read_tensor, (void *)(uintptr_t)tensor};
    return ENCL_OK;
}

encl_status encl_model_find_weight(void *context, const char *name, int64_t rows, int64_t columns, bool optional,
                                   encl_weight *weight, bool *found) {
    const encl_model *model = context;
    const encl_tensor *tensor = find_tensor(model->checkpoint, name);
    *found = tensor != NULL;
    if (tensor == NULL) {
        return optional ? ENCL_OK
                        : encl_fail(ENCL_FORMAT, "%s: has no tensor %s (nor bert.%s), which config.json asks for",
                                    model->path, name, name);
    }
    return encl_model_weight(model->path, tensor, rows, columns, weight);
}

// ---- Information ------------------------------------------------------------------------------------------

// The head that a user most likely wants of those there are, "none" without one.
static const char *find_head(const encl_model *model) {
    static const encl_head order[] = {ENCL_HEAD_QA,       ENCL_HEAD_NER,       ENCL_HEAD_MULTIPLE_CHOICE,
                                      ENCL_HEAD_CLASSIFY, ENCL_HEAD_FILL_MASK, ENCL_HEAD_NEXT_SENTENCE};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (model->heads[order[i]].width > 0) {
            return encl_head_name(order[i]);
        }
    }
    return "none";
}

static const char *find_dtype(const encl_model *model) {
    const encl_tensor *word = model->bert.embeddings[0].context;
    for (int32_t layer = 0; layer < model->config.layers; layer++) {
        for (size_t i = 0; i < ENCL_BERT_LAYER_WEIGHTS; i++) {
            const encl_tensor *tensor = model->bert.layers[layer][i].context;
            if (tensor->dtype != word->dtype) {
                return "mixed";
            }
        }
    }
    return encl_dtype_name(word->dtype);
}

static void fill_info(encl_model *model) {
    encl_model_info *info = &model->info;
    const encl_config *c = &model->config;
    info->path = model->path;
    info->architecture = c->architecture == NULL ? "BertModel" : c->architecture;
    info->model_type = c->model_type == NULL ? "bert" : c->model_type;
    info->layers = c->layers;
    info->hidden = c->hidden;
    info->heads = c->heads;
    info->intermediate = c->intermediate;
    info->vocabulary = c->vocabulary;
    info->max_position = c->max_position;
    info->type_vocabulary = c->type_vocabulary;
    info->labels = (const char *const *)c->labels;
    info->label_count = c->label_count;
    info->pooler = model->bert.has_pooler;
    info->pooling = model->sentence.pooling;
    info->pooling_count = model->sentence.pooling_count;
    info->normalize = model->sentence.normalize;
    info->prompt_names = (const char *const *)model->sentence.prompt_names;
    info->prompts = (const char *const *)model->sentence.prompts;
    info->prompt_count = model->sentence.prompt_count;
    info->default_prompt = model->sentence.default_prompt;
    info->max_length = c->max_position;
    if (model->sentence.max_sequence > 0) {
        info->max_length = model->sentence.max_sequence;
    } else if (model->tokenizer != NULL) {
        const int64_t most = encl_tokenizer_get_info(model->tokenizer)->model_max_length;
        info->max_length = most > 0 && most < info->max_length ? most : info->max_length;
    }
}

// ---- Opening ----------------------------------------------------------------------------------------------

static encl_status open_files(encl_model *model) {
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_checkpoint_open(model->path, &model->checkpoint));
    const encl_folder *folder = encl_checkpoint_folder(model->checkpoint);
    ENCL_TRY(encl_config_read(folder, &model->config));
    ENCL_TRY(encl_sentence_config_read(folder, &model->config, &model->sentence));
    ENCL_TRY(encl_tokenizer_open_in(folder, &model->tokenizer));
    const encl_tokenizer_info *text = encl_tokenizer_get_info(model->tokenizer);
    if (text->vocabulary > model->config.vocabulary) {
        status = encl_fail(ENCL_FORMAT, "%s: the tokenizer has %d tokens, config.json's vocab_size is %d", model->path,
                           (int)text->vocabulary, (int)model->config.vocabulary);
        goto cleanup;
    }
    if (model->sentence.lower_case && !text->lowercase) {
        status = encl_fail(ENCL_UNSUPPORTED,
                           "%s: sentence_bert_config.json lowercases texts that a cased tokenizer reads", model->path);
        goto cleanup;
    }
    ENCL_TRY(encl_bert_collect(&model->config, encl_model_find_weight, model, &model->bert));
    ENCL_TRY(encl_head_collect(model));
    for (size_t i = 0; i < model->sentence.dense_count; i++) {
        ENCL_TRY(encl_dense_open(folder, &model->sentence.dense[i]));
    }
cleanup:
    return status;
}

encl_status encl_model_open(const char *path, encl_model **model) {
    encl_status status = ENCL_OK;
    encl_model *made = NULL;
    *model = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *made, (void **)&made));
    ENCL_TRY(encl_copy_text(path, strlen(path), &made->path));
    ENCL_TRY(open_files(made));
    fill_info(made);
    made->info.format = encl_checkpoint_format(made->checkpoint);
    made->info.dtype = find_dtype(made);
    made->info.head = find_head(made);
    if (strcmp(made->info.head, "none") == 0) {
        made->info.label_count = 0; // config.json's default names are of no head
    }
    for (size_t i = 0; i < encl_checkpoint_count(made->checkpoint); i++) {
        const encl_tensor *tensor = encl_checkpoint_at(made->checkpoint, i);
        made->info.parameters += is_float(tensor->dtype) ? tensor->elements : 0; // position_ids are none
    }
    *model = made;
    made = NULL;
cleanup:
    encl_model_close(made);
    return status;
}

static int64_t count_parameters(const encl_bert *bert, int32_t layers) {
    int64_t count = 0;
#define ELEMENTS(weight) ((weight).rows * ((weight).columns == 0 ? 1 : (weight).columns))
    for (size_t i = 0; i < ENCL_BERT_EMBEDDING_WEIGHTS; i++) {
        count += ELEMENTS(bert->embeddings[i]);
    }
    for (int32_t layer = 0; layer < layers; layer++) {
        for (size_t i = 0; i < ENCL_BERT_LAYER_WEIGHTS; i++) {
            count += ELEMENTS(bert->layers[layer][i]);
        }
    }
    for (size_t i = 0; i < ENCL_BERT_POOLER_WEIGHTS; i++) {
        count += ELEMENTS(bert->pooler[i]);
    }
#undef ELEMENTS
    return count;
}

encl_status encl_model_open_shape(const char *shape, uint64_t seed, encl_model **model) {
    encl_status status = ENCL_OK;
    encl_model *made = NULL;
    *model = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *made, (void **)&made));
    ENCL_TRY(encl_copy_text(shape, strlen(shape), &made->path));
    ENCL_TRY(encl_model_randomize(made, shape, seed));
    made->sentence.pooling[0] = ENCL_POOLING_MEAN;
    made->sentence.pooling_count = 1;
    made->sentence.width = made->config.hidden;
    made->sentence.normalize = true;
    fill_info(made);
    made->info.format = "random";
    made->info.dtype = "F32";
    made->info.head = "none";
    made->info.parameters = count_parameters(&made->bert, made->config.layers);
    *model = made;
    made = NULL;
cleanup:
    encl_model_close(made);
    return status;
}

void encl_model_close(encl_model *model) {
    if (model == NULL) {
        return;
    }
    encl_bert_free(&model->bert);
    encl_tokenizer_close(model->tokenizer);
    encl_sentence_config_free(&model->sentence); // its Dense modules lie in the checkpoint's folder
    encl_checkpoint_close(model->checkpoint);
    encl_config_free(&model->config);
    free(model->random);
    free(model->path);
    free(model);
}

const encl_model_info *encl_model_get_info(const encl_model *model) {
    return &model->info;
}

const encl_tokenizer *encl_model_tokenizer(const encl_model *model) {
    return model->tokenizer;
}
