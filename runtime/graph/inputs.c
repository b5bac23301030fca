#include <string.h>

#include "runtime/graph/executable.h"
#include "runtime/op/lists.h"

size_t encl_input_words(encl_input input, const int64_t *counts) {
    switch (input) {
    case ENCL_INPUT_IDS:
    case ENCL_INPUT_TYPES:
    case ENCL_INPUT_POSITIONS:
        return (size_t)counts[ENCL_COUNT_TOKENS];
    case ENCL_INPUT_OFFSETS:
        return (size_t)counts[ENCL_COUNT_SEQUENCES] + 1;
    case ENCL_INPUT_BEGINS:
    case ENCL_INPUT_FIRST_ROWS:
        return (size_t)counts[ENCL_COUNT_SEQUENCES];
    case ENCL_INPUT_SELECTED_ROWS:
        return (size_t)counts[ENCL_COUNT_SELECTED];
    case ENCL_INPUT_PANELS:
        return (size_t)counts[ENCL_COUNT_PANELS] * (sizeof(encl_key_panel) / 4);
    default:
        return (size_t)counts[ENCL_COUNT_BLOCKS_ALL + (input - ENCL_INPUT_BLOCKS_ALL)] *
               (sizeof(encl_attention_block) / 4);
    }
}

static encl_status check_sequences(const encl_executable *e, const encl_batch *batch) {
    if (batch->tokens < 1 || batch->sequences < 1 || batch->selected < 0) {
        return encl_fail(ENCL_INVALID, "batch of %d tokens in %d sequences with %d rows, expected at least 1, 1 and 0",
                         (int)batch->tokens, (int)batch->sequences, (int)batch->selected);
    }
    if (batch->ids == NULL || batch->offsets == NULL || (batch->rows == NULL && batch->selected > 0)) {
        return encl_fail(ENCL_INVALID, "a batch without ids, offsets or the rows it counts");
    }
    if (batch->tokens > e->info.capacity.tokens || batch->sequences > e->info.capacity.sequences ||
        batch->selected > e->info.capacity.selected) {
        return encl_fail(ENCL_INVALID, "batch of %d tokens, %d sequences, %d rows; the executable takes %d, %d, %d",
                         (int)batch->tokens, (int)batch->sequences, (int)batch->selected, (int)e->info.capacity.tokens,
                         (int)e->info.capacity.sequences, (int)e->info.capacity.selected);
    }
    for (int32_t b = 0; b < batch->sequences; b++) {
        const int64_t length = (int64_t)batch->offsets[b + 1] - batch->offsets[b];
        if (length < 1 || length > e->schedule->max_position || (b == 0 && batch->offsets[0] != 0)) {
            return encl_fail(ENCL_INVALID, "sequence %d has %lld tokens from row %d on, expected 1 … %d", (int)b,
                             (long long)length, (int)batch->offsets[b], (int)e->schedule->max_position);
        }
    }
    if (batch->offsets[batch->sequences] != batch->tokens) {
        return encl_fail(ENCL_INVALID, "the last sequence ends at row %d, expected %d",
                         (int)batch->offsets[batch->sequences], (int)batch->tokens);
    }
    return ENCL_OK;
}

static encl_status check_skips(const encl_executable *e, const encl_batch *batch) {
    if (batch->skips != NULL && e->schedule->selects_first && e->schedule->pools_first) {
        return encl_fail(ENCL_INVALID, "a batch with skips, but the graph selects first tokens and pools them as well");
    }
    for (int32_t b = 0; b < batch->sequences && batch->skips != NULL; b++) {
        const int32_t length = batch->offsets[b + 1] - batch->offsets[b];
        if (batch->skips[b] < 0 || batch->skips[b] >= length) {
            return encl_fail(ENCL_INVALID, "sequence %d skips %d tokens, expected 0 … %d", (int)b, (int)batch->skips[b],
                             (int)length - 1);
        }
    }
    return ENCL_OK;
}

static encl_status check_tokens(const encl_executable *e, const encl_batch *batch) {
    for (int32_t t = 0; t < batch->tokens; t++) {
        if (batch->ids[t] < 0 || batch->ids[t] >= e->schedule->vocabulary) {
            return encl_fail(ENCL_INVALID, "token %d has the id %d, expected 0 … %d", (int)t, (int)batch->ids[t],
                             (int)e->schedule->vocabulary - 1);
        }
        if (batch->types != NULL && (batch->types[t] < 0 || batch->types[t] >= e->schedule->types)) {
            return encl_fail(ENCL_INVALID, "token %d has the type %d, expected 0 … %d", (int)t, (int)batch->types[t],
                             (int)e->schedule->types - 1);
        }
    }
    for (int32_t r = 0; r < batch->selected; r++) {
        const int32_t before = r == 0 ? -1 : batch->rows[r - 1];
        if (batch->rows[r] <= before || batch->rows[r] >= batch->tokens) {
            return encl_fail(ENCL_INVALID, "listed row %d is %d, expected %d … %d, ascending", (int)r,
                             (int)batch->rows[r], (int)before + 1, (int)batch->tokens - 1);
        }
    }
    return ENCL_OK;
}

