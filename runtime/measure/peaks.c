#include "runtime/measure/peaks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/device/cache.h"
#include "runtime/measure/peak_session.h"

// ---- Measuring --------------------------------------------------------------------------------------------

static encl_peaks unknown_peaks(void) {
    return (encl_peaks){
        .fp32_gflops = NAN,
        .fp16_gflops = NAN,
        .bf16_gflops = NAN,
        .int8_gops = NAN,
        .memory_gbs = NAN,
        .launch_us = NAN,
        .enqueue_us = NAN,
        .finish_us = NAN,
        .upload_gbs = NAN,
        .download_gbs = NAN,
        .upload_us = NAN,
        .download_us = NAN,
    };
}

encl_status encl_peaks_measure(const encl_device *device, const encl_peak_options *options, encl_peaks *peaks) {
    encl_status status = ENCL_OK;
    encl_peak_session session = {.device = device, .options = options, .peaks = peaks};
    *peaks = unknown_peaks();
    // Memory first: it finds out about the device's clock with a load that every device has.
    ENCL_TRY(encl_peak_measure_memory(&session));
    ENCL_TRY(encl_peak_measure_compute(&session));
    ENCL_TRY(encl_peak_measure_latency(&session));
    ENCL_TRY(encl_peak_measure_transfers(&session));
    peaks->measured_at = (int64_t)time(NULL);

cleanup:
    if (status != ENCL_OK) {
        *peaks = unknown_peaks();
    }
    return status;
}

size_t encl_peaks_count(const encl_device *device, const encl_peak_options *options) {
    enum { OF_A_SIZE = 3, COMPUTE = 4, LATENCY = 3, TRANSFERS = 4 };
    uint64_t sizes[ENCL_PEAK_SIZES];
    return OF_A_SIZE * encl_peak_sizes(device, options, sizes) + COMPUTE + LATENCY + TRANSFERS;
}

// ---- The cache --------------------------------------------------------------------------------------------

static const char cache_kind[] = "peaks";
static const char cache_format[] = "encl peaks 1"; // raised when what is measured, or how, changes

static const struct {
    const char *key;
    size_t offset;
} members[] = {
#define MEMBER(name) \
    { #name, offsetof(encl_peaks, name) }
    MEMBER(fp32_gflops), MEMBER(fp16_gflops),  MEMBER(bf16_gflops), MEMBER(int8_gops),
    MEMBER(memory_gbs),  MEMBER(launch_us),    MEMBER(enqueue_us),  MEMBER(finish_us),
    MEMBER(upload_gbs),  MEMBER(download_gbs), MEMBER(upload_us),   MEMBER(download_us),
#undef MEMBER
};

// Of the device, the driver and the kernels that measure.
static encl_status make_key(const encl_device *device, char key[ENCL_HASH_TEXT]) {
    static const char *const files[] = {"peak_memory.cl", "peak_fma.cl", "peak_dot.cl", "peak_empty.cl"};
    encl_status status = ENCL_OK;
    encl_hash hash;
    encl_hash_start(&hash);
    encl_hash_add_text(&hash, cache_format);
    encl_hash_add_text(&hash, device->cache_identity);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *text = NULL;
        ENCL_TRY(encl_program_source(files[i], &text));
        encl_hash_add_text(&hash, text);
        free(text);
    }
    encl_hash_finish(&hash, key);

cleanup:
    return status;
}

// What is not known is left out.
static bool add_number(cJSON *object, const char *key, double value) {
    return !isfinite(value) || cJSON_AddNumberToObject(object, key, value) != NULL;
}

static bool add_bandwidths(cJSON *object, const encl_peaks *peaks) {
    cJSON *array = cJSON_AddArrayToObject(object, "bandwidth");
    bool whole = array != NULL;
    for (size_t i = 0; i < peaks->bandwidth_count && whole; i++) {
        const encl_peak_bandwidth *of = &peaks->bandwidth[i];
        cJSON *item = cJSON_CreateObject();
        whole = item != NULL && cJSON_AddItemToArray(array, item) && add_number(item, "bytes", (double)of->bytes) &&
                add_number(item, "read_gbs", of->read_gbs) && add_number(item, "write_gbs", of->write_gbs) &&
                add_number(item, "copy_gbs", of->copy_gbs);
    }
    return whole;
}

