#include "host/text/trie.h"

#include <stdlib.h>
#include <string.h>

#include "host/text/unicode.h"
#include "runtime/base/json.h"

static void place_edge(encl_trie *trie, encl_trie_edge edge) {
    size_t place = encl_trie_place(trie, edge.parent, edge.code_point);
    while (trie->edges[place].child != 0) {
        place = (place + 1) & trie->edge_mask;
    }
    trie->edges[place] = edge;
}

// Doubles the table once it is half full, so that probes stay short and always meet a free place.
static encl_status grow_edges(encl_trie *trie) {
    const size_t old_places = trie->edges != NULL ? trie->edge_mask + 1 : 0;
    if (trie->nodes * 2 < old_places) {
        return ENCL_OK;
    }
    void *edges = NULL;
    const size_t places = old_places != 0 ? old_places * 2 : 64;
    const encl_status status = encl_allocate(places, sizeof(encl_trie_edge), &edges);
    if (status != ENCL_OK) {
        return status;
    }
    encl_trie_edge *old = trie->edges;
    trie->edges = edges;
    trie->edge_mask = places - 1;
    for (size_t i = 0; i < old_places; i++) {
        if (old[i].child != 0) {
            place_edge(trie, old[i]);
        }
    }
    free(old);
    return ENCL_OK;
}

static encl_status add_node(encl_trie *trie) {
    const encl_status status =
        encl_reserve((void **)&trie->values, &trie->node_capacity, trie->nodes + 1, sizeof(int32_t));
    if (status == ENCL_OK) {
        trie->values[trie->nodes++] = -1;
    }
    return status;
}

encl_status encl_trie_insert(encl_trie *trie, const uint32_t *code_points, size_t count, int32_t value,
                             int32_t *previous) {
    *previous = -1;
    encl_status status = ENCL_OK;
    if (trie->nodes == 0) {
        ENCL_TRY(add_node(trie));
    }
    uint32_t node = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t child = encl_trie_step(trie, node, code_points[i]);
        if (child == 0) {
            if (trie->nodes > UINT32_MAX / 2) {
                ENCL_TRY(encl_fail(ENCL_UNSUPPORTED, "a trie of %zu nodes, expected at most 2^31", trie->nodes));
            }
            ENCL_TRY(grow_edges(trie));
            ENCL_TRY(add_node(trie));
            child = (uint32_t)(trie->nodes - 1);
            place_edge(trie, (encl_trie_edge){node, code_points[i], child});
        }
        node = child;
    }
    *previous = trie->values[node];
    trie->values[node] = value;
cleanup:
    return status;
}

int32_t encl_trie_find(const encl_trie *trie, const char *text) {
    const size_t length = strlen(text);
    if (trie->nodes == 0 || encl_utf8_valid_prefix(text, length) != length) {
        return -1;
    }
    uint32_t node = 0;
    for (size_t at = 0, bytes = 0; at < length; at += bytes) {
        node = encl_trie_step(trie, node, encl_utf8_next(text + at, &bytes));
        if (node == 0) {
            return -1;
        }
    }
    return trie->values[node];
}

void encl_trie_free(encl_trie *trie) {
    free(trie->edges);
    free(trie->values);
    *trie = (encl_trie){0};
}
