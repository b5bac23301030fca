#include "host/model/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

enum { FILE_BYTES = 16 << 20 };

static const char modules_name[] = "modules.json";

// The settings of encl_pooling, in its order: a flag of its own, or (since 6.0) a word in `pooling_mode`.
static const struct {
    const char *key;
    bool standard; // where the file does not say it
    const char *word;
} modes[ENCL_POOLING_MODES] = {
    [ENCL_POOLING_CLS] = {"pooling_mode_cls_token", false, "cls"},
    [ENCL_POOLING_MAX] = {"pooling_mode_max_tokens", false, "max"},
    [ENCL_POOLING_MEAN] = {"pooling_mode_mean_tokens", true, "mean"},
    [ENCL_POOLING_MEAN_SQRT_LEN] = {"pooling_mode_mean_sqrt_len_tokens", false, "mean_sqrt_len_tokens"},
    [ENCL_POOLING_WEIGHTED_MEAN] = {"pooling_mode_weightedmean_tokens", false, "weightedmean"},
    [ENCL_POOLING_LAST] = {"pooling_mode_lasttoken", false, "lasttoken"},
};

// Reads folder/module/name; *path is its place. Where the file is not there: *json is NULL, or NOT_FOUND if it must be.
static encl_status read_file(const encl_folder *folder, const char *module, const char *name, bool required,
                             char **path, cJSON **json) {
    encl_status status = ENCL_OK;
    char *inner = NULL;
    ENCL_TRY(module[0] != '\0' ? encl_path_join(module, name, &inner) : encl_copy_text(name, strlen(name), &inner));
    ENCL_TRY(encl_folder_place(folder, inner, path));
    if (required || encl_folder_has(folder, inner)) {
        status = encl_folder_read_json(folder, inner, FILE_BYTES, json);
    }
cleanup:
    free(inner);
    return status;
}

// ---- Pooling ----------------------------------------------------------------------------------------------

static encl_status add_mode(const char *path, encl_pooling mode, encl_sentence_config *sentence) {
    if (sentence->pooling_count == ENCL_SENTENCE_POOLINGS) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: pooling_mode: found more than %d modes", path, ENCL_SENTENCE_POOLINGS);
    }
    sentence->pooling[sentence->pooling_count++] = mode;
    return ENCL_OK;
}

static encl_status add_word(const char *path, const cJSON *word, encl_sentence_config *sentence) {
    const char *name = cJSON_IsString(word) ? word->valuestring : "";
    for (size_t i = 0; i < ENCL_POOLING_MODES; i++) {
        if (strcmp(name, modes[i].word) == 0) {
            return add_mode(path, (encl_pooling)i, sentence);
        }
    }
    return encl_fail(cJSON_IsString(word) ? ENCL_UNSUPPORTED : ENCL_FORMAT,
                     "%s: pooling_mode: found '%s', expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or "
                     "lasttoken",
                     path, name);
}

// Words stand in the order in which vectors are concatenated; flags have one of their own.
static encl_status read_modes(const char *path, const cJSON *json, encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(json, "pooling_mode");
    if (cJSON_IsArray(words)) {
        const cJSON *word;
        cJSON_ArrayForEach(word, words) {
            ENCL_TRY(add_word(path, word, sentence));
        }
    } else if (words != NULL && !cJSON_IsNull(words)) {
        ENCL_TRY(add_word(path, words, sentence));
    } else {
        for (size_t i = 0; i < ENCL_POOLING_MODES; i++) {
            bool chosen = modes[i].standard;
            ENCL_TRY(encl_json_get_bool(path, json, modes[i].key, &chosen));
            if (chosen) {
                ENCL_TRY(add_mode(path, (encl_pooling)i, sentence));
            }
        }
    }
cleanup:
    return status;
}

static encl_status check_width(const char *path, const cJSON *json, const char *key, const encl_config *config) {
    int64_t width = config->hidden;
    const encl_status status = encl_json_get_int(path, json, key, 1, INT32_MAX, &width);
    if (status == ENCL_OK && width != config->hidden) {
        return encl_fail(ENCL_FORMAT, "%s: %s: found %lld, expected the encoder's hidden size, %d", path, key,
                         (long long)width, config->hidden);
    }
    return status;
}

static encl_status read_pooling(const encl_folder *folder, const char *module, const encl_config *config,
                                encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    cJSON *json = NULL;
    ENCL_TRY(read_file(folder, module, "config.json", true, &path, &json));
    ENCL_TRY(check_width(path, json, "word_embedding_dimension", config));
    ENCL_TRY(check_width(path, json, "embedding_dimension", config)); // its name since 6.0
    ENCL_TRY(encl_json_get_bool(path, json, "include_prompt", &sentence->include_prompt));
    sentence->pooling_count = 0;
    ENCL_TRY(read_modes(path, json, sentence));
    sentence->width = (int32_t)sentence->pooling_count * config->hidden;
    if (sentence->pooling_count == 0) {
        status = encl_fail(ENCL_FORMAT, "%s: found no pooling mode, expected at least one", path);
    }
cleanup:
    cJSON_Delete(json);
    free(path);
    return status;
}

