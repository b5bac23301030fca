// encl info: what a model's files say.
#include <inttypes.h>
#include <string.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/output.h"

enum { KEY_VERIFY = 1 };

static const struct argp_option options[] = {
    {"verify", KEY_VERIFY, NULL, 0, "Read all files and compare their checksums: zips, packed models, TensorFlow", 0},
    {0},
};

typedef struct settings {
    bool verify;
} settings;

// What --verify found out.
typedef struct verified {
    bool asked;
    size_t checked; // checksums that are right
} verified;

// "cls,mean"; "" where the model does not say.
static encl_status pooling_text(const encl_model_info *info, encl_string *text) {
    encl_status status = encl_string_append(text, "", 0);
    for (size_t i = 0; i < info->pooling_count && status == ENCL_OK; i++) {
        status = encl_string_format(text, "%s%s", i > 0 ? "," : "", encl_pooling_name(info->pooling[i]));
    }
    return status;
}

// null where the model is not packed.
static cJSON *packed_block(const encl_packed_info *packed) {
    encl_line block;
    if (packed == NULL) {
        return cJSON_CreateNull();
    }
    encl_line_start(&block);
    encl_line_text(&block, "device", packed->device);
    encl_line_text(&block, "products", packed->products);
    encl_line_text(&block, "precision", encl_precision_name(packed->precision));
    cJSON *layers = encl_line_array(&block, "exact_layers");
    for (size_t i = 0; i < packed->exact_layer_count; i++) {
        if (packed->exact_layers[i]) {
            encl_line_add(&block, layers, cJSON_CreateNumber((double)i));
        }
    }
    encl_line_number(&block, "weights", (double)packed->weights);
    encl_line_number(&block, "bytes", (double)packed->bytes);
    encl_line_text(&block, "source", packed->source);
    encl_line_text(&block, "version", packed->version);
    return encl_line_take(&block);
}

static encl_status print_json(const encl_model_info *info, const char *pooling, const verified *found) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "architecture", info->architecture);
    encl_line_number(&line, "layers", info->layers);
    encl_line_number(&line, "hidden", info->hidden);
    encl_line_number(&line, "heads", info->heads);
    encl_line_number(&line, "intermediate", info->intermediate);
    encl_line_number(&line, "vocab", info->vocabulary);
    encl_line_number(&line, "max_position", info->max_position);
    encl_line_number(&line, "parameters", (double)info->parameters);
    encl_line_text(&line, "dtype", info->dtype);
    encl_line_text(&line, "format", info->format);
    encl_line_text(&line, "head", info->head);
    encl_line_texts(&line, "labels", info->labels, info->label_count);
    encl_line_text(&line, "pooling", pooling[0] != '\0' ? pooling : NULL);
    encl_line_text(&line, "model_type", info->model_type);
    encl_line_text(&line, "file", info->file);
    encl_line_number(&line, "tensors", (double)info->tensors);
    encl_line_number(&line, "bytes", (double)info->bytes);
    encl_line_texts(&line, "head_names", info->head_names, info->head_count);
    encl_line_bool(&line, "mlm_untrained", info->mlm_untrained);
    encl_line_bool(&line, "lowercase", info->lowercase);
    encl_line_texts(&line, "missing", info->missing, info->missing_count);
    encl_line_texts(&line, "unused", info->unused, info->unused_count);
    encl_line_number(&line, "ignored", (double)info->ignored);
    encl_line_texts(&line, "notes", info->notes, info->note_count);
    encl_line_item(&line, "packed", packed_block(info->packed));
    if (found->asked) {
        encl_line_number(&line, "verified", (double)found->checked);
    }
    return encl_line_print(&line, stdout);
}

static encl_status add_pair(encl_table *table, const char *name, const char *value) {
    encl_status status = encl_table_cell(table, "%s", name);
    return status == ENCL_OK ? encl_table_cell(table, "%s", value) : status;
}

