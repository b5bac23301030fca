#include "host/text/tokenizer_json.h"

#include <limits.h>
#include <string.h>

#include "host/text/segment.h"

static const cJSON *member(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

// The "type" of a part of the pipeline must be one of two (the second may be NULL).
static encl_status check_type(const char *path, const cJSON *json, const char *part, const char *type,
                              const char *other) {
    const char *found = "nothing";
    const encl_status status = encl_json_get_text(path, member(json, part), "type", &found);
    if (status != ENCL_OK || strcmp(found, type) == 0 || (other != NULL && strcmp(found, other) == 0)) {
        return status;
    }
    return encl_fail(ENCL_UNSUPPORTED, "%s: %s: found type %.60s, expected %s", path, part, found, type);
}

encl_status encl_tokenizer_json_vocabulary(const char *path, const cJSON *json, encl_vocabulary *vocabulary) {
    *vocabulary = (encl_vocabulary){0};
    encl_status status = ENCL_OK;
    encl_vocabulary read = {0};
    const cJSON *model = member(json, "model");
    const cJSON *tokens = member(model, "vocab");
    // Files of older versions do not name the model's type; one with merges is BPE.
    if (member(model, "type") != NULL || member(model, "merges") != NULL) {
        ENCL_TRY(check_type(path, json, "model", "WordPiece", NULL));
    }
    if (!cJSON_IsObject(tokens) || tokens->child == NULL) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: model: vocab: expected an object of token and id", path));
    }
    // Ids may leave gaps, but a small file may not ask for much memory.
    const int64_t limit = 2 * (int64_t)cJSON_GetArraySize(tokens) + 1024;
    const cJSON *item;
    cJSON_ArrayForEach(item, tokens) {
        int64_t id = -1;
        if (!encl_json_is_integer(item, &id) || id < 0 || id >= limit) {
            ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: model: vocab: \"%.60s\": expected an id from 0 to %lld", path,
                               item->string, (long long)limit - 1));
        }
        status = encl_vocabulary_add(item->string, strlen(item->string), id, &read);
        if (status != ENCL_OK) {
            encl_fail_context(status, "%s: model: vocab", path);
            goto cleanup;
        }
    }
    *vocabulary = read;
    read = (encl_vocabulary){0};
cleanup:
    encl_vocabulary_free(&read);
    return status;
}

encl_status encl_tokenizer_json_pipeline(const char *path, const cJSON *json, encl_tokenizer_json *pipeline) {
    encl_status status = ENCL_OK;
    encl_tokenizer_json read = {.clean = true, .lowercase = true, .split_cjk = true};
    const cJSON *model = member(json, "model");
    const cJSON *normalizer = member(json, "normalizer");
    const char *prefix = "##";
    int64_t characters = ENCL_WORD_CHARACTERS;
    *pipeline = (encl_tokenizer_json){0};
    ENCL_TRY(check_type(path, json, "normalizer", "BertNormalizer", NULL));
    ENCL_TRY(check_type(path, json, "pre_tokenizer", "BertPreTokenizer", NULL));
    ENCL_TRY(encl_json_get_bool(path, normalizer, "clean_text", &read.clean));
    ENCL_TRY(encl_json_get_bool(path, normalizer, "handle_chinese_chars", &read.split_cjk));
    ENCL_TRY(encl_json_get_bool(path, normalizer, "lowercase", &read.lowercase));
    read.strip_accents = read.lowercase;
    ENCL_TRY(encl_json_get_bool(path, normalizer, "strip_accents", &read.strip_accents));
    ENCL_TRY(encl_json_get_text(path, model, "unk_token", &read.unknown));
    ENCL_TRY(encl_json_get_text(path, model, "continuing_subword_prefix", &prefix));
    ENCL_TRY(encl_json_get_int(path, model, "max_input_chars_per_word", 0, INT_MAX, &characters));
    if (strcmp(prefix, "##") != 0) {
        ENCL_TRY(encl_fail(ENCL_UNSUPPORTED, "%s: continuing_subword_prefix: found \"%.20s\", expected \"##\"", path,
                           prefix));
    }
    if (characters != ENCL_WORD_CHARACTERS) {
        ENCL_TRY(encl_fail(ENCL_UNSUPPORTED, "%s: max_input_chars_per_word: found %lld, expected %d", path,
                           (long long)characters, ENCL_WORD_CHARACTERS));
    }
    *pipeline = read;
cleanup:
    return status;
}

// One step of a template: a special token or a sequence, with its type.
typedef struct step {
    const char *kind;
    const char *id;
    int type;
} step;

static bool same_steps(const cJSON *array, const step *steps, size_t count) {
    if (!cJSON_IsArray(array) || (size_t)cJSON_GetArraySize(array) != count) {
        return false;
    }
    size_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        const cJSON *part = member(item, steps[i].kind);
        const cJSON *id = member(part, "id");
        int64_t type = -1;
        if (!cJSON_IsString(id) || strcmp(id->valuestring, steps[i].id) != 0 ||
            !encl_json_is_integer(member(part, "type_id"), &type) || type != steps[i].type) {
            return false;
        }
        i++;
    }
    return true;
}

// ["[SEP]", 102]
static bool same_token(const cJSON *array, const char *token) {
    const cJSON *text = cJSON_IsArray(array) ? array->child : NULL;
    return text != NULL && cJSON_IsString(text) && strcmp(text->valuestring, token) == 0;
}

encl_status encl_tokenizer_json_template(const char *path, const cJSON *json, const char *cls, const char *sep) {
    const cJSON *processor = member(json, "post_processor");
    const encl_status status = check_type(path, json, "post_processor", "TemplateProcessing", "BertProcessing");
    if (status != ENCL_OK) {
        return status;
    }
    const step steps[] = {{"SpecialToken", cls, 0},
                          {"Sequence", "A", 0},
                          {"SpecialToken", sep, 0},
                          {"Sequence", "B", 1},
                          {"SpecialToken", sep, 1}};
    const bool fits =
        member(processor, "single") != NULL
            ? same_steps(member(processor, "single"), steps, 3) && same_steps(member(processor, "pair"), steps, 5)
            : same_token(member(processor, "cls"), cls) && same_token(member(processor, "sep"), sep);
    if (!fits) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: post_processor: expected %s A %s and %s A %s B %s with types 0 and 1",
                         path, cls, sep, cls, sep, sep);
    }
    return ENCL_OK;
}
