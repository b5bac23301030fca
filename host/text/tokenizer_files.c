#include "host/text/tokenizer_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/text/tokenizer_json.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

enum {
    CONFIG_BYTES = 16 * 1024 * 1024,
    // Words with upper-case letters in a vocabulary that is cased. Those of Google's cased models have thousands, those
    // of uncased ones none; a few may have been put in place of unused ones.
    CASED_WORDS = 100,
};

static const char vocabulary_name[] = "vocab.txt";

// A JSON file that need not be there: then json is NULL.
typedef struct json_document {
    char *path;
    cJSON *json;
} json_document;

typedef struct tokenizer_documents {
    json_document config; // tokenizer_config.json
    json_document tokenizer;
    json_document special; // special_tokens_map.json
    json_document added;   // added_tokens.json
    char *vocabulary;      // path of vocab.txt
} tokenizer_documents;

// The tokens that the library has by name, in the order in which it adds them.
enum { UNK, SEP, PAD, CLS, MASK };
static const struct {
    const char *key;
    const char *text;
} named[] = {[UNK] = {"unk_token", "[UNK]"},
             [SEP] = {"sep_token", "[SEP]"},
             [PAD] = {"pad_token", "[PAD]"},
             [CLS] = {"cls_token", "[CLS]"},
             [MASK] = {"mask_token", "[MASK]"}};
enum { NAMED = sizeof named / sizeof named[0] };

// Classes that are BertTokenizer under another name, and those that take tokenizer.json as it is.
static const char *const bert_classes[] = {"BertTokenizer",       "DistilBertTokenizer", "ElectraTokenizer",
                                           "MobileBertTokenizer", "ConvBertTokenizer",   "LxmertTokenizer"};
static const char *const generic_classes[] = {"PreTrainedTokenizerFast", "TokenizersBackend"};

// ---- Documents --------------------------------------------------------------------------------------------

static encl_status read_document(const encl_folder *folder, const char *name, size_t limit, json_document *document) {
    encl_status status = encl_folder_place(folder, name, &document->path);
    if (status == ENCL_OK && encl_folder_has(folder, name)) {
        status = encl_folder_read_json(folder, name, limit, &document->json);
    }
    return status;
}

static void free_documents(tokenizer_documents *documents) {
    json_document *const all[] = {&documents->config, &documents->tokenizer, &documents->special, &documents->added};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        cJSON_Delete(all[i]->json);
        free(all[i]->path);
    }
    free(documents->vocabulary);
}

static encl_status read_documents(const encl_folder *folder, tokenizer_documents *documents) {
    encl_status status = ENCL_OK;
    ENCL_TRY(read_document(folder, "tokenizer_config.json", CONFIG_BYTES, &documents->config));
    ENCL_TRY(read_document(folder, "tokenizer.json", ENCL_VOCABULARY_JSON_BYTES, &documents->tokenizer));
    ENCL_TRY(encl_folder_place(folder, vocabulary_name, &documents->vocabulary));
    if (documents->tokenizer.json == NULL && !encl_folder_has(folder, vocabulary_name)) {
        ENCL_TRY(encl_fail(ENCL_NOT_FOUND, "%s: found neither vocab.txt nor tokenizer.json, expected one",
                           encl_folder_path(folder)));
    }
    // A configuration that lists its added tokens has taken the place of the two older files.
    if (cJSON_GetObjectItemCaseSensitive(documents->config.json, "added_tokens_decoder") == NULL) {
        ENCL_TRY(read_document(folder, "special_tokens_map.json", CONFIG_BYTES, &documents->special));
        ENCL_TRY(read_document(folder, "added_tokens.json", CONFIG_BYTES, &documents->added));
    }
cleanup:
    return status;
}

// ---- Options ----------------------------------------------------------------------------------------------

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const size_t length = strlen(names[i]);
        if (strncmp(name, names[i], length) == 0 && (name[length] == 0 || strcmp(name + length, "Fast") == 0)) {
            return true;
        }
    }
    return false;
}

