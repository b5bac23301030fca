// encl info: what a model's files say.
#include <inttypes.h>
#include <string.h>

#include "host/checkpoint/checkpoint.h"
#include "host/cli/options.h"
#include "host/cli/output.h"

// "cls,mean"; "" where the model does not say.
static encl_status pooling_text(const encl_model_info *info, encl_string *text) {
    encl_status status = encl_string_append(text, "", 0);
    for (size_t i = 0; i < info->pooling_count && status == ENCL_OK; i++) {
        status = encl_string_format(text, "%s%s", i > 0 ? "," : "", encl_pooling_name(info->pooling[i]));
    }
    return status;
}

static encl_status print_json(const encl_model_info *info, const char *pooling) {
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
    cJSON *labels = cJSON_CreateArray();
    bool complete = labels != NULL;
    for (size_t i = 0; i < info->label_count && complete; i++) {
        complete = encl_array_add(labels, cJSON_CreateString(info->labels[i]));
    }
    encl_line_item(&line, "labels", labels);
    line.incomplete = line.incomplete || !complete;
    encl_line_text(&line, "pooling", pooling[0] != '\0' ? pooling : NULL);
    return encl_line_print(&line, stdout);
}

static encl_status add_pair(encl_table *table, const char *name, const char *value) {
    encl_status status = encl_table_cell(table, "%s", name);
    return status == ENCL_OK ? encl_table_cell(table, "%s", value) : status;
}

// Whether weights in a zip are read where they lie.
static encl_status add_zip(encl_table *table, const encl_folder *folder) {
    char text[ENCL_BYTES_TEXT];
    if (!encl_folder_is_archive(folder)) {
        return ENCL_OK;
    }
    const uint64_t inflated = encl_folder_inflated_bytes(folder);
    encl_status status = encl_table_cell(table, "zip");
    if (status != ENCL_OK) {
        return status;
    }
    return inflated == 0 ? encl_table_cell(table, "stored: weights are read where they lie")
                         : encl_table_cell(table, "compressed: %s of weights are inflated into memory",
                                           encl_bytes_text(inflated, text));
}

// What the tensors take on disk: all of them, whether the encoder reads them or not.
static encl_status add_weights(encl_table *table, const encl_model_info *info) {
    encl_checkpoint *checkpoint = NULL;
    encl_status status = encl_checkpoint_open(info->path, &checkpoint);
    if (status != ENCL_OK) {
        return status;
    }
    uint64_t bytes = 0;
    size_t count = encl_checkpoint_count(checkpoint);
    for (size_t i = 0; i < count; i++) {
        bytes += encl_checkpoint_at(checkpoint, i)->bytes;
    }
    char text[ENCL_BYTES_TEXT];
    char value[128];
    snprintf(value, sizeof value, "%zu tensors, %" PRId64 " parameters, %s", count, info->parameters,
             encl_bytes_text(bytes, text));
    status = add_pair(table, "weights", value);
    if (status == ENCL_OK) {
        status = add_zip(table, encl_checkpoint_folder(checkpoint));
    }
    encl_checkpoint_close(checkpoint);
    return status;
}

static encl_status add_numbers(encl_table *table, const encl_model_info *info) {
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"layers", info->layers},         {"hidden", info->hidden},
        {"heads", info->heads},           {"intermediate", info->intermediate},
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

static encl_status print_people(const encl_model_info *info, const char *pooling) {
    static const char *const headings[] = {"property", "value"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    ENCL_TRY(encl_table_create(headings, 2, &table));
    ENCL_TRY(add_pair(table, "model", info->path));
    ENCL_TRY(encl_table_cell(table, "architecture"));
    ENCL_TRY(encl_table_cell(table, "%s (%s), head: %s", info->architecture, info->model_type, info->head));
    ENCL_TRY(encl_table_cell(table, "format"));
    ENCL_TRY(encl_table_cell(table, "%s, %s", info->format, info->dtype));
    ENCL_TRY(add_weights(table, info));
    ENCL_TRY(add_numbers(table, info));
    ENCL_TRY(encl_table_cell(table, "pooling"));
    ENCL_TRY(encl_table_cell(table, "%s, %s", pooling[0] != '\0' ? pooling : "not said (mean)",
                             info->normalize ? "normalized" : "not normalized"));
    ENCL_TRY(add_names(table, info));
    ENCL_TRY(encl_table_print(table, stdout));
cleanup:
    encl_table_destroy(table);
    return status;
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    encl_model *model = NULL;
    encl_string pooling = {0};
    ENCL_TRY(encl_model_open(call->arguments[0], &model));
    const encl_model_info *info = encl_model_get_info(model);
    ENCL_TRY(pooling_text(info, &pooling));
    ENCL_TRY(call->globals->json ? print_json(info, pooling.text) : print_people(info, pooling.text));
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
    .minimum = 1,
    .maximum = 1,
    .run = run,
};
