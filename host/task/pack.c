// A packed model: one zip of the model's own files, its weights as they lie on a device, and a list of both.
#include <stdlib.h>
#include <string.h>

#include "host/model/model.h"
#include "runtime/base/archive_write.h"

enum { CHUNK_BYTES = 8 << 20 };

typedef struct packing {
    const encl_model *model;
    const encl_device *device;
    const encl_executable_options *options;
    encl_status (*proceed)(void);
    encl_archive_writer *archive;
    encl_packed packed;
    uint8_t *chunk;                  // [CHUNK_BYTES]
    encl_executable_info executable; // of the first graph
} packing;

static encl_status ask(const packing *p) {
    return p->proceed != NULL ? p->proceed() : ENCL_OK;
}

// ---- Weights ----------------------------------------------------------------------------------------------

static bool is_listed(const packing *p, const char *key) {
    for (size_t i = 0; i < p->packed.count; i++) {
        if (strcmp(p->packed.weights[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static encl_status add_weight(packing *p, const encl_executable *executable, size_t index) {
    encl_status status = ENCL_OK;
    encl_string name = {0};
    const char *key = encl_executable_weight_key(executable, index);
    const uint64_t bytes = encl_executable_weight_bytes(executable, index);
    if (is_listed(p, key)) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_string_format(&name, "weights/%04zu", p->packed.count));
    ENCL_TRY(encl_packed_add(&p->packed, key, name.text, bytes));
    ENCL_TRY(encl_archive_begin(p->archive, name.text));
    for (uint64_t done = 0; done < bytes;) {
        const uint64_t count = bytes - done < CHUNK_BYTES ? bytes - done : CHUNK_BYTES;
        ENCL_TRY(ask(p));
        ENCL_TRY(encl_executable_weight_read(executable, index, done, count, p->chunk));
        ENCL_TRY(encl_archive_append(p->archive, p->chunk, (size_t)count));
        done += count;
    }
cleanup:
    encl_string_free(&name);
    return status;
}

// Compiles the graph, which checks that all of its weights are finite, and adds those that are not there yet.
static encl_status add_graph(packing *p, const encl_graph *graph) {
    encl_status status = ENCL_OK;
    encl_executable *executable = NULL;
    encl_executable_options options = *p->options;
    const int32_t longest = (int32_t)encl_model_get_info(p->model)->max_position;
    options.capacity = (encl_capacity){.tokens = longest, .sequences = 1, .selected = 1}; // it runs nothing
    options.depth = 1;
    ENCL_TRY(ask(p));
    ENCL_TRY(encl_executable_create(p->device, graph, &options, &executable));
    const encl_executable_info *info = encl_executable_get_info(executable);
    if (p->packed.provider == NULL) {
        p->executable = *info;
        ENCL_TRY(encl_copy_text(info->gemm, strlen(info->gemm), &p->packed.provider));
    }
    for (size_t i = 0; i < encl_executable_weight_count(executable); i++) {
        ENCL_TRY(add_weight(p, executable, i));
    }
cleanup:
    encl_executable_destroy(executable);
    return status;
}

static encl_status add_embedding(packing *p, const encl_embed_options *options) {
    encl_graph *graph = NULL;
    encl_status status = encl_model_embed_graph(p->model, options, &graph);
    if (status == ENCL_OK) {
        status = add_graph(p, graph);
    }
    encl_graph_destroy(graph);
    return status;
}

static encl_status add_head(packing *p, encl_head head) {
    encl_graph *graph = NULL;
    encl_status status = encl_head_graph(p->model, head, &graph);
    if (status == ENCL_OK) {
        status = add_graph(p, graph);
    }
    encl_graph_destroy(graph);
    return status;
}

// The weights of all graphs that commands make of the model. Which weights stand together on a device depends on the
// rows that are needed: where only first tokens are, the last layer's queries are a product of their own.
static encl_status add_weights(packing *p) {
    static const encl_pooling first = ENCL_POOLING_CLS;
    static const encl_pooling pooler = ENCL_POOLING_POOLER;
    const encl_sentence_config *sentence = &p->model->sentence;
    // Dense modules take what the model's own pooling gives: another may be of no use to them.
    const bool free_choice = sentence->dense_count == 0 || sentence->pooling_count == 1;
    const struct {
        bool made;
        encl_embed_options options;
    } embeddings[] = {
        {true, {.pooling_count = 0}},
        {true, {.tokens = true}},
        {free_choice, {.pooling = &first, .pooling_count = 1}},
        {free_choice && p->model->bert.has_pooler, {.pooling = &pooler, .pooling_count = 1}},
    };
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < sizeof embeddings / sizeof embeddings[0]; i++) {
        ENCL_TRY(embeddings[i].made ? add_embedding(p, &embeddings[i].options) : ENCL_OK);
    }
    for (int head = 0; head < ENCL_HEADS; head++) {
        ENCL_TRY(encl_head_width(p->model, (encl_head)head) > 0 ? add_head(p, (encl_head)head) : ENCL_OK);
    }
cleanup:
    return status;
}

// ---- Other files ------------------------------------------------------------------------------------------

static encl_status add_files(packing *p) {
    const encl_folder *folder = encl_checkpoint_folder(p->model->checkpoint);
    encl_status status = ENCL_OK;
    encl_texts names = {0};
    encl_file file = {0};
    ENCL_TRY(encl_model_list_files(p->model, &names));
    for (size_t i = 0; i < names.count; i++) {
        ENCL_TRY(encl_folder_map(folder, names.texts[i], &file));
        ENCL_TRY(encl_archive_begin(p->archive, names.texts[i]));
        ENCL_TRY(encl_archive_append(p->archive, file.data, file.size));
        encl_file_unmap(&file);
    }
cleanup:
    encl_file_unmap(&file);
    encl_texts_free(&names);
    return status;
}

static encl_status add_manifest(packing *p) {
    const encl_state_dict *state = p->model->state;
    encl_status status = ENCL_OK;
    const encl_tensor **tensors = NULL;
    size_t count = 0;
    char *text = NULL;
    ENCL_TRY(encl_allocate(encl_state_dict_count(state), sizeof *tensors, (void **)&tensors));
    for (size_t i = 0; i < encl_state_dict_count(state); i++) {
        const encl_state_entry *entry = encl_state_dict_at(state, i);
        if (entry->used) {
            tensors[count++] = entry->stored;
        }
    }
    ENCL_TRY(encl_packed_write(&p->packed, tensors, count, &text));
    ENCL_TRY(encl_archive_begin(p->archive, encl_packed_manifest));
    ENCL_TRY(encl_archive_append(p->archive, text, strlen(text)));
cleanup:
    free((void *)tensors);
    free(text);
    return status;
}

// ---- All --------------------------------------------------------------------------------------------------

static encl_status fill_settings(packing *p) {
    encl_status status = ENCL_OK;
    encl_packed *packed = &p->packed;
    const char *device = encl_device_get_info(p->device)->name;
    const char *source = encl_model_get_info(p->model)->format;
    packed->precision = p->options->precision;
    packed->dialect = encl_checkpoint_dialect(p->model->checkpoint);
    packed->mlm_untrained = encl_model_get_info(p->model)->mlm_untrained;
    ENCL_TRY(encl_copy_text(encl_version(), strlen(encl_version()), &packed->version));
    ENCL_TRY(encl_copy_text(device, strlen(device), &packed->device));
    ENCL_TRY(encl_copy_text(source, strlen(source), &packed->source));
    const size_t layers = p->options->exact_layers == NULL ? 0 : p->options->exact_layer_count;
    ENCL_TRY(encl_allocate(layers, sizeof *packed->exact_layers, (void **)&packed->exact_layers));
    for (size_t i = 0; i < layers; i++) {
        packed->exact_layers[i] = p->options->exact_layers[i];
    }
    packed->exact_layer_count = layers;
cleanup:
    return status;
}

encl_status encl_model_pack(const encl_model *model, const encl_device *device, const encl_executable_options *options,
                            const char *path, encl_status (*proceed)(void), encl_pack_report *report) {
    static const encl_executable_options defaults = {0};
    encl_status status = ENCL_OK;
    packing p = {
        .model = model, .device = device, .options = options == NULL ? &defaults : options, .proceed = proceed};
    *report = (encl_pack_report){0};
    if (model->checkpoint == NULL || encl_checkpoint_packed(model->checkpoint) != NULL) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: found %s, expected a checkpoint", model->path,
                         model->checkpoint == NULL ? "a shape with random weights" : "a packed model");
    }
    ENCL_TRY(encl_allocate(CHUNK_BYTES, 1, (void **)&p.chunk));
    ENCL_TRY(fill_settings(&p));
    ENCL_TRY(encl_archive_create(path, &p.archive));
    ENCL_TRY(add_files(&p));
    ENCL_TRY(add_weights(&p));
    ENCL_TRY(add_manifest(&p));
    ENCL_TRY(ask(&p));
    ENCL_TRY(encl_archive_commit(p.archive));
    *report = (encl_pack_report){.weights = p.packed.count,
                                 .weight_bytes = p.packed.bytes,
                                 .file_bytes = encl_archive_written(p.archive),
                                 .executable = p.executable};
cleanup:
    encl_archive_writer_close(p.archive);
    encl_packed_free(&p.packed);
    free(p.chunk);
    return status;
}