// ---- Modules ----------------------------------------------------------------------------------------------

// How far the chain of modules has come. It must be Transformer, Pooling, then Dense and Normalize in any order.
typedef enum stage { STAGE_START, STAGE_TRANSFORMER, STAGE_POOLING } stage;

static encl_status grow_dense(encl_sentence_config *sentence) {
    const encl_status status = encl_reserve((void **)&sentence->dense, &sentence->dense_capacity,
                                            sentence->dense_count + 1, sizeof *sentence->dense);
    if (status == ENCL_OK) {
        sentence->dense[sentence->dense_count++] = (encl_dense){0};
    }
    return status;
}

static encl_status read_dense(const encl_folder *folder, const char *module, encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    if (sentence->normalize) { // not the end
        ENCL_TRY(grow_dense(sentence));
        sentence->normalize = false;
    }
    ENCL_TRY(grow_dense(sentence));
    encl_dense *dense = &sentence->dense[sentence->dense_count - 1];
    ENCL_TRY(encl_dense_read(folder, module, sentence->width, dense));
    sentence->width = dense->out;
cleanup:
    return status;
}

// Reads one entry {idx, name, path, type}. Types differ in their packages between versions, not in the last part.
static encl_status read_module(const char *place, const encl_folder *folder, const cJSON *module,
                               const encl_config *config, stage *reached, encl_sentence_config *sentence) {
    const char *type = "";
    const char *path = "";
    encl_status status = ENCL_OK;
    if (!cJSON_IsObject(module)) {
        return encl_fail(ENCL_FORMAT, "%s: found a module that is no object, expected {idx, name, path, type}", place);
    }
    ENCL_TRY(encl_json_get_text(place, module, "type", &type));
    ENCL_TRY(encl_json_get_text(place, module, "path", &path));
    if (!encl_path_is_inside(path)) {
        return encl_fail(ENCL_FORMAT, "%s: path: found '%s', expected a folder inside the model's", place, path);
    }
    const char *dot = strrchr(type, '.');
    const char *name = dot != NULL ? dot + 1 : type;
    if (strcmp(name, "Transformer") == 0 && *reached == STAGE_START) {
        *reached = STAGE_TRANSFORMER;
        status = encl_copy_text(path, strlen(path), &sentence->transformer);
    } else if (strcmp(name, "Pooling") == 0 && *reached == STAGE_TRANSFORMER) {
        *reached = STAGE_POOLING;
        status = read_pooling(folder, path, config, sentence);
    } else if (strcmp(name, "Dense") == 0 && *reached == STAGE_POOLING) {
        status = read_dense(folder, path, sentence);
    } else if (strcmp(name, "Normalize") == 0 && *reached == STAGE_POOLING) {
        sentence->normalize = true;
    } else {
        status = encl_fail(ENCL_UNSUPPORTED,
                           "%s: found module '%s', expected Transformer, Pooling, then Dense, Normalize or nothing",
                           place, type);
    }
cleanup:
    return status;
}

static encl_status read_modules(const char *path, const encl_folder *folder, const encl_config *config,
                                encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    char *text = NULL;
    size_t length = 0;
    cJSON *json = NULL;
    stage reached = STAGE_START;
    ENCL_TRY(encl_folder_read(folder, modules_name, FILE_BYTES, &text, &length));
    ENCL_TRY(encl_json_parse(path, text, length, &json));
    if (!cJSON_IsArray(json)) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found no array, expected one of modules", path));
    }
    const cJSON *module;
    cJSON_ArrayForEach(module, json) {
        ENCL_TRY(read_module(path, folder, module, config, &reached, sentence));
    }
    if (reached < STAGE_POOLING) {
        status = encl_fail(ENCL_UNSUPPORTED, "%s: found no %s module, expected Transformer and Pooling", path,
                           reached == STAGE_START ? "Transformer" : "Pooling");
    }
cleanup:
    cJSON_Delete(json);
    free(text);
    return status;
}

// ---- Texts ------------------------------------------------------------------------------------------------

