#include "host/model/export.h"

#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/write_safetensors.h"

static const char word_table[] = "embeddings.word_embeddings.weight";
static const char mlm_bias[] = "cls.predictions.bias";
static const char mlm_decoder[] = "cls.predictions.decoder.weight";
static const char mlm_decoder_bias[] = "cls.predictions.decoder.bias";

// ---- The architecture -------------------------------------------------------------------------------------

static bool has(const encl_model *model, encl_head head) {
    return model->heads[head].width > 0;
}

// What follows the class in a name: "ForMaskedLM".
static const char *use_of_heads(const encl_model *model) {
    if (has(model, ENCL_HEAD_QA)) {
        return "ForQuestionAnswering";
    }
    // A classifier of which nothing says whether it is of texts or of words: Google's is of texts.
    if (has(model, ENCL_HEAD_CLASSIFY)) {
        return "ForSequenceClassification";
    }
    if (has(model, ENCL_HEAD_NER)) {
        return "ForTokenClassification";
    }
    if (has(model, ENCL_HEAD_FILL_MASK)) {
        return has(model, ENCL_HEAD_NEXT_SENTENCE) ? "ForPreTraining" : "ForMaskedLM";
    }
    return has(model, ENCL_HEAD_NEXT_SENTENCE) ? "ForNextSentencePrediction" : "Model";
}

encl_status encl_export_architecture(const encl_model *model, char **architecture) {
    const char *class = strcmp(model->config.model_type, "ernie") == 0 ? "Ernie" : "Bert";
    const char *named = model->config.architecture;
    const char *use = strstr(named, "For");
    use = use != NULL ? use : strstr(named, "Model");
    use = use != NULL ? use : use_of_heads(model);
    use = strcmp(use, "ForPretraining") == 0 ? "ForPreTraining" : use; // PaddleNLP's spelling
    encl_string text = {0};
    const encl_status status = encl_string_format(&text, "%s%s", class, use);
    *architecture = text.text;
    return status;
}

// ---- Tensors ----------------------------------------------------------------------------------------------

// The tensors of the file. Names are owned.
typedef struct tensor_list {
    encl_named_tensor *rows;
    size_t count;
    encl_texts names;
} tensor_list;

// Whether both have the same bits.
static encl_status is_same(const encl_tensor *a, const encl_tensor *b, bool *same) {
    enum { PART = 2048 };
    uint64_t left[PART];
    uint64_t right[PART];
    const int64_t most = (int64_t)(sizeof left / encl_dtype_bytes(a->dtype));
    *same = a->dtype == b->dtype && a->dimensions == b->dimensions && a->elements == b->elements &&
            memcmp(a->shape, b->shape, (size_t)a->dimensions * sizeof a->shape[0]) == 0;
    if (*same && a->data == b->data && memcmp(a->strides, b->strides, sizeof a->strides) == 0) {
        return ENCL_OK;
    }
    encl_status status = ENCL_OK;
    for (int64_t first = 0; *same && first < a->elements; first += most) {
        const int64_t count = a->elements - first < most ? a->elements - first : most;
        ENCL_TRY(encl_tensor_copy(a, first, count, left));
        ENCL_TRY(encl_tensor_copy(b, first, count, right));
        *same = memcmp(left, right, (size_t)count * encl_dtype_bytes(a->dtype)) == 0;
    }
    encl_tensor_drop(a);
    encl_tensor_drop(b);
cleanup:
    return status;
}

// A tensor that transformers makes of another unless it is stored too.
static encl_status is_tied(const encl_model *model, const encl_state_entry *entry, bool *tied) {
    static const struct {
        const char *name;
        const char *source;
    } rows[] = {{mlm_decoder, word_table}, {mlm_decoder_bias, mlm_bias}};
    *tied = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const encl_tensor *source = encl_model_find_tensor(model, rows[i].source);
        if (strcmp(entry->name, rows[i].name) == 0 && source != NULL) {
            return is_same(&entry->tensor, source, tied);
        }
    }
    return ENCL_OK;
}

