// What tests of tasks share: models, streams of texts, and golden files.
#ifndef ENCL_TEST_TASK_FIXTURE_H
#define ENCL_TEST_TASK_FIXTURE_H

#include "runtime/base/status.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/encl_model.h"
#include "runtime/base/json.h"

enum { GOLDEN_BYTES = 1 << 22 };

static inline void assert_detail(const char *part) {
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("'%s' does not say '%s'", encl_status_detail(), part);
    }
}

static inline encl_model *open_model(const char *path) {
    encl_model *model = NULL;
    assert_ok(encl_model_open(path, &model));
    return model;
}

static inline encl_model *open_fixture(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "tests/fixtures/%s", name);
    return open_model(path);
}

// A model of ../shared/models; skips the test where it is not there.
static inline encl_model *open_shared(const char *name) {
    char path[512];
    const char *shared = getenv("ENCL_SHARED");
    encl_model *model = NULL;
    snprintf(path, sizeof path, "%s/models/%s", shared != NULL ? shared : "../shared", name);
    const encl_status status = encl_model_open(path, &model);
    if (status == ENCL_NOT_FOUND) {
        print_message("skipped: %s\n", encl_status_detail());
        skip();
    }
    assert_ok(status);
    return model;
}

// ---- Texts ------------------------------------------------------------------------------------------------

static inline encl_text make_text(const char *text, const char *pair) {
    return (encl_text){
        .text = text, .length = strlen(text), .pair = pair, .pair_length = pair != NULL ? strlen(pair) : 0};
}

// ---- Goldens ----------------------------------------------------------------------------------------------

static inline cJSON *read_golden(const char *name) {
    char path[256];
    cJSON *golden = NULL;
    snprintf(path, sizeof path, "tests/golden/task/%s", name);
    assert_ok(encl_json_read(path, GOLDEN_BYTES, &golden));
    return golden;
}

static inline const cJSON *get(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(item);
    return item;
}

static inline const char *get_text(const cJSON *object, const char *key) {
    assert_true(cJSON_IsString(get(object, key)));
    return get(object, key)->valuestring;
}

static inline double get_number(const cJSON *object, const char *key) {
    assert_true(cJSON_IsNumber(get(object, key)));
    return get(object, key)->valuedouble;
}

// Cases of one fixture stand together: those from `first` on that have its fixture, at most `capacity`.
static inline size_t collect_cases(const cJSON *first, const cJSON **cases, size_t capacity) {
    size_t count = 0;
    for (const cJSON *item = first; item != NULL; item = item->next) {
        if (strcmp(get_text(item, "fixture"), get_text(first, "fixture")) != 0) {
            break;
        }
        assert_true(count < capacity);
        cases[count++] = item;
    }
    return count;
}

// float32 on a device against float64, rounded to seven digits.
static inline void assert_close(double found, double expected) {
    if (!(fabs(found - expected) <= 2e-5 + 2e-4 * fabs(expected))) {
        fail_msg("found %.9g, expected %.9g", found, expected);
    }
}

// A check that fails once it was asked as often as the context says.
static inline encl_status stop_later(void *context) {
    int *checks_left = context;
    return (*checks_left)-- > 0 ? ENCL_OK : encl_fail(ENCL_INTERRUPTED, "stopped");
}

#endif