static encl_status read_transformer(const encl_folder *folder, const encl_config *config,
                                    encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    cJSON *json = NULL;
    int64_t length = -1;
    ENCL_TRY(read_file(folder, sentence->transformer, "sentence_bert_config.json", false, &path, &json));
    if (json != NULL) {
        ENCL_TRY(encl_json_get_int(path, json, "max_seq_length", 1, INT32_MAX, &length));
        ENCL_TRY(encl_json_get_bool(path, json, "do_lower_case", &sentence->lower_case));
    }
    sentence->max_sequence = (int32_t)(length < config->max_position ? length : config->max_position);
cleanup:
    cJSON_Delete(json);
    free(path);
    return status;
}

static encl_status read_prompts(const char *path, const cJSON *prompts, encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    if (!cJSON_IsObject(prompts)) {
        return encl_fail(ENCL_FORMAT, "%s: prompts: found no object, expected one of name and text", path);
    }
    const size_t count = (size_t)cJSON_GetArraySize(prompts);
    ENCL_TRY(encl_allocate(count, sizeof *sentence->prompt_names, (void **)&sentence->prompt_names));
    ENCL_TRY(encl_allocate(count, sizeof *sentence->prompts, (void **)&sentence->prompts));
    const cJSON *item;
    cJSON_ArrayForEach(item, prompts) {
        if (!cJSON_IsString(item)) {
            return encl_fail(ENCL_FORMAT, "%s: prompts: '%s': found no text, expected one", path, item->string);
        }
        const size_t index = sentence->prompt_count++; // counted first: free() takes half a pair too
        ENCL_TRY(encl_copy_text(item->string, strlen(item->string), &sentence->prompt_names[index]));
        ENCL_TRY(encl_copy_text(item->valuestring, strlen(item->valuestring), &sentence->prompts[index]));
    }
cleanup:
    return status;
}

static encl_status choose_prompt(const char *path, const char *name, encl_sentence_config *sentence) {
    for (size_t i = 0; i < sentence->prompt_count; i++) {
        if (strcmp(name, sentence->prompt_names[i]) == 0) {
            sentence->default_prompt = sentence->prompt_names[i];
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_FORMAT, "%s: default_prompt_name: found '%s', expected the name of one of the %zu prompts",
                     path, name, sentence->prompt_count);
}

static encl_status read_model(const encl_folder *folder, encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    cJSON *json = NULL;
    const char *similarity = "";
    const char *default_prompt = NULL;
    ENCL_TRY(read_file(folder, "", "config_sentence_transformers.json", false, &path, &json));
    if (json != NULL) {
        const cJSON *prompts = cJSON_GetObjectItemCaseSensitive(json, "prompts");
        if (prompts != NULL && !cJSON_IsNull(prompts)) {
            ENCL_TRY(read_prompts(path, prompts, sentence));
        }
        ENCL_TRY(encl_json_get_text(path, json, "default_prompt_name", &default_prompt));
        ENCL_TRY(encl_json_get_text(path, json, "similarity_fn_name", &similarity));
    }
    if (default_prompt != NULL) {
        ENCL_TRY(choose_prompt(path, default_prompt, sentence));
    }
    status = encl_copy_text(similarity, strlen(similarity), &sentence->similarity);
cleanup:
    cJSON_Delete(json);
    free(path);
    return status;
}

encl_status encl_sentence_config_read(const encl_folder *folder, const encl_config *config,
                                      encl_sentence_config *sentence) {
    encl_status status = ENCL_OK;
    char *path = NULL;
    encl_sentence_config read = {.pooling_count = 1,
                                 .pooling = {ENCL_POOLING_MEAN},
                                 .include_prompt = true,
                                 .max_sequence = -1,
                                 .width = config->hidden};
    *sentence = (encl_sentence_config){0};
    ENCL_TRY(encl_folder_place(folder, modules_name, &path));
    read.found = encl_folder_has(folder, modules_name);
    if (read.found) {
        ENCL_TRY(read_modules(path, folder, config, &read));
        ENCL_TRY(read_transformer(folder, config, &read));
        ENCL_TRY(read_model(folder, &read));
    } else {
        read.normalize = true;
        ENCL_TRY(encl_copy_text("", 0, &read.transformer));
        ENCL_TRY(encl_copy_text("", 0, &read.similarity));
    }
    *sentence = read;
    read = (encl_sentence_config){0};
cleanup:
    encl_sentence_config_free(&read);
    free(path);
    return status;
}

void encl_sentence_config_free(encl_sentence_config *sentence) {
    for (size_t i = 0; i < sentence->prompt_count; i++) {
        free(sentence->prompt_names[i]);
        free(sentence->prompts[i]);
    }
    for (size_t i = 0; i < sentence->dense_count; i++) {
        encl_dense_free(&sentence->dense[i]);
    }
    free(sentence->dense);
    free(sentence->prompt_names);
    free(sentence->prompts);
    free(sentence->similarity);
    free(sentence->transformer);
    *sentence = (encl_sentence_config){0};
}
