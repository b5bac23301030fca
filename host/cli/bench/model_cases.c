// What `encl bench model` measures: the models of the command line, and the cases of each.
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/model.h"
#include "host/cli/options.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum {
    SEQ_DEFAULT = 128,       // or what the model takes
    LENGTHS_LIMIT = 1 << 26, // bytes of the file
    SEED = 1,                // of a shape's weights: the same whatever --seed says
};

// ---- Models -----------------------------------------------------------------------------------------------

// Of the file of weights; of a model in parts the file that names them. A shape has none, and what lies in a zip's
// folder or is a checkpoint's prefix goes without: the hash is for telling files of results apart.
static void hash_weights(encl_bench_model *model) {
    char *path = NULL;
    encl_file file = {0};
    encl_hash hash;
    const encl_status status =
        encl_path_is_folder(model->path) ? encl_path_join(model->path, model->info->file, &path) : ENCL_OK;
    if (status == ENCL_OK && encl_file_map(path != NULL ? path : model->path, &file) == ENCL_OK) {
        encl_hash_start(&hash);
        encl_hash_add(&hash, file.data, file.size);
        encl_hash_finish(&hash, model->sha256);
    }
    encl_file_unmap(&file);
    free(path);
}

// A shape's weights are drawn where they are uploaded, so that open models take next to no memory.
static encl_status open_model(const encl_model_settings *chosen, encl_bench_model *model) {
    const int64_t start = encl_clock_ns();
    const encl_status status = model->path != NULL ? encl_model_open(model->path, &model->model)
                                                   : encl_model_open_shape(model->name, SEED, &model->model);
    if (status != ENCL_OK) {
        return status;
    }
    model->open_ns = encl_clock_ns() - start;
    model->info = encl_model_get_info(model->model);
    if (model->path != NULL && !chosen->once) {
        hash_weights(model);
    }
    return ENCL_OK;
}

static encl_status add_model(const encl_model_settings *chosen, const char *path, const char *name,
                             encl_model_cases *cases) {
    for (size_t i = 0; i < cases->model_count; i++) {
        if (strcmp(cases->models[i].name, name) == 0) {
            return encl_fail(ENCL_INVALID, "--shape: found %s twice, expected each once", name);
        }
    }
    encl_bench_model *added = &cases->models[cases->model_count++];
    *added = (encl_bench_model){.path = path, .name = name};
    return open_model(chosen, added);
}

// The shapes of a comma list, or the one model of a path. A model is named by the last part of its path: the same
// wherever it lies.
static encl_status open_models(const encl_model_settings *chosen, const char *path, encl_model_cases *cases) {
    encl_status status = ENCL_OK;
    const char *list = chosen->shape != NULL ? chosen->shape : "";
    ENCL_TRY(encl_allocate(strlen(list) / 2 + 1, sizeof *cases->models, (void **)&cases->models));
    if (chosen->shape == NULL) {
        const char *slash = strrchr(path, '/');
        ENCL_TRY(add_model(chosen, path, slash != NULL && slash[1] != '\0' ? slash + 1 : path, cases));
        goto cleanup;
    }
    ENCL_TRY(encl_copy_text(list, strlen(list), &cases->names));
    char *rest = cases->names;
    for (const char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
        ENCL_TRY(add_model(chosen, NULL, name, cases));
    }
cleanup:
    return status;
}

// ---- Cases ------------------------------------------------------------------------------------------------

static encl_status name_case(const encl_model_settings *chosen, encl_model_case *named) {
    encl_string name = {0};
    encl_status status = encl_string_format(&name, "%s ", named->model->name);
    if (status == ENCL_OK && named->stream) {
        const char *slash = strrchr(chosen->lengths, '/');
        status = encl_string_format(&name, "%s", slash != NULL ? slash + 1 : chosen->lengths);
    } else if (status == ENCL_OK) {
        status = encl_string_format(&name, "%dx%d", named->batch, named->length);
    }
    if (status == ENCL_OK && (chosen->tokens || chosen->pooling_text != NULL)) {
        status = encl_string_format(&name, " %s", chosen->tokens ? "tokens" : chosen->pooling_text);
    }
    if (status == ENCL_OK && chosen->depth > 0) {
        status = encl_string_format(&name, " depth %d", (int)chosen->depth);
    }
    named->name = name.text;
    return status;
}

static encl_status add_case(const encl_model_settings *chosen, const encl_bench_model *model, encl_model_cases *cases,
                            encl_model_case **added) {
    void *memory = cases->cases;
    encl_status status = encl_reserve(&memory, &cases->capacity, cases->count + 1, sizeof *cases->cases);
    cases->cases = memory;
    if (status == ENCL_OK) {
        *added = &cases->cases[cases->count++];
        **added = (encl_model_case){.model = model, .tokens = chosen->tokens};
    }
    return status;
}

