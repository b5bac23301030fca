#include "host/model/state_dict.h"

#include <stdlib.h>
#include <string.h>

struct encl_state_dict {
    encl_state_entry *entries; // sorted by name
    size_t count;
};

// ---- The dialects -----------------------------------------------------------------------------------------

// What follows a row's name.
typedef enum part {
    WHOLE,  // nothing: the row is one tensor
    MATRIX, // a linear layer's weight and bias
    PLAIN,  // the same of anything else: no dialect transposes those
} part;

// '#' stands for a layer's number.
typedef struct name_row {
    const char *stored;
    const char *name;
    part part;
    const char *architecture; // the row holds for architectures with this in their name; NULL: for all
} name_row;

typedef struct leaf_row {
    part part;
    const char *stored;
    const char *name;
    bool transposed; // stored as [in, out]
} leaf_row;

// A name's ending under an older convention.
typedef struct ending_row {
    const char *stored;
    const char *name;
} ending_row;

enum { PREFIXES = 3, LEAVES = 4 };

typedef struct dialect_row {
    const char *prefixes[PREFIXES]; // of the encoder's names; none is allowed too. The first is the usual one
    char separator;
    const name_row *rows; // NULL: names are Hugging Face's
    size_t row_count;
    leaf_row leaves[LEAVES];
    const ending_row *endings;
    size_t ending_count;
} dialect_row;

// Google's BERT: modeling.py, run_pretraining.py, run_classifier.py, run_squad.py.
static const name_row tensorflow_rows[] = {
    {"embeddings/word_embeddings", "embeddings.word_embeddings.weight", WHOLE, NULL},
    {"embeddings/position_embeddings", "embeddings.position_embeddings.weight", WHOLE, NULL},
    {"embeddings/token_type_embeddings", "embeddings.token_type_embeddings.weight", WHOLE, NULL},
    {"embeddings/LayerNorm", "embeddings.LayerNorm", PLAIN, NULL},
    {"encoder/layer_#/attention/self/query", "encoder.layer.#.attention.self.query", MATRIX, NULL},
    {"encoder/layer_#/attention/self/key", "encoder.layer.#.attention.self.key", MATRIX, NULL},
    {"encoder/layer_#/attention/self/value", "encoder.layer.#.attention.self.value", MATRIX, NULL},
    {"encoder/layer_#/attention/output/dense", "encoder.layer.#.attention.output.dense", MATRIX, NULL},
    {"encoder/layer_#/attention/output/LayerNorm", "encoder.layer.#.attention.output.LayerNorm", PLAIN, NULL},
    {"encoder/layer_#/intermediate/dense", "encoder.layer.#.intermediate.dense", MATRIX, NULL},
    {"encoder/layer_#/output/dense", "encoder.layer.#.output.dense", MATRIX, NULL},
    {"encoder/layer_#/output/LayerNorm", "encoder.layer.#.output.LayerNorm", PLAIN, NULL},
    {"pooler/dense", "pooler.dense", MATRIX, NULL},
    {"cls/predictions/transform/dense", "cls.predictions.transform.dense", MATRIX, NULL},
    {"cls/predictions/transform/LayerNorm", "cls.predictions.transform.LayerNorm", PLAIN, NULL},
    {"cls/predictions/output_bias", "cls.predictions.bias", WHOLE, NULL},
    {"cls/seq_relationship/output_weights", "cls.seq_relationship.weight", WHOLE, NULL},
    {"cls/seq_relationship/output_bias", "cls.seq_relationship.bias", WHOLE, NULL},
    {"cls/squad/output_weights", "qa_outputs.weight", WHOLE, NULL},
    {"cls/squad/output_bias", "qa_outputs.bias", WHOLE, NULL},
    {"output_weights", "classifier.weight", WHOLE, NULL},
    {"output_bias", "classifier.bias", WHOLE, NULL},
};

