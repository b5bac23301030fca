#include "runtime/measure/roofline.h"

#include <math.h>
#include <stddef.h>

// Not known where one of them is not: fmin would take the other.
static double lesser(double a, double b) {
    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    return a < b ? a : b;
}

// What bounds a launch, by the peaks; its time says whether it was long enough for any of them to count.
static const char *bound_of(const encl_peaks *peaks, const encl_roof *roof, double flops, double bytes, double ns) {
    if (ns < 3.0 * peaks->launch_us * 1000.0) {
        return "launch";
    }
    if (flops > 0.0 && bytes > 0.0) {
        if (isnan(roof->attainable_gflops)) {
            return "";
        }
        return roof->attainable_gflops < peaks->fp32_gflops ? "memory" : "compute";
    }
    if (flops > 0.0) {
        return "compute";
    }
    return bytes > 0.0 ? "memory" : "";
}

encl_roof encl_roof_of(const encl_peaks *peaks, double flops, double bytes, double ns) {
    encl_roof roof = {NAN, NAN, NAN, ""};
    if (bytes > 0.0 && flops >= 0.0) {
        roof.intensity = flops / bytes;
    }
    if (peaks == NULL) {
        return roof;
    }
    if (flops > 0.0) {
        const double fed = bytes > 0.0 ? roof.intensity * peaks->memory_gbs : INFINITY;
        roof.attainable_gflops = lesser(peaks->fp32_gflops, fed);
    }
    if (!(ns > 0.0)) {
        return roof;
    }
    if (flops > 0.0) {
        roof.roof_pct = flops / ns / roof.attainable_gflops * 100.0;
    } else if (bytes > 0.0) {
        roof.roof_pct = bytes / ns / peaks->memory_gbs * 100.0;
    }
    roof.bound = bound_of(peaks, &roof, flops, bytes, ns);
    return roof;
}
