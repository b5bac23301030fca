// Weight rows [row0, row0 + rows) from row-major [rows][K] into panels [.][K][32].
// Grid: (K, rows). Reads run along K, writes across panels; done once a weight.
// gpu-check:

__kernel void pack(
    __global const float *source, __global float *packed, int rows, int K, int row0, int levels, int limit,
    int short_words) {
    const int k = get_global_id(0);
    const int r = get_global_id(1);
    if (k >= K || r >= rows) {
        return;
    }
    const int n = row0 + r;
    packed[((size_t)(n / PANEL) * K + k) * PANEL + n % PANEL] = source[(size_t)r * K + k];
}