// The name in the file: encoders carry their class's prefix where there is a head; BertModel saves none.
static encl_status add_tensor(const encl_model *model, const char *prefix, const encl_state_entry *entry,
                              tensor_list *list) {
    const char *name = entry->name;
    encl_string whole = {0};
    if (strcmp(name, mlm_decoder_bias) == 0 && encl_model_find_tensor(model, mlm_bias) == NULL) {
        name = mlm_bias; // the one that transformers asks for
    }
    encl_status status = entry->used
                             ? encl_string_format(&whole, "%s%s", encl_state_is_encoder(name) ? prefix : "", name)
                             : encl_string_format(&whole, "%s", entry->stored->name);
    if (status == ENCL_OK) {
        status = encl_texts_add(&list->names, whole.text);
    }
    if (status == ENCL_OK) {
        list->rows[list->count++] = (encl_named_tensor){list->names.texts[list->names.count - 1], &entry->tensor};
    }
    encl_string_free(&whole);
    return status;
}

static encl_status list_tensors(const encl_model *model, const char *prefix, tensor_list *list, encl_texts *left_out) {
    encl_status status = ENCL_OK;
    const size_t count = encl_state_dict_count(model->state);
    const bool named = encl_checkpoint_dialect(model->checkpoint) == ENCL_DIALECT_TORCH;
    ENCL_TRY(encl_allocate(count, sizeof *list->rows, (void **)&list->rows));
    for (size_t i = 0; i < count; i++) {
        const encl_state_entry *entry = encl_state_dict_at(model->state, i);
        bool tied = false;
        if (entry->ignored) {
            continue;
        }
        if (!entry->used && !named) {
            ENCL_TRY(encl_texts_add(left_out, entry->stored->name));
            continue;
        }
        ENCL_TRY(is_tied(model, entry, &tied));
        if (!tied) {
            ENCL_TRY(add_tensor(model, prefix, entry, list));
        }
    }
cleanup:
    return status;
}

static encl_status write_tensors(const encl_model *model, const char *folder, encl_status (*proceed)(void),
                                 encl_export *report) {
    static const char name[] = "model.safetensors";
    encl_status status = ENCL_OK;
    tensor_list list = {0};
    char *path = NULL;
    const char *prefix = strstr(report->architecture, "For") == NULL       ? ""
                         : encl_text_begins(report->architecture, "Ernie") ? "ernie."
                                                                           : "bert.";
    ENCL_TRY(list_tensors(model, prefix, &list, &report->left_out));
    ENCL_TRY(encl_path_join(folder, name, &path));
    ENCL_TRY(encl_safetensors_write(path, list.rows, list.count, proceed, &report->bytes));
    report->tensors = list.count;
    status = encl_texts_add(&report->files, name);
cleanup:
    free(path);
    free(list.rows);
    encl_texts_free(&list.names);
    return status;
}

// ---- Other files ------------------------------------------------------------------------------------------

static encl_status write_file(const char *folder, const char *name, const void *bytes, size_t length,
                              encl_export *report) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    char *parent = NULL;
    ENCL_TRY(encl_path_join(folder, name, &path));
    if (strchr(name, '/') != NULL) {
        ENCL_TRY(encl_path_folder(path, &parent));
        ENCL_TRY(encl_path_make_folder(parent));
    }
    ENCL_TRY(encl_file_write(path, bytes, length));
    status = encl_texts_add(&report->files, name);
cleanup:
    free(parent);
    free(path);
    return status;
}

// Takes the text.
static encl_status write_text(encl_status made, const char *folder, const char *name, char *text, encl_export *report) {
    const encl_status status = made == ENCL_OK ? write_file(folder, name, text, strlen(text), report) : made;
    free(text);
    return status;
}

// Copies a file of the model's, if it is there.
static encl_status copy_file(const encl_model *model, const char *folder, const char *name, encl_export *report) {
    const encl_folder *source = encl_checkpoint_folder(model->checkpoint);
    encl_file file = {0};
    if (!encl_folder_has(source, name)) {
        return ENCL_OK;
    }
    encl_status status = encl_folder_map(source, name, &file);
    if (status == ENCL_OK) {
        status = write_file(folder, name, file.data, file.size, report);
    }
    encl_file_unmap(&file);
    return status;
}

