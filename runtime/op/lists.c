#include "runtime/op/lists.h"

#include <stdlib.h>

static int32_t panels_of(int32_t length) {
    return (length + ENCL_PANEL - 1) / ENCL_PANEL;
}

size_t encl_list_panels(const int32_t *offsets, int32_t sequences, encl_key_panel *panels) {
    size_t count = 0;
    for (int32_t b = 0; b < sequences; b++) {
        for (int32_t token = offsets[b]; token < offsets[b + 1]; token += ENCL_PANEL) {
            const int32_t left = offsets[b + 1] - token;
            if (panels != NULL) {
                panels[count] = (encl_key_panel){token, left < ENCL_PANEL ? left : ENCL_PANEL};
            }
            count++;
        }
    }
    return count;
}

static int longer_first(const void *a, const void *b, void *context) {
    const int32_t *offsets = context;
    const int32_t i = *(const int32_t *)a;
    const int32_t j = *(const int32_t *)b;
    const int32_t length_i = offsets[i + 1] - offsets[i];
    const int32_t length_j = offsets[j + 1] - offsets[j];
    return length_i != length_j ? (length_i < length_j) - (length_i > length_j) : (i > j) - (i < j);
}

void encl_list_longest_first(const int32_t *offsets, int32_t sequences, int32_t *order) {
    for (int32_t b = 0; b < sequences; b++) {
        order[b] = b;
    }
    // The comparison only reads the offsets.
    qsort_r(order, (size_t)sequences, sizeof *order, longer_first, (void *)(uintptr_t)offsets);
}

// The first i in [0, count) with rows[i] >= row, or count.
static int32_t lower_bound(const int32_t *rows, int32_t count, int32_t row) {
    int32_t low = 0;
    while (low < count) {
        const int32_t middle = low + (count - low) / 2;
        if (rows[middle] < row) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

size_t encl_list_blocks(const int32_t *offsets, int32_t sequences, const int32_t *order, const int32_t *rows,
                        int32_t row_count, int32_t queries, int32_t *panel_starts, encl_attention_block *blocks) {
    size_t count = 0;
    int32_t panel = 0;
    for (int32_t b = 0; b < sequences; b++) {
        panel_starts[b] = panel;
        panel += panels_of(offsets[b + 1] - offsets[b]);
    }
    for (int32_t i = 0; i < sequences; i++) {
        const int32_t b = order[i];
        const int32_t begin = rows == NULL ? offsets[b] : lower_bound(rows, row_count, offsets[b]);
        const int32_t end = rows == NULL ? offsets[b + 1] : lower_bound(rows, row_count, offsets[b + 1]);
        for (int32_t query = begin; query < end; query += queries) {
            blocks[count++] = (encl_attention_block){.first_key = offsets[b],
                                                     .keys = offsets[b + 1] - offsets[b],
                                                     .first_panel = panel_starts[b],
                                                     .first_query = query,
                                                     .queries = end - query < queries ? end - query : queries};
        }
    }
    return count;
}