// PaddleNLP: transformers/bert/modeling.py and its siblings. The decoder is the table of words, [vocabulary, hidden].
static const name_row paddle_rows[] = {
    {"embeddings.word_embeddings", "embeddings.word_embeddings", PLAIN, NULL},
    {"embeddings.position_embeddings", "embeddings.position_embeddings", PLAIN, NULL},
    {"embeddings.token_type_embeddings", "embeddings.token_type_embeddings", PLAIN, NULL},
    {"embeddings.task_type_embeddings", "embeddings.task_type_embeddings", PLAIN, NULL},
    {"embeddings.layer_norm", "embeddings.LayerNorm", PLAIN, NULL},
    {"encoder.layers.#.self_attn.q_proj", "encoder.layer.#.attention.self.query", MATRIX, NULL},
    {"encoder.layers.#.self_attn.k_proj", "encoder.layer.#.attention.self.key", MATRIX, NULL},
    {"encoder.layers.#.self_attn.v_proj", "encoder.layer.#.attention.self.value", MATRIX, NULL},
    {"encoder.layers.#.self_attn.out_proj", "encoder.layer.#.attention.output.dense", MATRIX, NULL},
    {"encoder.layers.#.norm1", "encoder.layer.#.attention.output.LayerNorm", PLAIN, NULL},
    {"encoder.layers.#.linear1", "encoder.layer.#.intermediate.dense", MATRIX, NULL},
    {"encoder.layers.#.linear2", "encoder.layer.#.output.dense", MATRIX, NULL},
    {"encoder.layers.#.norm2", "encoder.layer.#.output.LayerNorm", PLAIN, NULL},
    {"pooler.dense", "pooler.dense", MATRIX, NULL},
    {"cls.predictions.transform", "cls.predictions.transform.dense", MATRIX, NULL},
    {"cls.predictions.layer_norm", "cls.predictions.transform.LayerNorm", PLAIN, NULL},
    {"cls.predictions.decoder_weight", "cls.predictions.decoder.weight", WHOLE, NULL},
    {"cls.predictions.decoder_bias", "cls.predictions.bias", WHOLE, NULL},
    {"cls.seq_relationship", "cls.seq_relationship", MATRIX, NULL},
    {"classifier", "qa_outputs", MATRIX, "QuestionAnswering"},
    {"classifier", "classifier", MATRIX, NULL},
};

static const ending_row torch_endings[] = {
    {"LayerNorm.gamma", "LayerNorm.weight"},
    {"LayerNorm.beta", "LayerNorm.bias"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const dialect_row dialects[] = {
    [ENCL_DIALECT_TORCH] = {{"bert.", "ernie.", "roberta."},
                            '.',
                            NULL,
                            0,
                            {{WHOLE, NULL, NULL, false}},
                            torch_endings,
                            COUNT(torch_endings)},
    [ENCL_DIALECT_TENSORFLOW] = {{"bert/"},
                                 '/',
                                 tensorflow_rows,
                                 COUNT(tensorflow_rows),
                                 {{MATRIX, "kernel", "weight", true},
                                  {MATRIX, "bias", "bias", false},
                                  {PLAIN, "gamma", "weight", false},
                                  {PLAIN, "beta", "bias", false}},
                                 NULL,
                                 0},
    [ENCL_DIALECT_PADDLE] = {{"bert.", "ernie.", "roberta."},
                             '.',
                             paddle_rows,
                             COUNT(paddle_rows),
                             {{MATRIX, "weight", "weight", true},
                              {MATRIX, "bias", "bias", false},
                              {PLAIN, "weight", "weight", false},
                              {PLAIN, "bias", "bias", false}},
                             NULL,
                             0},
};

// No weights: what optimizers keep beside every variable, and what can be counted instead.
static const char *const ignored_endings[] = {"/adam_m", "/adam_v", "/lamb_m", "/lamb_v", "/Adam", "/Adam_1"};
static const char *const ignored_names[] = {"global_step", "beta1_power", "beta2_power", "embeddings.position_ids",
                                            "embeddings.token_type_ids"};

// ---- One name ---------------------------------------------------------------------------------------------

// Without the encoder's prefix, if it has one.
static const char *strip_prefix(const dialect_row *dialect, const char *name) {
    for (size_t i = 0; i < PREFIXES && dialect->prefixes[i] != NULL; i++) {
        const size_t length = strlen(dialect->prefixes[i]);
        if (strncmp(name, dialect->prefixes[i], length) == 0) {
            return name + length;
        }
    }
    return name;
}

// The digits that stand for '#', without leading zeros.
typedef struct number {
    const char *digits;
    size_t length;
} number;

// What follows the pattern in the text, NULL where the text does not begin with it.
static const char *match(const char *pattern, const char *text, number *layer) {
    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '#') {
            if (*text++ != *pattern) {
                return NULL;
            }
            continue;
        }
        layer->digits = text;
        layer->length = strspn(text, "0123456789");
        if (layer->length == 0 || (text[0] == '0' && layer->length > 1)) {
            return NULL;
        }
        text += layer->length;
    }
    return text;
}

