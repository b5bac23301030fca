// What a model says of itself.
#include <stdlib.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/base/log.h"

encl_status encl_texts_add(encl_texts *texts, const char *text) {
    encl_status status = encl_reserve((void **)&texts->texts, &texts->capacity, texts->count + 1, sizeof *texts->texts);
    if (status == ENCL_OK) {
        status = encl_copy_text(text, strlen(text), &texts->texts[texts->count]);
    }
    if (status == ENCL_OK) {
        texts->count++;
    }
    return status;
}

void encl_texts_free(encl_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->texts[i]);
    }
    free(texts->texts);
    *texts = (encl_texts){0};
}

encl_status encl_model_note(encl_model *model, const char *text) {
    encl_info("%s: %s", model->path, text);
    return encl_texts_add(&model->notes, text);
}

// ---- Heads ------------------------------------------------------------------------------------------------

// From the one that a user most likely wants of those there are.
static void list_heads(encl_model *model) {
    static const encl_head order[] = {ENCL_HEAD_QA,       ENCL_HEAD_NER,       ENCL_HEAD_MULTIPLE_CHOICE,
                                      ENCL_HEAD_CLASSIFY, ENCL_HEAD_FILL_MASK, ENCL_HEAD_NEXT_SENTENCE};
    encl_model_info *info = &model->info;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (model->heads[order[i]].width > 0) {
            model->head_names[info->head_count++] = encl_head_name(order[i]);
        }
    }
    info->head_names = model->head_names;
    info->head = info->head_count > 0 ? model->head_names[0] : "none";
}

// ---- Tensors ----------------------------------------------------------------------------------------------

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

static encl_status add_missing(void *context, const char *name) {
    return encl_texts_add(context, name);
}

// Sorts the tensors into those that are read, those that are no weights, and the rest.
static encl_status count_tensors(encl_model *model) {
    encl_status status = ENCL_OK;
    encl_model_info *info = &model->info;
    info->tensors = encl_state_dict_count(model->state);
    for (size_t i = 0; i < info->tensors; i++) {
        const encl_state_entry *entry = encl_state_dict_at(model->state, i);
        info->bytes += (int64_t)entry->stored->bytes;
        if (entry->ignored) {
            info->ignored++;
            continue;
        }
        info->parameters += encl_dtype_is_float(entry->stored->dtype) ? entry->stored->elements : 0;
        if (!entry->used) {
            ENCL_TRY(encl_texts_add(&model->unused, entry->stored->name));
        }
    }
    ENCL_TRY(encl_head_list_missing(model, add_missing, &model->missing));
    info->missing = (const char *const *)model->missing.texts;
    info->missing_count = model->missing.count;
    info->unused = (const char *const *)model->unused.texts;
    info->unused_count = model->unused.count;
cleanup:
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

// ---- All --------------------------------------------------------------------------------------------------

static void fill_settings(encl_model *model) {
    encl_model_info *info = &model->info;
    const encl_config *c = &model->config;
    info->path = model->path;
    info->architecture = c->architecture;
    info->model_type = c->model_type;
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

static encl_status note_archive(encl_model *model) {
    const encl_folder *folder = encl_checkpoint_folder(model->checkpoint);
    const uint64_t inflated = encl_folder_inflated_bytes(folder);
    if (!encl_folder_is_archive(folder) || encl_checkpoint_packed(model->checkpoint) != NULL) {
        return ENCL_OK;
    }
    encl_string note = {0};
    encl_status status =
        inflated == 0 ? encl_string_format(&note, "zip, stored: weights are read where they lie")
                      : encl_string_format(&note, "zip, compressed: %.1f MiB of weights were inflated into memory",
                                           (double)inflated / (1 << 20));
    if (status == ENCL_OK) {
        status = encl_model_note(model, note.text);
    }
    encl_string_free(&note);
    return status;
}

// Word tables are padded by a few rows. A vocabulary that lacks many is another model's or was cut off, and every word
// then gets another word's row, or none.
static encl_status note_vocabulary(encl_model *model) {
    const int32_t tokens = encl_tokenizer_get_info(model->tokenizer)->vocabulary;
    const int32_t rows = model->config.vocabulary;
    encl_string note = {0};
    if (tokens >= rows - rows / 10) {
        return ENCL_OK;
    }
    encl_status status = encl_string_format(&note,
                                            "the tokenizer has %d tokens and the model rows for %d words: the "
                                            "vocabulary may be another model's",
                                            (int)tokens, (int)rows);
    if (status == ENCL_OK) {
        encl_warn("%s: %s", model->path, note.text);
        status = encl_texts_add(&model->notes, note.text);
    }
    encl_string_free(&note);
    return status;
}

static void fill_packed(encl_model *model) {
    const encl_packed *packed = encl_checkpoint_packed(model->checkpoint);
    if (packed != NULL) {
        model->packed = (encl_packed_info){.device = packed->device,
                                           .products = packed->provider,
                                           .precision = packed->precision,
                                           .exact_layers = packed->exact_layers,
                                           .exact_layer_count = packed->exact_layer_count,
                                           .weights = packed->count,
                                           .bytes = packed->bytes,
                                           .source = packed->source,
                                           .version = packed->version};
        model->info.packed = &model->packed;
        model->info.bytes = (int64_t)packed->bytes;
    }
}

static encl_status add_notes(encl_model *model) {
    encl_status status = ENCL_OK;
    ENCL_TRY(note_archive(model));
    ENCL_TRY(note_vocabulary(model));
    if (model->config.note[0] != '\0') {
        ENCL_TRY(encl_model_note(model, model->config.note));
    }
    if (encl_tokenizer_get_info(model->tokenizer)->cased_by_vocabulary) {
        ENCL_TRY(encl_texts_add(&model->notes, "no file says whether texts are lowercased; they are not, as the "
                                               "vocabulary has upper-case words")); // the tokenizer logged it
    }
    if (model->info.mlm_untrained) {
        ENCL_TRY(encl_model_note(model, "the masked-language-model head is untrained: what it predicts is noise"));
    }
cleanup:
    return status;
}

encl_status encl_model_fill_info(encl_model *model) {
    encl_status status = ENCL_OK;
    encl_model_info *info = &model->info;
    fill_settings(model);
    list_heads(model);
    if (model->checkpoint == NULL) {
        info->format = "random";
        info->file = "";
        info->dtype = "F32";
        info->parameters = count_parameters(&model->bert, model->config.layers);
        return ENCL_OK;
    }
    info->format = encl_checkpoint_format(model->checkpoint);
    info->file = encl_checkpoint_file(model->checkpoint);
    info->dtype = find_dtype(model);
    info->lowercase = encl_tokenizer_get_info(model->tokenizer)->lowercase;
    if (model->heads[ENCL_HEAD_CLASSIFY].width == 0 && model->heads[ENCL_HEAD_NER].width == 0) {
        info->label_count = 0; // the configuration's names, or their defaults, are of no head
    }
    ENCL_TRY(count_tensors(model));
    fill_packed(model);
    ENCL_TRY(encl_head_is_untrained(model, &info->mlm_untrained));
    ENCL_TRY(add_notes(model));
    info->notes = (const char *const *)model->notes.texts;
    info->note_count = model->notes.count;
cleanup:
    return status;
}
