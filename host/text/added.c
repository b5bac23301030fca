#include "host/text/added.h"

#include <stdlib.h>
#include <string.h>

#include "host/text/unicode.h"

static encl_status append(encl_added *added, const char *content, encl_added_token token, uint32_t *code_points) {
    encl_status status = ENCL_OK;
    const size_t length = strlen(content);
    size_t count = 0;
    for (size_t at = 0, bytes = 0; at < length; at += bytes) {
        code_points[count++] = encl_utf8_next(content + at, &bytes);
    }
    int32_t previous;
    const int32_t index = (int32_t)added->count;
    ENCL_TRY(encl_reserve((void **)&added->tokens, &added->capacity, added->count + 1, sizeof *added->tokens));
    ENCL_TRY(encl_copy_text(content, length, &token.content));
    added->tokens[added->count++] = token;
    ENCL_TRY(encl_trie_insert(&added->contents, code_points, count, index, &previous));
    if (!token.normalized) {
        ENCL_TRY(encl_trie_insert(&added->raw, code_points, count, index, &previous));
        added->starts[(uint8_t)content[0]] = true;
    }
cleanup:
    return status;
}

encl_status encl_added_append(encl_added *added, const char *content, encl_added_token token) {
    void *code_points = NULL;
    if (content[0] == 0 || encl_added_find(added, content) != NULL) {
        return ENCL_OK;
    }
    encl_status status = encl_allocate(strlen(content), sizeof(uint32_t), &code_points);
    if (status == ENCL_OK) {
        status = append(added, content, token, code_points);
    }
    free(code_points);
    return status;
}

const encl_added_token *encl_added_find(const encl_added *added, const char *content) {
    const int32_t index = encl_trie_find(&added->contents, content);
    return index >= 0 ? &added->tokens[index] : NULL;
}

void encl_added_free(encl_added *added) {
    for (size_t i = 0; i < added->count; i++) {
        free(added->tokens[i].content);
    }
    free(added->tokens);
    encl_trie_free(&added->contents);
    encl_trie_free(&added->raw);
    encl_trie_free(&added->normalized);
    *added = (encl_added){0};
}

const encl_added_token *encl_added_match(const encl_added *added, const char *text, size_t length, size_t *bytes,
                                         size_t *code_points) {
    const encl_added_token *found = NULL;
    uint32_t node = 0;
    size_t walked = 0;
    for (size_t at = 0, taken = 0; at < length;) {
        node = encl_trie_step(&added->raw, node, encl_utf8_next(text + at, &taken));
        if (node == 0) {
            break;
        }
        at += taken;
        walked++;
        if (added->raw.values[node] >= 0) {
            found = &added->tokens[added->raw.values[node]];
            *bytes = at;
            *code_points = walked;
        }
    }
    return found;
}