void encl_peaks_store(const encl_device *device, const encl_peaks *peaks) {
    char key[ENCL_HASH_TEXT];
    encl_string text = {0};
    cJSON *object = cJSON_CreateObject();
    bool whole = object != NULL && add_number(object, "measured_at", (double)peaks->measured_at);
    for (size_t i = 0; i < sizeof members / sizeof members[0] && whole; i++) {
        double value = NAN;
        memcpy(&value, (const char *)peaks + members[i].offset, sizeof value);
        whole = add_number(object, members[i].key, value);
    }
    whole = whole && add_bandwidths(object, peaks);
    if (!whole) {
        encl_debug("peaks are not kept: no memory");
    } else if (encl_json_append(&text, object) != ENCL_OK || make_key(device, key) != ENCL_OK) {
        encl_debug("peaks are not kept: %s", encl_status_detail());
    } else {
        encl_cache_store(cache_kind, key, text.text, text.length);
    }
    encl_string_free(&text);
    cJSON_Delete(object);
}

static encl_status read_positive(const char *place, const cJSON *object, const char *key, double *value) {
    encl_status status = encl_json_get_number(place, object, key, value);
    if (status == ENCL_OK && *value <= 0.0) {
        status = encl_fail(ENCL_FORMAT, "%s: %s: found %g, expected more than 0", place, key, *value);
    }
    return status;
}

static encl_status read_bandwidth(const char *place, const cJSON *item, encl_peak_bandwidth *of) {
    encl_status status = ENCL_OK;
    int64_t bytes = 0;
    *of = (encl_peak_bandwidth){0, NAN, NAN, NAN};
    ENCL_TRY(encl_json_get_int(place, item, "bytes", 1, INT64_MAX, &bytes));
    ENCL_TRY(read_positive(place, item, "read_gbs", &of->read_gbs));
    ENCL_TRY(read_positive(place, item, "write_gbs", &of->write_gbs));
    ENCL_TRY(read_positive(place, item, "copy_gbs", &of->copy_gbs));
    of->bytes = (uint64_t)bytes;

cleanup:
    return status;
}

static encl_status read_peaks(const char *place, const char *text, size_t length, encl_peaks *peaks) {
    encl_status status = ENCL_OK;
    cJSON *object = NULL;
    const cJSON *item = NULL;
    *peaks = unknown_peaks();
    ENCL_TRY(encl_json_parse_object(place, text, length, &object));
    ENCL_TRY(encl_json_get_int(place, object, "measured_at", 0, INT64_MAX, &peaks->measured_at));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        double value = NAN;
        ENCL_TRY(read_positive(place, object, members[i].key, &value));
        memcpy((char *)peaks + members[i].offset, &value, sizeof value);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, "bandwidth")) {
        if (!cJSON_IsObject(item) || peaks->bandwidth_count == ENCL_PEAK_SIZES) {
            status = encl_fail(ENCL_FORMAT, "%s: bandwidth: found item %zu, expected at most %d objects", place,
                               peaks->bandwidth_count, (int)ENCL_PEAK_SIZES);
            goto cleanup;
        }
        ENCL_TRY(read_bandwidth(place, item, &peaks->bandwidth[peaks->bandwidth_count]));
        peaks->bandwidth_count++;
    }

cleanup:
    cJSON_Delete(object);
    return status;
}

encl_status encl_peaks_load(const encl_device *device, encl_peaks *peaks) {
    encl_status status = ENCL_OK;
    char key[ENCL_HASH_TEXT];
    void *bytes = NULL;
    size_t length = 0;
    *peaks = unknown_peaks();
    ENCL_TRY(make_key(device, key));
    ENCL_TRY(encl_cache_load(cache_kind, key, &bytes, &length));
    status = read_peaks("the cache's peaks", bytes, length, peaks);
    if (status != ENCL_OK && status != ENCL_OUT_OF_MEMORY) {
        encl_debug("%s; removed", encl_status_detail());
        encl_cache_remove(cache_kind, key);
        status = encl_fail_context(ENCL_NOT_FOUND, "%s", device->info.name);
    }

cleanup:
    free(bytes);
    if (status != ENCL_OK) {
        *peaks = unknown_peaks();
    }
    return status;
}

encl_status encl_peaks_get(const encl_device *device, encl_peaks *peaks) {
    static const int64_t millisecond = 1000000;
    const encl_peak_options options = {
        .sampling = {.warm_count = 1,
                     .warm_most_ns = 5 * millisecond,
                     .least_count = 5,
                     .least_ns = 5 * millisecond,
                     .precision = 0.02,
                     .most_ns = 25 * millisecond},
        .quick = true,
    };
    encl_status status = encl_peaks_load(device, peaks);
    if (status == ENCL_NOT_FOUND) {
        encl_info("%s: measuring what the device can do, once", device->info.name);
        status = encl_peaks_measure(device, &options, peaks);
        if (status == ENCL_OK && isfinite(peaks->fp32_gflops) && isfinite(peaks->memory_gbs)) {
            encl_peaks_store(device, peaks);
        }
    }
    return status;
}
