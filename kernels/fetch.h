// Brings a line of weights into the second-level cache; an address beyond the buffer is harmless. PoCL compiles for the
// host's processor and takes its assembly (OpenCL's prefetch does nothing there, and __builtin_prefetch makes PoCL 3.1
// give up vector registers).
#if defined(POCL_DEVICE_ADDRESS_BITS) && defined(__x86_64__)
#define FETCH(address) __asm__ volatile("prefetcht1 (%0)" : : "r"(address))
#elif defined(POCL_DEVICE_ADDRESS_BITS) && defined(__aarch64__)
#define FETCH(address) __asm__ volatile("prfm pldl2keep, [%0]" : : "r"(address))
#else
#define FETCH(address)
#endif

// What a tile fetches: a line at each k, `step` rows of a panel after the line before, in 1/65536. A half of a panel is
// every other line of it.
typedef struct fetcher {
    __global const float *next;
    uint at, step;
} fetcher;

static inline void fetch_line(fetcher *f) {
#if TILE_COLUMNS == PANEL
    FETCH(f->next + (f->at / (65536 / PANEL)));
#else
    FETCH(f->next + f->at / 65536 * PANEL);
#endif
    f->at += f->step;
}