static encl_status add_even_cases(const encl_model_settings *chosen, const encl_bench_model *model,
                                  encl_model_cases *cases) {
    encl_status status = ENCL_OK;
    int64_t *batches = NULL;
    int64_t *lengths = NULL;
    size_t batch_count = 0;
    size_t length_count = 0;
    char usual[16];
    snprintf(usual, sizeof usual, "%d",
             (int)(model->info->max_length < SEQ_DEFAULT ? model->info->max_length : SEQ_DEFAULT));
    ENCL_TRY(encl_option_integers("--batch", chosen->batch != NULL ? chosen->batch : "1,8", 1, ENCL_MODEL_LIST_MOST,
                                  &batches, &batch_count));
    ENCL_TRY(encl_option_integers("--seq", chosen->seq != NULL ? chosen->seq : usual, 1, ENCL_MODEL_LIST_MOST, &lengths,
                                  &length_count));
    for (size_t i = 0; i < batch_count * length_count; i++) {
        encl_model_case *made = NULL;
        ENCL_TRY(add_case(chosen, model, cases, &made));
        made->batch = (int32_t)batches[i / length_count];
        made->length = (int32_t)lengths[i % length_count];
        if (made->length > model->info->max_length) {
            status = encl_fail(ENCL_INVALID, "--seq %d: expected at most %lld for %s", made->length,
                               (long long)model->info->max_length, model->name);
            goto cleanup;
        }
        ENCL_TRY(name_case(chosen, made));
        ENCL_TRY(encl_random_batch_even(made->batch, made->length, model->info->vocabulary,
                                        encl_bench_seed(&chosen->bench), &made->made));
    }
cleanup:
    free(batches);
    free(lengths);
    return status;
}

// One length a line; empty lines do not count.
static encl_status read_lengths(const char *path, int64_t most, int32_t **lengths, size_t *count) {
    encl_status status = ENCL_OK;
    char *text = NULL;
    size_t bytes = 0;
    size_t capacity = 0;
    void *list = NULL;
    *lengths = NULL;
    *count = 0;
    ENCL_TRY(encl_file_read(path, LENGTHS_LIMIT, &text, &bytes));
    size_t line_number = 1;
    for (char *line = text; line < text + bytes; line_number++) {
        char *next = line + strcspn(line, "\n");
        char *end = line + strcspn(line, "\r\n");
        *end = '\0';
        if (end > line) {
            char place[512];
            int64_t length = 0;
            snprintf(place, sizeof place, "%s:%zu", path, line_number);
            ENCL_TRY(encl_option_integer(place, line, 1, most, &length));
            ENCL_TRY(encl_reserve(&list, &capacity, *count + 1, sizeof(int32_t)));
            ((int32_t *)list)[(*count)++] = (int32_t)length;
        }
        line = next + 1;
    }
    if (*count == 0 || *count > INT32_MAX - 1) {
        status = encl_fail(ENCL_INVALID, "%s: found %zu lengths, expected at least one", path, *count);
        goto cleanup;
    }
    *lengths = list;
    list = NULL;
cleanup:
    free(list);
    free(text);
    return status;
}

static encl_status add_stream_case(const encl_model_settings *chosen, const encl_bench_model *model,
                                   encl_model_cases *cases) {
    encl_status status = ENCL_OK;
    int32_t *lengths = NULL;
    size_t count = 0;
    encl_model_case *made = NULL;
    ENCL_TRY(add_case(chosen, model, cases, &made));
    made->stream = true;
    ENCL_TRY(name_case(chosen, made));
    ENCL_TRY(read_lengths(chosen->lengths, model->info->max_length, &lengths, &count));
    status = encl_random_batch_of(lengths, (int32_t)count, model->info->vocabulary, encl_bench_seed(&chosen->bench),
                                  &made->made);
    if (status != ENCL_OK) {
        status = encl_fail_context(status, "%s", chosen->lengths);
    }
cleanup:
    free(lengths);
    return status;
}

encl_status encl_model_cases_open(const encl_model_settings *settings, const char *path, encl_model_cases *cases) {
    encl_status status = ENCL_OK;
    *cases = (encl_model_cases){0};
    ENCL_TRY(open_models(settings, path, cases));
    for (size_t i = 0; i < cases->model_count; i++) {
        ENCL_TRY(settings->lengths != NULL ? add_stream_case(settings, &cases->models[i], cases)
                                           : add_even_cases(settings, &cases->models[i], cases));
    }
cleanup:
    if (status != ENCL_OK) {
        encl_model_cases_close(cases);
    }
    return status;
}

void encl_model_cases_close(encl_model_cases *cases) {
    for (size_t i = 0; i < cases->count; i++) {
        free(cases->cases[i].name);
        encl_random_batch_free(&cases->cases[i].made);
    }
    free(cases->cases);
    for (size_t i = 0; i < cases->model_count; i++) {
        if (cases->models[i].model != NULL) {
            encl_model_close(cases->models[i].model);
        }
    }
    free(cases->models);
    free(cases->names);
    *cases = (encl_model_cases){0};
}
