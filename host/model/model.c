#include "host/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Graphs -----------------------------------------------------------------------------------------------

// Gives a weight of a packed model.
static encl_status find_packed(void *context, const char *key, const void **data, uint64_t *bytes) {
    const encl_model *model = context;
    const encl_packed *packed = encl_checkpoint_packed(model->checkpoint);
    const encl_packed_weight *weight = encl_packed_find(packed, key);
    if (weight == NULL) {
        return encl_fail(ENCL_UNSUPPORTED,
                         "%s: found no weight '%s'; it was packed on %s for products by %s in %s: pack the model for "
                         "this device, or use its checkpoint",
                         model->path, key, packed->device, packed->provider, encl_precision_name(packed->precision));
    }
    *data = weight->data;
    *bytes = weight->bytes;
    return ENCL_OK;
}

encl_status encl_model_encode(const encl_model *model, encl_graph **graph, encl_value *hidden) {
    encl_status status = ENCL_OK;
    encl_graph *made = NULL;
    const encl_packed *packed = model->checkpoint != NULL ? encl_checkpoint_packed(model->checkpoint) : NULL;
    *graph = NULL;
    ENCL_TRY(encl_graph_create(&made));
    if (packed != NULL) {
        encl_graph_use_store(made, &(encl_weight_store){.find = find_packed,
                                                        .context = (void *)(uintptr_t)model,
                                                        .precision = packed->precision,
                                                        .exact_layers = packed->exact_layers,
                                                        .exact_layer_count = packed->exact_layer_count});
    }
    ENCL_TRY(encl_bert_encode(&model->bert, &model->config, made, hidden));
    *graph = made;
    made = NULL;
cleanup:
    encl_graph_destroy(made);
    return status;
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
    ENCL_TRY(encl_state_dict_create(model->path, model->checkpoint, model->config.architecture, &model->state));
    ENCL_TRY(encl_model_collect(model));
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
    ENCL_TRY(encl_model_fill_info(made));
    *model = made;
    made = NULL;
cleanup:
    encl_model_close(made);
    return status;
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
    ENCL_TRY(encl_model_fill_info(made));
    *model = made;
    made = NULL;
cleanup:
    encl_model_close(made);
    return status;
}

encl_status encl_model_verify(const encl_model *model, encl_status (*proceed)(void), size_t *checked) {
    encl_status status = ENCL_OK;
    size_t files = 0;
    *checked = 0;
    if (model->checkpoint == NULL) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_folder_verify(encl_checkpoint_folder(model->checkpoint), proceed, &files));
    for (size_t i = 0; i < encl_checkpoint_count(model->checkpoint); i++) {
        const encl_tensor *tensor = encl_checkpoint_at(model->checkpoint, i);
        if (tensor->verify != NULL) {
            ENCL_TRY(tensor->verify(tensor));
            encl_tensor_drop(tensor);
            files++;
        }
        ENCL_TRY(proceed != NULL ? proceed() : ENCL_OK);
    }
    *checked = files;
cleanup:
    return status;
}

void encl_model_close(encl_model *model) {
    if (model == NULL) {
        return;
    }
    encl_bert_free(&model->bert);
    encl_tokenizer_close(model->tokenizer);
    encl_sentence_config_free(&model->sentence); // its Dense modules lie in the checkpoint's folder
    encl_state_dict_free(model->state);
    encl_checkpoint_close(model->checkpoint);
    encl_config_free(&model->config);
    encl_texts_free(&model->missing);
    encl_texts_free(&model->unused);
    encl_texts_free(&model->notes);
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