// What the tensors take on disk: all of them, whether the encoder reads them or not.
static encl_status add_weights(encl_table *table, const encl_model_info *info) {
    char text[ENCL_BYTES_TEXT];
    char value[128];
    snprintf(value, sizeof value, "%zu tensors, %" PRId64 " parameters, %s", info->tensors, info->parameters,
             encl_bytes_text((uint64_t)info->bytes, text));
    return add_pair(table, "weights", value);
}

static encl_status add_numbers(encl_table *table, const encl_model_info *info) {
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"layers", info->layers},         {"hidden", info->hidden},
        {"attention heads", info->heads}, {"intermediate", info->intermediate},
        {"vocabulary", info->vocabulary}, {"positions", info->max_position},
        {"max length", info->max_length},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char value[32];
        snprintf(value, sizeof value, "%" PRId64, rows[i].value);
        encl_status status = add_pair(table, rows[i].name, value);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

static encl_status add_names(encl_table *table, const encl_model_info *info) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < info->prompt_count; i++) {
        bool chosen = info->default_prompt != NULL && strcmp(info->default_prompt, info->prompt_names[i]) == 0;
        ENCL_TRY(encl_table_cell(table, "prompt"));
        ENCL_TRY(encl_table_cell(table, "%s: \"%s\"%s", info->prompt_names[i], info->prompts[i],
                                 chosen ? " (default)" : ""));
    }
    for (size_t i = 0; i < info->label_count; i++) {
        ENCL_TRY(encl_table_cell(table, "label"));
        ENCL_TRY(encl_table_cell(table, "%zu: %s", i, info->labels[i]));
    }
cleanup:
    return status;
}

// A row for every text, at most `most`, then how many more there are.
static encl_status add_texts(encl_table *table, const char *name, const char *const *texts, size_t count, size_t most) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < count && i < most; i++) {
        ENCL_TRY(add_pair(table, name, texts[i]));
    }
    if (count > most) {
        ENCL_TRY(encl_table_cell(table, "%s", name));
        ENCL_TRY(encl_table_cell(table, "… and %zu more", count - most));
    }
cleanup:
    return status;
}

static encl_status add_heads(encl_table *table, const encl_model_info *info) {
    encl_status status = ENCL_OK;
    encl_string list = {0};
    ENCL_TRY(encl_string_format(&list, "%s", info->head_count == 0 ? "none" : ""));
    for (size_t i = 0; i < info->head_count; i++) {
        const bool untrained = info->mlm_untrained && strcmp(info->head_names[i], "fill-mask") == 0;
        ENCL_TRY(encl_string_format(&list, "%s%s%s", i > 0 ? ", " : "", info->head_names[i],
                                    untrained ? " (untrained)" : ""));
    }
    status = add_pair(table, "heads", list.text); // the first is the model's main one
cleanup:
    encl_string_free(&list);
    return status;
}

// What is odd about the tensors, and what was guessed.
static encl_status add_remarks(encl_table *table, const encl_model_info *info) {
    enum { SHOWN = 8 };
    encl_status status = ENCL_OK;
    ENCL_TRY(add_texts(table, "missing", info->missing, info->missing_count, SHOWN));
    ENCL_TRY(add_texts(table, "unused", info->unused, info->unused_count, SHOWN));
    if (info->ignored > 0) {
        ENCL_TRY(encl_table_cell(table, "ignored"));
        ENCL_TRY(encl_table_cell(
            table, info->ignored == 1 ? "%zu tensor that is no weight" : "%zu tensors that are no weights",
            info->ignored));
    }
    ENCL_TRY(add_texts(table, "note", info->notes, info->note_count, info->note_count));
cleanup:
    return status;
}

