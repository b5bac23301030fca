#include "runtime/measure/clock_map.h"

#include <math.h>

#include "runtime/encl.h"

static const int64_t window_ns = 100000000;
static const int64_t most_width_ns = 20000;
// Quartz clocks differ by some 10⁻⁴ at most; beyond this the device counts something else.
static const double most_rate = 1e-3;

// What commands say of host − device: it lies in [low, high]. They cross where the commands contradict each other.
typedef struct window {
    int64_t low, high;
    int64_t middle; // of the device's times
} window;

static window fit(const encl_profile_record *records, size_t count) {
    window w = {.low = INT64_MIN, .high = INT64_MAX};
    for (size_t i = 0; i < count; i++) {
        const int64_t low = encl_ns_between(records[i].queued_ns, records[i].enqueue_begin_ns);
        const int64_t high = encl_ns_between(records[i].queued_ns, records[i].enqueue_end_ns);
        w.low = low > w.low ? low : w.low;
        w.high = high < w.high ? high : w.high;
    }
    const int64_t first = records[0].queued_ns;
    w.middle = encl_ns_after(first, encl_ns_between(first, records[count - 1].queued_ns) / 2);
    return w;
}

// At most a quarter of what fits, so that it may be doubled.
static int64_t distance(int64_t a, int64_t b) {
    const int64_t most = INT64_MAX / 4;
    const int64_t ns = a < b ? encl_ns_between(a, b) : encl_ns_between(b, a);
    return ns < 0 || ns > most ? most : ns;
}

static int64_t offset_of(const window *w) {
    return encl_ns_after(w->low, encl_ns_between(w->low, w->high) / 2);
}

// The commands from records[0] on that were enqueued within one window's time.
static size_t in_window(const encl_profile_record *records, size_t count) {
    size_t length = 1;
    while (length < count &&
           encl_ns_between(records[0].enqueue_begin_ns, records[length].enqueue_begin_ns) < window_ns) {
        length++;
    }
    return length;
}

// A line through the first and the last window's offsets that all between lie close to. Crossed bounds within a window
// are what the clocks moved apart in it, so they are doubt like any other.
static encl_clock_map fit_line(const encl_profile_record *records, size_t count) {
    encl_clock_map map = {0};
    const size_t first_length = in_window(records, count);
    const window first = fit(records, first_length);
    window last = first;
    int64_t width = 0;
    for (size_t i = 0; i < count;) {
        const size_t length = in_window(records + i, count - i);
        last = fit(records + i, length);
        const int64_t doubt = distance(last.low, last.high);
        width = doubt > width ? doubt : width;
        i += length;
    }
    map.reference_ns = first.middle;
    map.offset_ns = offset_of(&first);
    const int64_t span = encl_ns_between(first.middle, last.middle);
    if (span > 0) {
        map.rate = (double)encl_ns_between(map.offset_ns, offset_of(&last)) / (double)span;
    }
    for (size_t i = 0; i < count;) {
        const size_t length = in_window(records + i, count - i);
        const window w = fit(records + i, length);
        const int64_t there = encl_ns_between(w.middle, encl_clock_map_host(&map, w.middle));
        const int64_t doubt = 2 * distance(there, offset_of(&w));
        width = doubt > width ? doubt : width;
        i += length;
    }
    map.width_ns = width;
    map.aligned = width <= most_width_ns && fabs(map.rate) <= most_rate;
    return map;
}

encl_clock_map encl_clock_map_of(const encl_profile_record *records, size_t count) {
    encl_clock_map map = {0};
    if (count < 2 || records[count - 1].queued_ns <= records[0].queued_ns) {
        return map;
    }
    const window all = fit(records, count);
    if (all.low > all.high) {
        return fit_line(records, count);
    }
    map.width_ns = distance(all.low, all.high);
    map.offset_ns = offset_of(&all);
    map.reference_ns = all.middle;
    map.aligned = map.width_ns <= most_width_ns;
    return map;
}

int64_t encl_clock_map_host(const encl_clock_map *clock, int64_t device_ns) {
    const double moved = clock->rate * (double)encl_ns_between(clock->reference_ns, device_ns);
    return encl_ns_after(encl_ns_after(device_ns, clock->offset_ns), (int64_t)llround(moved));
}
