// What a device can do at best, measured: the denominators of every "% of peak". One measurement is kept in the cache
// for each device and driver.
#ifndef ENCL_MEASURE_PEAKS_H
#define ENCL_MEASURE_PEAKS_H

#include "runtime/device/device.h"
#include "runtime/measure/sampler.h"

enum { ENCL_PEAK_SIZES = 16 };

// Bandwidth of a buffer of some size. Copy counts the bytes read and those written.
typedef struct encl_peak_bandwidth {
    uint64_t bytes;
    double read_gbs, write_gbs, copy_gbs;
} encl_peak_bandwidth;

// GF/s, GB/s (10⁹) and microseconds; NAN where the device has no such thing or it could not be measured.
typedef struct encl_peaks {
    double fp32_gflops, fp16_gflops, bf16_gflops, int8_gops; // a fused multiply-add is two operations
    encl_peak_bandwidth bandwidth[ENCL_PEAK_SIZES];          // by size, rising
    size_t bandwidth_count;
    double memory_gbs; // the best of read and copy from a buffer that no cache holds
    double launch_us;  // an empty kernel, from the one before to itself, many enqueued at once
    double enqueue_us; // the host's call alone
    double finish_us;  // enqueue an empty kernel and wait for it
    double upload_gbs, download_gbs;
    int64_t measured_at; // seconds since 1970, UTC
} encl_peaks;

// One measured figure, as it is told while measuring. status: "ok", "unsupported", "error" (with a reason).
typedef struct encl_peak_figure {
    const char *name;   // "fp32_fma", "read", "write", "copy", "launch", "enqueue", "finish", "upload", "download", …
    const char *kernel; // "" where none
    uint64_t bytes;     // of the buffer, 0 where there is none
    double value;       // in `unit`
    const char *unit;   // "GF/s", "GB/s", "us"
    double flops, moved_bytes; // of one launch
    const char *timer;         // "event" or "wall"
    int64_t inner;             // launches in a sample
    const char *status;
    const char *reason;
    const encl_samples *samples; // of one launch
} encl_peak_figure;

// The device must be acquired. told() gets every figure as it is known; NULL: nobody. One figure that fails does not
// fail the others.
encl_status encl_peaks_measure(const encl_device *device, const encl_sampling *sampling,
                               encl_status (*told)(void *context, const encl_peak_figure *figure), void *context,
                               encl_peaks *peaks);
// From the cache; NOT_FOUND where this device was never measured with this driver.
encl_status encl_peaks_load(const encl_device *device, encl_peaks *peaks);
void encl_peaks_store(const encl_device *device, const encl_peaks *peaks);
// From the cache, else by a quick measurement (a few seconds) that is kept. The device must be acquired.
encl_status encl_peaks_get(const encl_device *device, encl_peaks *peaks);

#endif
