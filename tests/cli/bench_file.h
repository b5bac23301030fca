// Hand-made results of a benchmark, as the program writes them.
#ifndef ENCL_TEST_BENCH_FILE_H
#define ENCL_TEST_BENCH_FILE_H

#include "cli/program.h"

// A header of one device, index 0.
static inline void bench_header(encl_string *text, const char *device, const char *driver) {
    assert_ok(encl_string_format(
        text,
        "{\"schema\":\"encl.bench/1\",\"kind\":\"model\",\"encl\":{\"version\":\"0.1.0\",\"commit\":\"abc\"},"
        "\"run\":{\"started\":\"2026-01-01T00:00:00Z\"},\"host\":{\"cpu\":\"x\"},\"devices\":[{\"index\":0,"
        "\"name\":\"%s\",\"platform\":\"p\",\"driver\":\"%s\"}],\"peaks\":[null]}\n",
        device, driver));
}

// Samples that lie around a middle, in nanoseconds: middle + (i − count/2) · step.
static inline void bench_result(encl_string *text, const char *case_id, long middle, long step, int count) {
    assert_ok(encl_string_format(text,
                                 "{\"case_id\":\"%s\",\"device_id\":0,\"status\":\"ok\",\"reason\":null,"
                                 "\"sha256\":\"m\",\"samples_ns\":[",
                                 case_id));
    for (int i = 0; i < count; i++) {
        assert_ok(encl_string_format(text, "%s%ld", i > 0 ? "," : "", middle + (i - count / 2) * step));
    }
    assert_ok(encl_string_format(text, "]}\n"));
}

static inline void bench_footer(encl_string *text, bool complete) {
    assert_ok(encl_string_format(text, "{\"complete\":%s,\"results\":1}\n", complete ? "true" : "false"));
}

// The row of a comparison with this case; fails where there is none.
static inline const cJSON *bench_row(const outcome *result, const char *case_id) {
    for (size_t i = 0; i < result->line_count; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(result->lines[i], "case_id");
        if (cJSON_IsString(item) && strcmp(item->valuestring, case_id) == 0) {
            return result->lines[i];
        }
    }
    fail_msg("no row '%s'", case_id);
    return NULL;
}

#endif
