// The lists that attention and its key panels run over, made by the host for every batch.
#ifndef ENCL_OP_LISTS_H
#define ENCL_OP_LISTS_H

#include "runtime/op/operator.h"

// Key panels in the order of the sequences: ⌈length / 32⌉ each. panels may be NULL to count only.
size_t encl_list_panels(const int32_t *offsets, int32_t sequences, encl_key_panel *panels);

// Indices of the sequences, longest first (equal lengths in batch order): long work starts first, so that the compute
// units finish together.
void encl_list_longest_first(const int32_t *offsets, int32_t sequences, int32_t *order);

// Blocks of at most `queries` query rows of one sequence each, in the given order of sequences.
// rows == NULL: every token is a query and stands in its own row. Else rows[0 … row_count) are ascending token rows,
// and query i stands in row i. panel_starts[sequences] is scratch. Returns the number of blocks.
size_t encl_list_blocks(const int32_t *offsets, int32_t sequences, const int32_t *order, const int32_t *rows,
                        int32_t row_count, int32_t queries, int32_t *panel_starts, encl_attention_block *blocks);

#endif