static encl_status add_packed(encl_table *table, const encl_packed_info *packed) {
    encl_status status = ENCL_OK;
    encl_string exact = {0};
    char text[ENCL_BYTES_TEXT];
    if (packed == NULL) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_string_append(&exact, "", 0));
    for (size_t i = 0; i < packed->exact_layer_count; i++) {
        if (packed->exact_layers[i]) {
            ENCL_TRY(encl_string_format(&exact, "%s%zu", exact.length > 0 ? "," : " but for layers ", i));
        }
    }
    ENCL_TRY(encl_table_cell(table, "packed"));
    ENCL_TRY(encl_table_cell(table, "%s%s, %zu weights, %s, from %s", encl_precision_name(packed->precision),
                             exact.text, packed->weights, encl_bytes_text(packed->bytes, text), packed->source));
    ENCL_TRY(encl_table_cell(table, "packed on"));
    status = encl_table_cell(table, "%s (products by %s), encl %s", packed->device, packed->products, packed->version);
cleanup:
    encl_string_free(&exact);
    return status;
}

static encl_status add_verified(encl_table *table, const verified *found) {
    if (!found->asked) {
        return ENCL_OK;
    }
    encl_status status = encl_table_cell(table, "checksums");
    if (status == ENCL_OK) {
        status = found->checked > 0 ? encl_table_cell(table, "%zu, all right", found->checked)
                                    : encl_table_cell(table, "none in files of this format");
    }
    return status;
}

static encl_status print_people(const encl_model_info *info, const char *pooling, const verified *found) {
    static const char *const headings[] = {"property", "value"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, 2, &table));
    ENCL_TRY(add_pair(table, "model", info->path));
    ENCL_TRY(encl_table_cell(table, "architecture"));
    ENCL_TRY(encl_table_cell(table, "%s (%s)", info->architecture[0] != '\0' ? info->architecture : "not said",
                             info->model_type));
    ENCL_TRY(add_heads(table, info));
    ENCL_TRY(encl_table_cell(table, "format"));
    ENCL_TRY(encl_table_cell(table, "%s, %s, %s", info->format, info->dtype, info->file));
    ENCL_TRY(add_weights(table, info));
    ENCL_TRY(add_packed(table, info->packed));
    ENCL_TRY(add_verified(table, found));
    ENCL_TRY(add_numbers(table, info));
    ENCL_TRY(add_pair(table, "casing", info->lowercase ? "texts are lowercased" : "upper and lower case differ"));
    ENCL_TRY(encl_table_cell(table, "pooling"));
    ENCL_TRY(encl_table_cell(table, "%s, %s", pooling[0] != '\0' ? pooling : "not said (mean)",
                             info->normalize ? "normalized" : "not normalized"));
    ENCL_TRY(add_names(table, info));
    ENCL_TRY(add_remarks(table, info));
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status option(void *context, int key, const char *value) {
    settings *chosen = context;
    (void)key;
    (void)value;
    chosen->verify = true;
    return ENCL_OK;
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    const settings *chosen = call->settings;
    verified found = {.asked = chosen->verify};
    encl_model *model = NULL;
    encl_string pooling = {0};
    ENCL_TRY(encl_model_open(call->arguments[0], &model));
    const encl_model_info *info = encl_model_get_info(model);
    ENCL_TRY(pooling_text(info, &pooling));
    ENCL_TRY(found.asked ? encl_model_verify(model, encl_interrupt_check, &found.checked) : ENCL_OK);
    ENCL_TRY(call->globals->json ? print_json(info, pooling.text, &found) : print_people(info, pooling.text, &found));
cleanup:
    encl_string_free(&pooling);
    encl_model_close(model);
    return status;
}

const encl_command encl_command_info = {
    .name = "info",
    .summary = "Show what a model is",
    .arguments = "MODEL",
    .text = "Show what a model's files say: architecture, sizes, weights, head, labels, pooling.\v"
            "Example:\n  encl info ./all-MiniLM-L6-v2",
    .options = options,
    .minimum = 1,
    .maximum = 1,
    .settings_bytes = sizeof(settings),
    .option = option,
    .run = run,
};