// A vocab.txt of "token\tid" lines, as ERNIE's are, is none that transformers reads: then a token a line.
static encl_status write_vocabulary(const encl_model *model, const char *folder, encl_export *report) {
    static const char name[] = "vocab.txt";
    const encl_folder *source = encl_checkpoint_folder(model->checkpoint);
    encl_status status = ENCL_OK;
    encl_file file = {0};
    encl_string lines = {0};
    if (!encl_folder_has(source, name)) {
        return ENCL_OK; // a tokenizer.json is
    }
    ENCL_TRY(encl_folder_map(source, name, &file));
    if (memchr(file.data, '\t', file.size) == NULL) {
        status = write_file(folder, name, file.data, file.size, report);
        goto cleanup;
    }
    for (int32_t id = 0; id < encl_tokenizer_get_info(model->tokenizer)->vocabulary; id++) {
        const char *token = encl_tokenizer_token(model->tokenizer, id);
        ENCL_TRY(encl_string_format(&lines, "%s\n", token != NULL ? token : ""));
    }
    status = write_file(folder, name, lines.text, lines.length, report);
cleanup:
    encl_string_free(&lines);
    encl_file_unmap(&file);
    return status;
}

static encl_status copy_tokenizer(const encl_model *model, const char *folder, encl_export *report) {
    static const char *const names[] = {"tokenizer.json", "special_tokens_map.json", "added_tokens.json"};
    encl_status status = ENCL_OK;
    char *text = NULL;
    ENCL_TRY(write_vocabulary(model, folder, report));
    status = encl_export_tokenizer_config(model, &text);
    ENCL_TRY(write_text(status, folder, "tokenizer_config.json", text, report));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ENCL_TRY(copy_file(model, folder, names[i], report));
    }
cleanup:
    return status;
}

// ---- sentence-transformers --------------------------------------------------------------------------------

static encl_status copy_sentence(const encl_model *model, const char *folder, encl_export *report) {
    encl_status status = ENCL_OK;
    encl_texts names = {0};
    if (model->sentence.found && model->sentence.transformer[0] != '\0') {
        return encl_fail(ENCL_UNSUPPORTED,
                         "%s: modules.json: found the transformer in '%s', expected it beside the file", model->path,
                         model->sentence.transformer);
    }
    ENCL_TRY(encl_model_list_sentence_files(model, &names));
    for (size_t i = 0; i < names.count; i++) {
        ENCL_TRY(copy_file(model, folder, names.texts[i], report));
    }
cleanup:
    encl_texts_free(&names);
    return status;
}

// ---- All --------------------------------------------------------------------------------------------------

encl_status encl_model_export(const encl_model *model, const char *folder, encl_status (*proceed)(void),
                              encl_export *report) {
    encl_status status = ENCL_OK;
    encl_export made = {0};
    char *text = NULL;
    *report = made;
    if (encl_checkpoint_packed(model->checkpoint) != NULL) {
        return encl_fail(ENCL_UNSUPPORTED,
                         "%s: found a packed model, whose weights are in the layout of a device, expected the "
                         "checkpoint that it was packed from",
                         model->path);
    }
    ENCL_TRY(encl_export_architecture(model, &made.architecture));
    status = encl_export_config(model, made.architecture, &text);
    ENCL_TRY(write_text(status, folder, "config.json", text, &made));
    ENCL_TRY(write_tensors(model, folder, proceed, &made));
    ENCL_TRY(copy_tokenizer(model, folder, &made));
    ENCL_TRY(copy_sentence(model, folder, &made));
    *report = made;
    made = (encl_export){0};
cleanup:
    encl_export_free(&made);
    return status;
}

void encl_export_free(encl_export *report) {
    free(report->architecture);
    encl_texts_free(&report->files);
    encl_texts_free(&report->left_out);
    *report = (encl_export){0};
}