static void fill_list(encl_executable *e, encl_slot *slot, const encl_batch *batch, encl_input input,
                      const int32_t *rows, int32_t row_count) {
    const size_t which = (size_t)(input - ENCL_INPUT_BLOCKS_ALL);
    encl_attention_block *blocks = slot->host_inputs[input];
    if (!e->schedule->inputs[input]) {
        return;
    }
    const size_t count = encl_list_blocks(batch->offsets, batch->sequences, e->order, rows, row_count,
                                          e->schedule->queries, e->order + e->info.capacity.sequences, blocks);
    slot->event.counts[ENCL_COUNT_BLOCKS_ALL + which] = (int64_t)count;
    slot->event.keys[which] = 0;
    for (size_t i = 0; i < count; i++) {
        slot->event.keys[which] += (double)blocks[i].keys * blocks[i].queries;
    }
}

encl_status encl_inputs_fill(encl_executable *e, encl_slot *slot, const encl_batch *batch) {
    encl_status status = ENCL_OK;
    int64_t *counts = slot->event.counts;
    ENCL_TRY(check_sequences(e, batch));
    ENCL_TRY(check_skips(e, batch));
    ENCL_TRY(check_tokens(e, batch));
    memset(counts, 0, sizeof slot->event.counts);
    counts[ENCL_COUNT_TOKENS] = batch->tokens;
    counts[ENCL_COUNT_SEQUENCES] = batch->sequences;
    counts[ENCL_COUNT_SELECTED] = batch->selected;
    counts[ENCL_COUNT_PANELS] = (int64_t)encl_list_panels(batch->offsets, batch->sequences, NULL);
    if (counts[ENCL_COUNT_PANELS] > e->capacity[ENCL_COUNT_PANELS]) {
        return encl_fail(ENCL_INVALID, "the batch fills %lld key panels, the executable takes %lld",
                         (long long)counts[ENCL_COUNT_PANELS], (long long)e->capacity[ENCL_COUNT_PANELS]);
    }

    memcpy(slot->host_inputs[ENCL_INPUT_IDS], batch->ids, (size_t)batch->tokens * sizeof(int32_t));
    if (batch->types != NULL) {
        memcpy(slot->host_inputs[ENCL_INPUT_TYPES], batch->types, (size_t)batch->tokens * sizeof(int32_t));
    } else {
        memset(slot->host_inputs[ENCL_INPUT_TYPES], 0, (size_t)batch->tokens * sizeof(int32_t));
    }
    int32_t *positions = slot->host_inputs[ENCL_INPUT_POSITIONS];
    int32_t *begins = slot->host_inputs[ENCL_INPUT_BEGINS];
    int32_t *first_rows = slot->host_inputs[ENCL_INPUT_FIRST_ROWS];
    for (int32_t b = 0; b < batch->sequences; b++) {
        begins[b] = batch->offsets[b] + (batch->skips == NULL ? 0 : batch->skips[b]);
        first_rows[b] = e->schedule->selects_first ? batch->offsets[b] : begins[b];
        for (int32_t t = batch->offsets[b]; t < batch->offsets[b + 1]; t++) {
            positions[t] = t - batch->offsets[b];
        }
    }
    memcpy(slot->host_inputs[ENCL_INPUT_OFFSETS], batch->offsets, ((size_t)batch->sequences + 1) * sizeof(int32_t));
    if (batch->selected > 0) {
        memcpy(slot->host_inputs[ENCL_INPUT_SELECTED_ROWS], batch->rows, (size_t)batch->selected * sizeof(int32_t));
    }
    encl_list_panels(batch->offsets, batch->sequences, slot->host_inputs[ENCL_INPUT_PANELS]);
    encl_list_longest_first(batch->offsets, batch->sequences, e->order);
    fill_list(e, slot, batch, ENCL_INPUT_BLOCKS_ALL, NULL, 0);
    fill_list(e, slot, batch, ENCL_INPUT_BLOCKS_FIRST, first_rows, batch->sequences);
    fill_list(e, slot, batch, ENCL_INPUT_BLOCKS_SELECTED, batch->rows, batch->selected);
cleanup:
    return status;
}
