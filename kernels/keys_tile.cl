// Keys of every sequence and head into panels [panel][head][HEAD_SIZE][32], zero beyond the sequence's end.
// list[panel] = (first token row, tokens in the panel). One work-item a (panel, head).
// Grid: (panels, heads), work-groups of one.

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void keys_tile(
    __global const float *restrict kv, __global const int2 *restrict list, __global float *restrict panels, int count,
    int heads, int stride, int key_column) {
    const int panel = get_group_id(0);
    const int head = get_group_id(1);
    const int2 item = list[panel];
    __global const float *k = kv + (size_t)item.x * stride + key_column + head * HEAD_SIZE;
    __global float *y = panels + ((size_t)panel * heads + head) * HEAD_SIZE * PANEL;
    if (item.y == PANEL) {
        for (int d = 0; d < HEAD_SIZE; d++) {
            for (int j = 0; j < PANEL; j++) {
                y[d * PANEL + j] = k[(size_t)j * stride + d];
            }
        }
    } else {
        for (int d = 0; d < HEAD_SIZE; d++) {
            for (int j = 0; j < PANEL; j++) {
                y[d * PANEL + j] = j < item.y ? k[(size_t)j * stride + d] : 0.0f;
            }
        }
    }
}
