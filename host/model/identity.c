// What tells one model from another without reading all of it.
#include "host/model/model.h"
#include "runtime/base/hash.h"

enum { SAMPLE = 16 };

static void add_tensor(encl_hash *hash, const char *name, const float *sample, int64_t count) {
    encl_hash_add_text(hash, name);
    encl_hash_add(hash, sample, (size_t)count * sizeof *sample);
}

// From the middle of each tensor as it is stored, where neighbours lie side by side whatever the layout.
static encl_status add_stored(const encl_model *model, encl_hash *hash) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < encl_state_dict_count(model->state); i++) {
        const encl_state_entry *entry = encl_state_dict_at(model->state, i);
        const encl_tensor *tensor = entry->stored;
        float sample[SAMPLE];
        if (!entry->used || !encl_dtype_is_float(tensor->dtype) || tensor->elements < 1) {
            continue;
        }
        const int64_t first = tensor->elements / 2;
        const int64_t count = tensor->elements - first < SAMPLE ? tensor->elements - first : SAMPLE;
        ENCL_TRY(encl_tensor_read(tensor, first, count, sample));
        add_tensor(hash, entry->name, sample, count);
    }
cleanup:
    return status;
}

encl_status encl_model_identity(const encl_model *model, char text[ENCL_HASH_TEXT]) {
    encl_status status = ENCL_OK;
    const encl_config *c = &model->config;
    const int32_t numbers[] = {c->layers,     c->hidden,       c->heads,           c->intermediate,
                               c->vocabulary, c->max_position, c->type_vocabulary, c->activation};
    encl_hash hash;
    encl_hash_start(&hash);
    encl_hash_add(&hash, numbers, sizeof numbers);
    encl_hash_add(&hash, &c->epsilon, sizeof c->epsilon);
    if (model->state != NULL) {
        ENCL_TRY(add_stored(model, &hash));
    } else {
        // Of a shape: its first bias is drawn from the seed as all else is.
        float bias[SAMPLE];
        const encl_weight *weight = &model->bert.layers[0][1];
        const int64_t count = weight->rows < SAMPLE ? weight->rows : SAMPLE;
        ENCL_TRY(weight->read(weight->context, 0, count, bias));
        add_tensor(&hash, model->path, bias, count);
    }
    encl_hash_finish(&hash, text);
cleanup:
    return status;
}
