#include "host/text/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/text/unicode.h"
#include "runtime/base/json.h"

enum { MOST_IDS = 1 << 24 };

static encl_status grow_ids(encl_vocabulary *vocabulary, int64_t id) {
    if (id < 0 || id >= MOST_IDS) {
        return encl_fail(ENCL_FORMAT, "found token id %lld, expected 0 to %d", (long long)id, MOST_IDS - 1);
    }
    const encl_status status =
        encl_reserve((void **)&vocabulary->offsets, &vocabulary->offset_capacity, (size_t)id + 1, sizeof(int64_t));
    if (status == ENCL_OK) {
        while (vocabulary->count <= id) {
            vocabulary->offsets[vocabulary->count++] = -1;
        }
    }
    return status;
}

static encl_status insert(encl_vocabulary *vocabulary, const char *token, size_t length, int32_t id) {
    uint32_t code_points[ENCL_VOCABULARY_TOKEN_BYTES];
    size_t count = 0;
    for (size_t at = 0, bytes = 0; at < length; at += bytes) {
        code_points[count++] = encl_utf8_next(token + at, &bytes);
    }
    int32_t previous;
    const encl_status status = encl_trie_insert(&vocabulary->trie, code_points, count, id, &previous);
    vocabulary->distinct += status == ENCL_OK && previous < 0;
    return status;
}

static encl_status check_token(const char *token, size_t length) {
    if (length > ENCL_VOCABULARY_TOKEN_BYTES) {
        return encl_fail(ENCL_FORMAT, "found a token of %zu bytes, expected at most %d", length,
                         ENCL_VOCABULARY_TOKEN_BYTES);
    }
    const size_t valid = encl_utf8_valid_prefix(token, length);
    if (valid != length) {
        return encl_fail(ENCL_FORMAT, "byte %zu is not valid UTF-8", valid + 1);
    }
    return memchr(token, 0, length) != NULL ? encl_fail(ENCL_FORMAT, "found a NUL, expected a token") : ENCL_OK;
}

encl_status encl_vocabulary_name(const char *token, size_t length, int64_t id, encl_vocabulary *vocabulary) {
    encl_status status = ENCL_OK;
    ENCL_TRY(check_token(token, length));
    ENCL_TRY(grow_ids(vocabulary, id));
    const size_t offset = vocabulary->text.length;
    ENCL_TRY(encl_string_append(&vocabulary->text, token, length));
    ENCL_TRY(encl_string_append(&vocabulary->text, "", 1));
    vocabulary->offsets[id] = (int64_t)offset;
cleanup:
    return status;
}

encl_status encl_vocabulary_add(const char *token, size_t length, int64_t id, encl_vocabulary *vocabulary) {
    const char *owner = encl_vocabulary_token(vocabulary, id);
    if (owner != NULL) {
        return encl_fail(ENCL_FORMAT, "id %lld belongs to \"%.40s\" and \"%.40s\", expected one token", (long long)id,
                         owner, token);
    }
    const encl_status status = encl_vocabulary_name(token, length, id, vocabulary);
    return status != ENCL_OK ? status : insert(vocabulary, token, length, (int32_t)id);
}

// Where the reference cuts a line: before the white space (Unicode's) at its end.
static size_t trimmed(const char *line, size_t length) {
    while (length > 0) {
        size_t start = length - 1;
        while (start > 0 && ((uint8_t)line[start] & 0xc0) == 0x80) {
            start--;
        }
        size_t bytes;
        if (!encl_unicode_is_space(encl_utf8_next(line + start, &bytes))) {
            break;
        }
        length = start;
    }
    return length;
}

// "token<TAB>id": the id must be the line's index, or ids would not be what other readers make of the file.
static encl_status cut_id(const char *line, int64_t id, size_t *length) {
    const char *tab = memchr(line, '\t', *length);
    if (tab == NULL || tab == line) {
        return ENCL_OK;
    }
    char expected[32];
    const int digits = snprintf(expected, sizeof expected, "%lld", (long long)id);
    const size_t rest = (size_t)(line + *length - tab - 1);
    if (rest != (size_t)digits || memcmp(tab + 1, expected, rest) != 0) {
        return encl_fail(ENCL_FORMAT, "found \"%.*s\" after the tab, expected the line's index %s",
                         (int)(rest < 40 ? rest : 40), tab + 1, expected);
    }
    *length = (size_t)(tab - line);
    return ENCL_OK;
}

static encl_status read_line(const char *line, size_t length, int64_t id, encl_vocabulary *vocabulary) {
    const size_t valid = encl_utf8_valid_prefix(line, length);
    if (valid != length) {
        return encl_fail(ENCL_FORMAT, "byte %zu is not valid UTF-8", valid + 1);
    }
    length = trimmed(line, length);
    const encl_status status = cut_id(line, id, &length);
    return status != ENCL_OK ? status : encl_vocabulary_add(line, length, id, vocabulary);
}

encl_status encl_vocabulary_read(const encl_folder *folder, const char *name, encl_vocabulary *vocabulary) {
    *vocabulary = (encl_vocabulary){0};
    encl_status status = ENCL_OK;
    char *path = NULL;
    char *text = NULL;
    size_t length = 0;
    encl_vocabulary read = {0};
    ENCL_TRY(encl_folder_place(folder, name, &path));
    ENCL_TRY(encl_folder_read(folder, name, ENCL_VOCABULARY_FILE_BYTES, &text, &length));
    int64_t id = 0;
    for (size_t at = 0; at < length; id++) {
        const char *end = memchr(text + at, '\n', length - at);
        const size_t bytes = end != NULL ? (size_t)(end - text) - at : length - at;
        status = read_line(text + at, bytes, id, &read);
        if (status != ENCL_OK) {
            encl_fail_context(status, "%s: line %lld", path, (long long)id + 1);
            goto cleanup;
        }
        at += bytes + 1;
    }
    // Empty lines at the end are no tokens.
    while (read.count > 0 && read.text.text[read.offsets[read.count - 1]] == 0) {
        read.count--;
    }
    if (read.count == 0) {
        ENCL_TRY(encl_fail(ENCL_FORMAT, "%s: found no token, expected one a line", path));
    }
    *vocabulary = read;
    read = (encl_vocabulary){0};
cleanup:
    encl_vocabulary_free(&read);
    free(path);
    free(text);
    return status;
}

void encl_vocabulary_finish(encl_vocabulary *vocabulary) {
    const uint32_t hash = encl_trie_step(&vocabulary->trie, 0, '#');
    vocabulary->continuation = hash != 0 ? encl_trie_step(&vocabulary->trie, hash, '#') : 0;
}

void encl_vocabulary_free(encl_vocabulary *vocabulary) {
    encl_string_free(&vocabulary->text);
    free(vocabulary->offsets);
    encl_trie_free(&vocabulary->trie);
    *vocabulary = (encl_vocabulary){0};
}

const char *encl_vocabulary_token(const encl_vocabulary *vocabulary, int64_t id) {
    return id >= 0 && id < vocabulary->count && vocabulary->offsets[id] >= 0
               ? vocabulary->text.text + vocabulary->offsets[id]
               : NULL;
}