static encl_status read_class(const json_document *config, bool *generic) {
    const char *name = "BertTokenizer";
    const encl_status status = encl_json_get_text(config->path, config->json, "tokenizer_class", &name);
    if (status != ENCL_OK) {
        return status;
    }
    *generic = is_one_of(name, generic_classes, sizeof generic_classes / sizeof generic_classes[0]);
    if (!*generic && !is_one_of(name, bert_classes, sizeof bert_classes / sizeof bert_classes[0])) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: tokenizer_class: found \"%.60s\", expected BertTokenizer or the like",
                         config->path, name);
    }
    return ENCL_OK;
}

// The configuration's options, or their defaults, whatever tokenizer.json says.
static encl_status read_options(const json_document *config, encl_tokenizer_files *files) {
    encl_status status = ENCL_OK;
    files->clean = true;
    files->lowercase = true;
    files->split_cjk = true;
    ENCL_TRY(encl_json_get_bool(config->path, config->json, "do_lower_case", &files->lowercase));
    ENCL_TRY(encl_json_get_bool(config->path, config->json, "tokenize_chinese_chars", &files->split_cjk));
    files->strip_accents = files->lowercase;
    ENCL_TRY(encl_json_get_bool(config->path, config->json, "strip_accents", &files->strip_accents));
    ENCL_TRY(encl_json_get_bool(config->path, config->json, "clean_up_tokenization_spaces", &files->clean_up));
cleanup:
    return status;
}

static bool has_text(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return item != NULL && !cJSON_IsNull(item);
}

// Whether a file says if texts are lowercased. (What tokenizer.json says is overridden by the configuration's default,
// but then the vocabulary need not be asked.)
static bool states_case(const tokenizer_documents *documents) {
    const cJSON *normalizer = cJSON_GetObjectItemCaseSensitive(documents->tokenizer.json, "normalizer");
    return has_text(documents->config.json, "do_lower_case") || has_text(normalizer, "lowercase");
}

// Words with an ASCII upper-case letter, without special tokens such as [CLS]; no more than `most` are counted.
static size_t count_cased_words(const encl_vocabulary *vocabulary, size_t most) {
    size_t count = 0;
    for (int32_t id = 0; id < vocabulary->count && count < most; id++) {
        const char *token = encl_vocabulary_token(vocabulary, id);
        const size_t length = token != NULL ? strlen(token) : 0;
        if (length == 0 || (token[0] == '[' && token[length - 1] == ']')) {
            continue;
        }
        count += strpbrk(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
    }
    return count;
}

static encl_status guess_case(const tokenizer_documents *documents, encl_tokenizer_files *files) {
    if (states_case(documents) || count_cased_words(&files->vocabulary, CASED_WORDS + 1) <= CASED_WORDS) {
        return ENCL_OK;
    }
    encl_info("%s: no file says whether texts are lowercased; they are not, as the vocabulary has upper-case words",
              documents->vocabulary);
    files->cased_by_vocabulary = true;
    files->lowercase = false;
    files->strip_accents = false;
    return encl_json_get_bool(documents->config.path, documents->config.json, "strip_accents", &files->strip_accents);
}

static encl_status read_length(const json_document *config, int64_t *length) {
    double number = 0;
    encl_status status = ENCL_OK;
    *length = -1;
    ENCL_TRY(encl_json_get_number(config->path, config->json, "max_len", &number));
    ENCL_TRY(encl_json_get_number(config->path, config->json, "model_max_length", &number));
    if (number >= 1 && number <= INT_MAX) { // the library writes 1e30 for "none"
        *length = (int64_t)number;
    }
cleanup:
    return status;
}

// ---- Added tokens -----------------------------------------------------------------------------------------

// An added token that states its id, before ids are given.
typedef struct stated_token {
    int64_t id;
    const char *content; // lives in a document
    encl_added_token flags;
} stated_token;

typedef struct stated_tokens {
    stated_token *tokens;
    size_t count;
    size_t capacity;
} stated_tokens;

// {"content": …, "lstrip": …, …}; *content keeps what it had where there is none.
static encl_status read_flags(const char *place, const cJSON *object, bool special, const char **content,
                              encl_added_token *token) {
    encl_status status = ENCL_OK;
    *token = (encl_added_token){0};
    ENCL_TRY(encl_json_get_text(place, object, "content", content));
    ENCL_TRY(encl_json_get_bool(place, object, "special", &special));
    token->normalized = !special;
    token->special = special;
    ENCL_TRY(encl_json_get_bool(place, object, "single_word", &token->single_word));
    ENCL_TRY(encl_json_get_bool(place, object, "lstrip", &token->strip_left));
    ENCL_TRY(encl_json_get_bool(place, object, "rstrip", &token->strip_right));
    ENCL_TRY(encl_json_get_bool(place, object, "normalized", &token->normalized));
cleanup:
    return status;
}

static encl_status append_stated(stated_tokens *stated, stated_token token) {
    const encl_status status =
        encl_reserve((void **)&stated->tokens, &stated->capacity, stated->count + 1, sizeof *stated->tokens);
    if (status == ENCL_OK) {
        stated->tokens[stated->count++] = token;
    }
    return status;
}

static encl_status state_object(const char *place, const cJSON *object, int64_t id, stated_tokens *stated) {
    stated_token token = {.id = id};
    const encl_status status = read_flags(place, object, false, &token.content, &token.flags);
    if (status != ENCL_OK) {
        return status;
    }
    if (token.content == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: an added token without \"content\", expected a text", place);
    }
    return append_stated(stated, token);
}

