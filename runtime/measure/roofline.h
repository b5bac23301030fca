// The roofline (Williams, Waterman & Patterson 2009): how near a launch came to what the device allows.
#ifndef ENCL_MEASURE_ROOFLINE_H
#define ENCL_MEASURE_ROOFLINE_H

#include "runtime/measure/peaks.h"

typedef struct encl_roof {
    double intensity;         // flops a byte; NAN without bytes
    double attainable_gflops; // min(peak, intensity · bandwidth); NAN where there are no flops
    double roof_pct;          // of attainable flops, or of bandwidth where there are no flops; over 100: the bytes came
                              // from a cache
    const char *bound;        // "launch" (shorter than three empty kernels), "compute", "memory"; "" unknown
} encl_roof;

// peaks may be NULL: nothing but the intensity is known then. ns: of one launch.
encl_roof encl_roof_of(const encl_peaks *peaks, double flops, double bytes, double ns);

#endif
