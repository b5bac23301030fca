// The lists of attention: key panels, the order of sequences and blocks of query rows, against what they promise.
#include "test.h"

#include <string.h>

#include "runtime/op/lists.h"

enum { MOST_SEQUENCES = 40, MOST_TOKENS = 4000 };

typedef struct packing {
    int32_t offsets[MOST_SEQUENCES + 1];
    int32_t order[MOST_SEQUENCES];
    int32_t starts[MOST_SEQUENCES];
    int32_t sequences;
} packing;

static packing pack(const int32_t *lengths, int32_t sequences) {
    packing p = {.sequences = sequences};
    for (int32_t b = 0; b < sequences; b++) {
        p.offsets[b + 1] = p.offsets[b] + lengths[b];
    }
    encl_list_longest_first(p.offsets, sequences, p.order);
    return p;
}

static int32_t length_of(const packing *p, int32_t b) {
    return p->offsets[b + 1] - p->offsets[b];
}

// ---- Panels -----------------------------------------------------------------------------------------------

static void panels_cover_each_sequence(void **state) {
    (void)state;
    static const int32_t lengths[] = {1, 31, 32, 33, 64, 65, 3};
    static const encl_key_panel expected[] = {{0, 1},    {1, 31},   {32, 32},  {64, 32}, {96, 1}, {97, 32},
                                              {129, 32}, {161, 32}, {193, 32}, {225, 1}, {226, 3}};
    encl_key_panel found[16];
    const packing p = pack(lengths, 7);
    const size_t count = encl_list_panels(p.offsets, p.sequences, NULL);
    assert_int_equal(count, sizeof expected / sizeof expected[0]);
    assert_int_equal(encl_list_panels(p.offsets, p.sequences, found), count);
    assert_memory_equal(found, expected, sizeof expected);
    assert_int_equal(encl_list_panels(p.offsets, 0, found), 0);
}

// ---- Order ------------------------------------------------------------------------------------------------

static void longest_come_first_and_equals_keep_their_order(void **state) {
    (void)state;
    static const int32_t lengths[] = {5, 9, 5, 1, 9, 12, 1};
    static const int32_t expected[] = {5, 1, 4, 0, 2, 3, 6};
    const packing p = pack(lengths, 7);
    assert_memory_equal(p.order, expected, sizeof expected);
}

// ---- Blocks -----------------------------------------------------------------------------------------------

// Every wanted query stands in exactly one block, whose keys are its own sequence's, and the blocks follow the order.
static void check_blocks(packing *p, const int32_t *rows, int32_t row_count, int32_t queries) {
    static encl_attention_block blocks[MOST_TOKENS];
    static int seen[MOST_TOKENS];
    const int32_t tokens = p->offsets[p->sequences];
    const int32_t query_count = rows == NULL ? tokens : row_count;
    memset(seen, 0, sizeof seen);
    const size_t count =
        encl_list_blocks(p->offsets, p->sequences, p->order, rows, row_count, queries, p->starts, blocks);
    int32_t longest = INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        const encl_attention_block *block = &blocks[i];
        int32_t b = 0;
        int32_t panel = 0;
        assert_in_range(block->queries, 1, queries);
        while (p->offsets[b] != block->first_key) {
            panel += (length_of(p, b) + ENCL_PANEL - 1) / ENCL_PANEL;
            b++;
            assert_true(b < p->sequences);
        }
        assert_int_equal(block->keys, length_of(p, b));
        assert_int_equal(block->first_panel, panel);
        assert_true(block->keys <= longest);
        longest = block->keys;
        for (int32_t q = block->first_query; q < block->first_query + block->queries; q++) {
            assert_in_range(q, 0, query_count - 1);
            const int32_t token = rows == NULL ? q : rows[q];
            assert_in_range(token, p->offsets[b], p->offsets[b + 1] - 1);
            seen[q]++;
        }
    }
    for (int32_t q = 0; q < query_count; q++) {
        assert_int_equal(seen[q], 1);
    }
    // Not more blocks than an executable reserves.
    assert_true(count <= (size_t)(tokens / queries + p->sequences) && count <= (size_t)query_count);
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void blocks_hold_every_query_once(void **state) {
    (void)state;
    static const int32_t heights[] = {1, 4, 12, 16, 100};
    uint32_t random = 7;
    for (int trial = 0; trial < 60; trial++) {
        int32_t lengths[MOST_SEQUENCES];
        static int32_t rows[MOST_TOKENS];
        int32_t row_count = 0;
        const int32_t sequences = 1 + (int32_t)(next_random(&random) % MOST_SEQUENCES);
        for (int32_t b = 0; b < sequences; b++) {
            lengths[b] = 1 + (int32_t)(next_random(&random) % 90);
        }
        packing p = pack(lengths, sequences);
        const uint32_t share = 1 + next_random(&random) % 20;
        for (int32_t t = 0; t < p.offsets[sequences]; t++) {
            if (next_random(&random) % share == 0) {
                rows[row_count++] = t;
            }
        }
        for (size_t h = 0; h < sizeof heights / sizeof heights[0]; h++) {
            check_blocks(&p, NULL, 0, heights[h]);
            check_blocks(&p, p.offsets, sequences, heights[h]); // the first rows
            check_blocks(&p, rows, row_count, heights[h]);
        }
    }
}

static void nothing_listed_gives_no_blocks(void **state) {
    (void)state;
    static const int32_t lengths[] = {3, 40};
    static const int32_t rows[] = {0};
    packing p = pack(lengths, 2);
    check_blocks(&p, rows, 0, 12);
    encl_attention_block block;
    assert_int_equal(encl_list_blocks(p.offsets, 2, p.order, rows, 0, 12, p.starts, &block), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panels_cover_each_sequence),
        cmocka_unit_test(longest_come_first_and_equals_keep_their_order),
        cmocka_unit_test(blocks_hold_every_query_once),
        cmocka_unit_test(nothing_listed_gives_no_blocks),
    };
    return encl_test_main(tests);
}
