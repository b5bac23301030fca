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
