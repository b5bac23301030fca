// Where the commands of a run stand on the host's clock, for pictures of them.
#ifndef ENCL_CLI_PROFILE_PLACE_H
#define ENCL_CLI_PROFILE_PLACE_H

#include "runtime/measure/profile.h"

// A command's times on the host's clock; start ≤ end.
typedef struct encl_placed {
    int64_t queued, start, end;
    size_t index; // in the run's records
} encl_placed;

// The run's commands by START. Where the clocks are not aligned, the first QUEUED stands where the call began: lengths
// are right, the place is a guess. Caller frees *commands.
encl_status encl_profile_place(const encl_profile_timeline *drawn, encl_placed **commands);

// Lanes that spans of commands are drawn in, so that none covers another. A queue needs one; commands that overlap (an
// out-of-order queue, times that a driver got wrong) need more. Zero-initialise.
enum { ENCL_LANES_MOST = 8 };
typedef struct encl_lanes {
    int64_t ends[ENCL_LANES_MOST]; // of the last span
    int count;
} encl_lanes;
// The first lane that is free at `start`, a new one where none is; with ENCL_LANES_MOST of them the last, and the span
// is cut to what is free of it.
int encl_lanes_take(encl_lanes *lanes, int64_t *start, int64_t *end);
// Moves a span behind `*last_end`, and that behind the span.
void encl_span_after(int64_t *last_end, int64_t *start, int64_t *end);

#endif