// Appends the pattern with its number.
static encl_status expand(const char *pattern, number layer, encl_string *text) {
    const char *place = strchr(pattern, '#');
    return place == NULL ? encl_string_format(text, "%s", pattern)
                         : encl_string_format(text, "%.*s%.*s%s", (int)(place - pattern), pattern, (int)layer.length,
                                              layer.digits, place + 1);
}

typedef struct renamed {
    encl_string name; // empty: not known
    bool transposed;
} renamed;

// Applies one row, in either direction, where it fits.
static encl_status try_row(const dialect_row *dialect, const name_row *row, bool back, const char *name,
                           renamed *result) {
    number layer = {0};
    const char *rest = match(back ? row->name : row->stored, name, &layer);
    const char separator = back ? '.' : dialect->separator;
    const char *target = back ? row->stored : row->name;
    if (rest == NULL || (row->part == WHOLE ? *rest != '\0' : *rest != separator)) {
        return ENCL_OK;
    }
    if (row->part == WHOLE) {
        return expand(target, layer, &result->name);
    }
    for (size_t i = 0; i < LEAVES; i++) {
        const leaf_row *leaf = &dialect->leaves[i];
        if (leaf->part == row->part && strcmp(rest + 1, back ? leaf->name : leaf->stored) == 0) {
            const encl_status status = expand(target, layer, &result->name);
            result->transposed = leaf->transposed;
            return status != ENCL_OK ? status
                                     : encl_string_format(&result->name, "%c%s", back ? dialect->separator : '.',
                                                          back ? leaf->stored : leaf->name);
        }
    }
    return ENCL_OK;
}

static encl_status rename_by_rows(const dialect_row *dialect, const char *architecture, bool back, const char *name,
                                  renamed *result) {
    for (size_t i = 0; i < dialect->row_count && result->name.length == 0; i++) {
        const name_row *row = &dialect->rows[i];
        if (row->architecture == NULL || strstr(architecture, row->architecture) != NULL) {
            const encl_status status = try_row(dialect, row, back, name, result);
            if (status != ENCL_OK) {
                return status;
            }
        }
    }
    return ENCL_OK;
}

// Hugging Face's name of a stored one; a name that no row knows stays as it is.
static encl_status rename(const dialect_row *dialect, const char *architecture, const char *stored, renamed *result) {
    const char *name = strip_prefix(dialect, stored);
    encl_status status = rename_by_rows(dialect, architecture, false, name, result);
    for (size_t i = 0; i < dialect->ending_count && status == ENCL_OK && result->name.length == 0; i++) {
        const ending_row *ending = &dialect->endings[i];
        if (encl_text_ends(name, ending->stored)) {
            const size_t kept = strlen(name) - strlen(ending->stored);
            status = encl_string_format(&result->name, "%.*s%s", (int)kept, name, ending->name);
        }
    }
    if (status == ENCL_OK && result->name.length == 0) {
        status = encl_string_format(&result->name, "%s", dialect->rows == NULL ? name : stored);
    }
    return status;
}

bool encl_state_is_encoder(const char *name) {
    return encl_text_begins(name, "embeddings.") || encl_text_begins(name, "encoder.") ||
           encl_text_begins(name, "pooler.");
}

encl_status encl_state_stored_name(encl_dialect dialect, const char *name, encl_string *stored) {
    renamed result = {0};
    const dialect_row *row = &dialects[dialect];
    encl_status status = rename_by_rows(row, "", true, name, &result);
    if (status == ENCL_OK && result.name.length == 0) {
        status = encl_string_format(&result.name, "%s", name);
    }
    if (status == ENCL_OK) {
        // PyTorch's and Paddle's names are as common without it.
        const bool prefixed = encl_state_is_encoder(name) && row->separator == '/';
        status = encl_string_format(stored, "%s%s", prefixed ? row->prefixes[0] : "", result.name.text);
    }
    encl_string_free(&result.name);
    return status;
}

// ---- All --------------------------------------------------------------------------------------------------

