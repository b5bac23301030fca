// Where the device's clock stands against the host's, found without asking the driver: a command's QUEUED time was
// stamped while the call that enqueued it ran, so host − device lies between (begin − queued) and (end − queued). The
// intersection over many commands is narrow.
#ifndef ENCL_MEASURE_CLOCK_MAP_H
#define ENCL_MEASURE_CLOCK_MAP_H

#include "runtime/base/status.h"

// host = device + offset + rate · (device − reference); meaningless where not aligned.
typedef struct encl_clock_map {
    bool aligned;
    int64_t offset_ns; // at the reference
    int64_t width_ns;  // the offset is known to ± half of it
    int64_t reference_ns;
    double rate; // 0 but where one clock runs faster than the other
} encl_clock_map;

struct encl_profile_record;
// One offset for all commands where there is one. Else one for every 100 ms of them and a line through these: that is a
// clock that drifts. Not aligned where that fails too or leaves more than 20 µs of doubt (the driver stamps QUEUED
// elsewhere), and where QUEUED does not move on from the first command to the last.
encl_clock_map encl_clock_map_of(const struct encl_profile_record *records, size_t count);

// The host's time of a device's time; the map must be aligned.
int64_t encl_clock_map_host(const encl_clock_map *clock, int64_t device_ns);

// to − from and from + ns, for times that a driver may have got wrong: they wrap where they overflow.
static inline int64_t encl_ns_between(int64_t from, int64_t to) {
    return (int64_t)((uint64_t)to - (uint64_t)from);
}
static inline int64_t encl_ns_after(int64_t from, int64_t ns) {
    return (int64_t)((uint64_t)from + (uint64_t)ns);
}

#endif
