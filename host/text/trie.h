// A trie over code points: finds the longest token that starts a text.
//
// Edges live in one open-addressing hash table keyed by (node, code point): one probe a step, no pointers.
#ifndef ENCL_TEXT_TRIE_H
#define ENCL_TEXT_TRIE_H

#include "runtime/base/memory.h"

typedef struct encl_trie_edge {
    uint32_t parent, code_point, child; // child 0: a free place
} encl_trie_edge;

// Zero-initialise. Node 0 is the root.
typedef struct encl_trie {
    encl_trie_edge *edges;
    size_t edge_mask; // places - 1
    int32_t *values;  // of each node, -1: none
    size_t nodes;
    size_t node_capacity;
} encl_trie;

// Gives the sequence a value (not negative) in place of the one it had; *previous is that, -1 if there was none.
encl_status encl_trie_insert(encl_trie *trie, const uint32_t *code_points, size_t count, int32_t value,
                             int32_t *previous);
// The value of a text, -1 where it has none.
int32_t encl_trie_find(const encl_trie *trie, const char *text);
void encl_trie_free(encl_trie *trie);

static inline size_t encl_trie_place(const encl_trie *trie, uint32_t parent, uint32_t code_point) {
    const uint64_t key = (uint64_t)parent << 21 | code_point;
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & trie->edge_mask; // Fibonacci hashing
}

// The node that the code point leads to, 0 where there is none.
static inline uint32_t encl_trie_step(const encl_trie *trie, uint32_t node, uint32_t code_point) {
    if (trie->edges == NULL) {
        return 0;
    }
    for (size_t place = encl_trie_place(trie, node, code_point);; place = (place + 1) & trie->edge_mask) {
        const encl_trie_edge *edge = &trie->edges[place];
        if (edge->child == 0 || (edge->parent == node && edge->code_point == code_point)) {
            return edge->child;
        }
    }
}

#endif
