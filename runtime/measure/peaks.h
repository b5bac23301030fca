// What a device can do at best, measured: the denominators of every "% of peak". One measurement is kept in the cache
// for each device and driver.
#ifndef ENCL_MEASURE_PEAKS_H
#define ENCL_MEASURE_PEAKS_H

#include "runtime/device/device.h"
#include "runtime/measure/sampler.h"

enum { ENCL_PEAK_SIZES = 20 };

// Bandwidth of a buffer of some size that all processors of the device share. Copy goes from one half of it to the
// other, and counts the bytes read and those written.
typedef struct encl_peak_bandwidth {
    uint64_t bytes;
    double read_gbs, write_gbs, copy_gbs;
} encl_peak_bandwidth;

// GF/s, GB/s (10⁹) and microseconds; NAN where the device has no such thing or it could not be measured. Rates are the
// best sample's, times the median's.
typedef struct encl_peaks {
    double fp32_gflops, fp16_gflops, bf16_gflops, int8_gops; // a multiply-add is two operations
    encl_peak_bandwidth bandwidth[ENCL_PEAK_SIZES];          // by size, rising
    size_t bandwidth_count;
    double memory_gbs; // the best of read and copy from the largest of these buffers, which no cache holds
    double launch_us;  // an empty kernel, from the one before to itself, many enqueued at once
    double enqueue_us; // the host's call alone
    double finish_us;  // enqueue an empty kernel and wait for it
    double upload_gbs, download_gbs; // of a large buffer, and
    double upload_us, download_us;   // of 64 bytes: from the host's call until it is done
    int64_t measured_at;             // seconds since 1970, UTC
} encl_peaks;

// One measured figure, as it is told while measuring. status: "ok", "unsupported", "error" (with a reason). What it
// points to lives as long as the call.
typedef struct encl_peak_figure {
    // "fp32_fma", "fp16_fma", "bf16_dot", "int8_dot", "read", "write", "copy", "launch", "enqueue", "finish", "upload",
    // "download", "upload_latency", "download_latency"
    const char *name;
    const char *kernel;        // "" where none
    const char *variant;       // of the kernel, "float16 x 6 chains"; "" where there is one only
    uint64_t bytes;            // of the buffer, 0 where there is none
    double value;              // in `unit`
    const char *unit;          // "GF/s", "Gop/s", "GB/s", "us"
    double flops, moved_bytes; // of one launch
    const char *timer;         // "event", or "wall" where the device's event times make no sense or say too little
    int64_t inner;             // launches in a sample
    const char *status;
    const char *reason;
    const encl_samples *samples; // of one launch; NULL where status is not "ok"
} encl_peak_figure;

typedef struct encl_peak_options {
    encl_sampling sampling; // of every figure
    uint64_t most_bytes;    // of the largest buffer; 0: 1 GiB, or a sixteenth of the device's memory where that is less
    bool quick;             // fewer sizes, shorter launches
    // Gets every figure as it is known; a failure of it ends the measurement. NULL: nobody.
    encl_status (*told)(void *context, const encl_peak_figure *figure);
    void *told_context;
} encl_peak_options;

// The device must be acquired. One figure that fails does not fail the others; what ends the measurement are
// options->sampling.check and options->told alone.
encl_status encl_peaks_measure(const encl_device *device, const encl_peak_options *options, encl_peaks *peaks);
// How many figures will be told.
size_t encl_peaks_count(const encl_device *device, const encl_peak_options *options);

// From the cache; NOT_FOUND where this device was never measured with this driver and these kernels.
encl_status encl_peaks_load(const encl_device *device, encl_peaks *peaks);
void encl_peaks_store(const encl_device *device, const encl_peaks *peaks);
// From the cache, else by a quick measurement (a few seconds) that is kept. The device must be acquired.
encl_status encl_peaks_get(const encl_device *device, encl_peaks *peaks);

#endif