static encl_status fail_section(const char *path, const char *key, const char *expected) {
    return encl_fail(ENCL_FORMAT, "%s: %s: expected %s", path, key, expected);
}

// {"21128": {"content": …}, …}
static encl_status state_config(const json_document *config, const cJSON *decoder, stated_tokens *stated) {
    if (!cJSON_IsObject(decoder)) {
        return fail_section(config->path, "added_tokens_decoder", "an object of id and token");
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, decoder) {
        char *end = item->string;
        const long long id = strtoll(item->string, &end, 10);
        if (end == item->string || *end != 0 || !cJSON_IsObject(item)) {
            return fail_section(config->path, "added_tokens_decoder", "an object of id and token");
        }
        const encl_status status = state_object(config->path, item, id, stated);
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

// [{"id": 100, "content": …}, …]
static encl_status state_tokenizer(const json_document *tokenizer, stated_tokens *stated) {
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(tokenizer->json, "added_tokens");
    if (array == NULL || cJSON_IsNull(array)) {
        return ENCL_OK;
    }
    if (!cJSON_IsArray(array)) {
        return fail_section(tokenizer->path, "added_tokens", "an array");
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        int64_t id = -1;
        encl_status status = encl_json_get_int(tokenizer->path, item, "id", 0, INT_MAX, &id);
        if (status == ENCL_OK && id < 0) {
            status = fail_section(tokenizer->path, "added_tokens", "an \"id\" in every token");
        }
        if (status == ENCL_OK) {
            status = state_object(tokenizer->path, item, id, stated);
        }
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

// {"token": 21128, …}: plain words, which are looked for in the normalized text.
static encl_status state_added(const json_document *added, stated_tokens *stated) {
    const cJSON *item;
    cJSON_ArrayForEach(item, added->json) {
        int64_t id = 0;
        if (!encl_json_is_integer(item, &id)) {
            return fail_section(added->path, item->string, "an id");
        }
        bool special = false;
        for (size_t i = 0; i < NAMED; i++) {
            special = special || strcmp(item->string, named[i].text) == 0;
        }
        const encl_status status = append_stated(
            stated,
            (stated_token){.id = id, .content = item->string, .flags = {.normalized = !special, .special = special}});
        if (status != ENCL_OK) {
            return status;
        }
    }
    return ENCL_OK;
}

static int by_id(const void *left, const void *right) {
    const stated_token *a = left;
    const stated_token *b = right;
    return a->id != b->id ? (a->id < b->id ? -1 : 1) : 0;
}

// An added token goes before a token of the vocabulary.
static int32_t find_id(const encl_tokenizer_files *files, const char *content) {
    const encl_added_token *token = encl_added_find(&files->added, content);
    return token != NULL ? token->id : encl_trie_find(&files->vocabulary.trie, content);
}

// Gives an added token its id: the vocabulary's, or the next free one. stated: the id a file gives it, -1: none.
static encl_status add_token(const char *place, const char *content, int64_t stated, encl_added_token token,
                             encl_tokenizer_files *files, int32_t *next) {
    encl_status status = ENCL_OK;
    if (content[0] == 0) {
        return ENCL_OK;
    }
    token.id = find_id(files, content);
    if (token.id < 0) {
        token.id = *next > files->vocabulary.distinct ? *next : files->vocabulary.distinct;
        if (stated >= 0 && stated != token.id) {
            return encl_fail(ENCL_FORMAT, "%s: added token \"%.60s\": found id %lld, expected the next free one, %d",
                             place, content, (long long)stated, token.id);
        }
        ENCL_TRY(encl_vocabulary_name(content, strlen(content), token.id, &files->vocabulary));
    }
    *next = token.id + 1 > *next ? token.id + 1 : *next;
    ENCL_TRY(encl_added_append(&files->added, content, token));
cleanup:
    return status;
}

static encl_status add_stated(const tokenizer_documents *documents, encl_tokenizer_files *files, int32_t *next) {
    encl_status status = ENCL_OK;
    stated_tokens stated = {0};
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(documents->config.json, "added_tokens_decoder");
    if (decoder != NULL && !cJSON_IsNull(decoder)) {
        ENCL_TRY(state_config(&documents->config, decoder, &stated));
    } else {
        ENCL_TRY(state_added(&documents->added, &stated));
        ENCL_TRY(state_tokenizer(&documents->tokenizer, &stated));
    }
    if (stated.count > 0) {
        qsort(stated.tokens, stated.count, sizeof *stated.tokens, by_id);
    }
    for (size_t i = 0; i < stated.count; i++) {
        const stated_token *token = &stated.tokens[i];
        ENCL_TRY(add_token(documents->config.path, token->content, token->id, token->flags, files, next));
    }
cleanup:
    free(stated.tokens);
    return status;
}

// A special token as text or as object, from special_tokens_map.json or else the configuration.
static encl_status read_special(const tokenizer_documents *documents, const char *key, const char **content,
                                encl_added_token *token) {
    *token = (encl_added_token){0};
    const json_document *const sources[] = {&documents->special, &documents->config};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(sources[i]->json, key);
        if (cJSON_IsString(item)) {
            *content = item->valuestring;
            return ENCL_OK;
        }
        if (cJSON_IsObject(item)) {
            return read_flags(sources[i]->path, item, true, content, token);
        }
        if (item != NULL && !cJSON_IsNull(item)) {
            return fail_section(sources[i]->path, key, "a text or an added token");
        }
    }
    return ENCL_OK;
}

static encl_status add_extra(const tokenizer_documents *documents, encl_tokenizer_files *files, int32_t *next) {
    static const char *const keys[] = {"extra_special_tokens", "additional_special_tokens"};
    const json_document *const sources[] = {&documents->special, &documents->config};
    for (size_t i = 0; i < 4; i++) {
        const json_document *source = sources[i / 2];
        const cJSON *item;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(source->json, keys[i % 2])) {
            encl_added_token token = {.special = true};
            const char *content = cJSON_IsString(item) ? item->valuestring : "";
            encl_status status = ENCL_OK;
            if (cJSON_IsObject(item)) {
                status = read_flags(source->path, item, true, &content, &token);
            }
            if (status == ENCL_OK) {
                status = add_token(source->path, content, -1, token, files, next);
            }
            if (status != ENCL_OK) {
                return status;
            }
        }
    }
    return ENCL_OK;
}

// The tokens that have names. All but the mask must be in the vocabulary.
static encl_status add_named(const tokenizer_documents *documents, const char *unknown, encl_tokenizer_files *files,
                             int32_t *next) {
    encl_status status = ENCL_OK;
    int32_t *const ids[] = {
        [UNK] = &files->unk, [SEP] = &files->sep, [PAD] = &files->pad, [CLS] = &files->cls, [MASK] = &files->mask};
    const char *path = documents->tokenizer.json != NULL ? documents->tokenizer.path : documents->vocabulary;
    for (size_t i = 0; i < NAMED; i++) {
        const char *content = i == UNK && unknown != NULL ? unknown : named[i].text;
        encl_added_token token;
        ENCL_TRY(read_special(documents, named[i].key, &content, &token));
        *ids[i] = find_id(files, content);
        if (*ids[i] >= 0) {
            ENCL_TRY(add_token(path, content, -1, token, files, next));
        } else if (i != MASK) {
            ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: %s \"%.60s\" is not in the vocabulary, expected it there", path,
                               named[i].key, content));
        }
    }
cleanup:
    return status;
}

