// Which part of a product a work-item computes. Work-items run in the order of their numbers. They go over all columns
// in one block of WALK_ROWS rows, groups of rows first, before they begin the next block:
//
//          columns →            The rows of x of a block stay in the second-level cache while the weights pass by, once
//     rows  1  3  5  7 │        a block. Over all rows at once x would pass by, for every tile of columns, and that is
//      ↓    2  4  6  8 │        more: a tile reads more rows of x than columns of weights.
//          ────────────┤
//           9 11 13 15 │
//
#ifndef WALK_ROWS
#define WALK_ROWS 192
#endif

typedef struct walk {
    int group;         // of rows, in the grid
    int tile;          // of columns
    int place, groups; // in the block: which group it is, of how many
} walk;

// On a grid of (groups of rows, tiles of columns) in work-groups of one.
static inline walk walk_to_work_item(int group_rows) {
    const int all = get_num_groups(0);
    const int number = get_group_id(1) * all + get_group_id(0);
    const int blocks = (all * group_rows - 1) / WALK_ROWS + 1;
    const int most = (all - 1) / blocks + 1; // so that none is much lower than the others
    const int block = number / (most * (int)get_num_groups(1));
    const int within = number % (most * (int)get_num_groups(1));
    walk w;
    w.groups = min(most, all - block * most);
    w.place = within % w.groups;
    w.group = block * most + w.place;
    w.tile = within / w.groups;
    return w;
}
