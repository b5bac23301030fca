// Copies of a call's buffers, so that no launch finds its own in the cache.
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/device/details.h"
#include "runtime/measure/launches.h"

enum { MOST_SETS = 256 };
static const uint64_t default_cache = (uint64_t)32 << 20; // where the driver does not say
static const uint64_t most_bytes = (uint64_t)1 << 30;     // of all sets

// As many as exceed twice the cache, but no more than a quarter of the device's memory holds.
static size_t sets_for(const encl_device *device, uint64_t bytes) {
    const uint64_t quarter = encl_device_get_info(device)->global_memory / 4;
    const uint64_t most = quarter < most_bytes ? quarter : most_bytes;
    encl_device_details details;
    encl_device_read_details(device, &details);
    const uint64_t cache = details.cache_bytes > 0 ? details.cache_bytes : default_cache;
    uint64_t sets = 2 * cache / bytes + 1;
    sets = sets * bytes > most ? most / bytes : sets;
    return sets < 1 ? 1 : sets > MOST_SETS ? MOST_SETS : (size_t)sets;
}

encl_status encl_buffer_sets_create(const encl_device *device, const encl_check_inputs *inputs, bool as_given, bool hot,
                                    encl_buffer_sets *sets) {
    encl_status status = ENCL_OK;
    const size_t wanted = hot ? 1 : sets_for(device, encl_check_buffers_bytes(inputs));
    *sets = (encl_buffer_sets){0};
    ENCL_TRY(encl_allocate(wanted, sizeof *sets->sets, (void **)&sets->sets));
    for (size_t i = 0; i < wanted; i++) {
        ENCL_TRY(encl_check_buffers_create(device, inputs, as_given, &sets->sets[i]));
        sets->count++;
    }
cleanup:
    if (status != ENCL_OK) {
        encl_buffer_sets_free(sets);
    }
    return status;
}

void encl_buffer_sets_free(encl_buffer_sets *sets) {
    for (size_t i = 0; i < sets->count; i++) {
        encl_check_buffers_free(&sets->sets[i]);
    }
    free(sets->sets);
    *sets = (encl_buffer_sets){0};
}
