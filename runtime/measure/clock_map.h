// Where the device's clock stands against the host's, found without asking the driver: a command's QUEUED time was
// stamped while the call that enqueued it ran, so host − device lies between (begin − queued) and (end − queued). The
// intersection over many commands is narrow.
#ifndef ENCL_MEASURE_CLOCK_MAP_H
#define ENCL_MEASURE_CLOCK_MAP_H

#include "runtime/base/status.h"

typedef struct encl_clock_map {
    bool aligned;
    int64_t offset_ns; // host = device + offset; meaningless where not aligned
    int64_t width_ns;  // of the intersection: the offset is known to ± half of it
} encl_clock_map;

struct encl_profile_record;
// Not aligned where the intersection is empty or wider than 20 µs: the driver stamps QUEUED elsewhere, or a clock
// drifts.
encl_clock_map encl_clock_map_of(const struct encl_profile_record *records, size_t count);

#endif