// ---- All --------------------------------------------------------------------------------------------------

encl_status encl_tokenizer_files_read(const encl_folder *folder, encl_tokenizer_files *files) {
    *files = (encl_tokenizer_files){0};
    encl_status status = ENCL_OK;
    tokenizer_documents documents = {0};
    encl_tokenizer_files read = {0};
    encl_tokenizer_json json = {0};
    bool generic = false;
    int32_t next = 0;
    ENCL_TRY(read_documents(folder, &documents));
    ENCL_TRY(read_class(&documents.config, &generic));
    ENCL_TRY(read_options(&documents.config, &read));
    ENCL_TRY(read_length(&documents.config, &read.model_max_length));
    if (documents.tokenizer.json != NULL) {
        ENCL_TRY(encl_tokenizer_json_vocabulary(documents.tokenizer.path, documents.tokenizer.json, &read.vocabulary));
    } else {
        ENCL_TRY(encl_vocabulary_read(folder, vocabulary_name, &read.vocabulary));
        generic = false; // there is no pipeline to take
    }
    ENCL_TRY(guess_case(&documents, &read));
    if (generic) {
        ENCL_TRY(encl_tokenizer_json_pipeline(documents.tokenizer.path, documents.tokenizer.json, &json));
        read.clean = json.clean;
        read.lowercase = json.lowercase;
        read.strip_accents = json.strip_accents;
        read.split_cjk = json.split_cjk;
    }
    ENCL_TRY(add_stated(&documents, &read, &next));
    ENCL_TRY(add_named(&documents, json.unknown, &read, &next));
    ENCL_TRY(add_extra(&documents, &read, &next));
    encl_vocabulary_finish(&read.vocabulary);
    if (generic) {
        ENCL_TRY(encl_tokenizer_json_template(documents.tokenizer.path, documents.tokenizer.json,
                                              encl_vocabulary_token(&read.vocabulary, read.cls),
                                              encl_vocabulary_token(&read.vocabulary, read.sep)));
    }
    *files = read;
    read = (encl_tokenizer_files){0};
cleanup:
    encl_tokenizer_files_free(&read);
    free_documents(&documents);
    return status;
}

void encl_tokenizer_files_free(encl_tokenizer_files *files) {
    encl_vocabulary_free(&files->vocabulary);
    encl_added_free(&files->added);
}