static bool is_ignored(const dialect_row *dialect, const char *stored) {
    const char *name = strip_prefix(dialect, stored);
    for (size_t i = 0; i < COUNT(ignored_names); i++) {
        if (strcmp(name, ignored_names[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(ignored_endings); i++) {
        if (encl_text_ends(name, ignored_endings[i])) {
            return true;
        }
    }
    return false;
}

static void swap(int64_t pair[2]) {
    const int64_t first = pair[0];
    pair[0] = pair[1];
    pair[1] = first;
}

static encl_status fill_entry(const dialect_row *dialect, const char *architecture, const encl_tensor *stored,
                              encl_state_entry *entry) {
    encl_status status = ENCL_OK;
    renamed result = {0};
    entry->stored = stored;
    entry->tensor = *stored;
    entry->ignored = is_ignored(dialect, stored->name);
    if (entry->ignored) {
        return encl_copy_text(stored->name, strlen(stored->name), &entry->name);
    }
    ENCL_TRY(rename(dialect, architecture, stored->name, &result));
    if (result.transposed && stored->dimensions == 2) { // another shape is told where the weight is used
        entry->transposed = true;
        swap(entry->tensor.shape);
        swap(entry->tensor.strides);
    }
    entry->name = result.name.text;
    result.name = (encl_string){0};
cleanup:
    encl_string_free(&result.name);
    return status;
}

static int compare_entries(const void *a, const void *b) {
    const encl_state_entry *left = a;
    const encl_state_entry *right = b;
    const int order = strcmp(left->name, right->name);
    // Ignored ones last: a search finds the others.
    return order != 0 ? order : (int)left->ignored - (int)right->ignored;
}

static encl_status check_names(const char *place, const encl_state_dict *state) {
    for (size_t i = 1; i < state->count; i++) {
        const encl_state_entry *left = &state->entries[i - 1];
        const encl_state_entry *right = &state->entries[i];
        if (!right->ignored && strcmp(left->name, right->name) == 0) {
            return encl_fail(ENCL_FORMAT, "%s: found tensors '%s' and '%s', expected one of them: both are %s", place,
                             left->stored->name, right->stored->name, left->name);
        }
    }
    return ENCL_OK;
}

encl_status encl_state_dict_create(const char *place, const encl_checkpoint *checkpoint, const char *architecture,
                                   encl_state_dict **state) {
    encl_status status = ENCL_OK;
    encl_state_dict *made = NULL;
    const dialect_row *dialect = &dialects[encl_checkpoint_dialect(checkpoint)];
    const size_t count = encl_checkpoint_count(checkpoint);
    *state = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *made, (void **)&made));
    ENCL_TRY(encl_allocate(count, sizeof *made->entries, (void **)&made->entries));
    for (made->count = 0; made->count < count; made->count++) {
        ENCL_TRY(fill_entry(dialect, architecture, encl_checkpoint_at(checkpoint, made->count),
                            &made->entries[made->count]));
    }
    if (count > 0) {
        qsort(made->entries, count, sizeof *made->entries, compare_entries);
    }
    ENCL_TRY(check_names(place, made));
    *state = made;
    made = NULL;
cleanup:
    encl_state_dict_free(made);
    return status;
}

void encl_state_dict_free(encl_state_dict *state) {
    if (state == NULL) {
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        free(state->entries[i].name);
    }
    free(state->entries);
    free(state);
}

size_t encl_state_dict_count(const encl_state_dict *state) {
    return state->count;
}

const encl_state_entry *encl_state_dict_at(const encl_state_dict *state, size_t index) {
    return index < state->count ? &state->entries[index] : NULL;
}

const encl_state_entry *encl_state_dict_find(const encl_state_dict *state, const char *name) {
    const char *plain = strip_prefix(&dialects[ENCL_DIALECT_TORCH], name);
    size_t first = 0;
    size_t end = state->count;
    while (first < end) { // the first entry that is not before the name
        const size_t middle = first + (end - first) / 2;
        if (strcmp(state->entries[middle].name, plain) < 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    const encl_state_entry *found = first < state->count ? &state->entries[first] : NULL;
    return found != NULL && !found->ignored && strcmp(found->name, plain) == 0 ? found : NULL;
}

void encl_state_dict_use(encl_state_dict *state, const encl_state_entry *entry) {
    state->entries[entry - state->entries].used = true;
}
