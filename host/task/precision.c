// The fastest precision that keeps the rule, looked for once and remembered in the cache.
#include <stdlib.h>
#include <string.h>

#include "host/task/calibration.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/device/device_cache.h"

// ---- The cache --------------------------------------------------------------------------------------------

static const char cache_kind[] = "precisions";
static const char cache_format[] = "encl precision 1"; // raised when what is stored, or how it is found out, changes

// Of the model, the texts, and how it is to be run on the device.
static encl_status make_key(const encl_calibrator *c, char key[ENCL_HASH_TEXT]) {
    encl_status status = ENCL_OK;
    const encl_executable_options *options = &c->options->executable;
    const int32_t choices[] = {(int32_t)options->gemm, (int32_t)options->same_bits};
    char subject[ENCL_HASH_TEXT];
    encl_hash hash;
    ENCL_TRY(encl_model_identity(c->model, subject));
    encl_hash_start(&hash);
    encl_hash_add_text(&hash, subject);
    encl_hash_add(&hash, c->texts.ids, c->texts.tokens * sizeof *c->texts.ids);
    encl_hash_add(&hash, c->texts.offsets, (c->texts.count + 1) * sizeof *c->texts.offsets);
    encl_hash_add(&hash, choices, sizeof choices);
    encl_hash_add_text(&hash, options->family);
    encl_hash_finish(&hash, subject);
    encl_device_cache_key(c->device, cache_format, subject, key);
cleanup:
    return status;
}

static const struct {
    const char *key;
    size_t offset;
} cosines[] = {
    {"worst", offsetof(encl_calibration, worst)},
    {"mean", offsetof(encl_calibration, mean)},
    {"all_worst", offsetof(encl_calibration, all_worst)},
    {"all_mean", offsetof(encl_calibration, all_mean)},
};
static const struct {
    const char *key;
    size_t offset;
} counts[] = {
    {"tokens", offsetof(encl_calibration, tokens)},
    {"text_ns", offsetof(encl_calibration, text_ns)},
    {"float32_ns", offsetof(encl_calibration, float32_ns)},
};
enum { COSINES = sizeof cosines / sizeof cosines[0], COUNTS = sizeof counts / sizeof counts[0] };

static cJSON *write_calibration(const encl_calibration *calibration) {
    cJSON *object = cJSON_CreateObject();
    cJSON *layers = cJSON_AddArrayToObject(object, "exact_layers");
    bool whole = layers != NULL &&
                 cJSON_AddStringToObject(object, "precision", encl_precision_name(calibration->precision)) != NULL;
    for (size_t i = 0; i < calibration->exact_layer_count && whole; i++) {
        whole = !calibration->exact_layers[i] || cJSON_AddItemToArray(layers, cJSON_CreateNumber((double)i));
    }
    for (size_t i = 0; i < COSINES && whole; i++) {
        const double *value = (const void *)((const char *)calibration + cosines[i].offset);
        whole = cJSON_AddNumberToObject(object, cosines[i].key, *value) != NULL;
    }
    for (size_t i = 0; i < COUNTS && whole; i++) {
        const int64_t *value = (const void *)((const char *)calibration + counts[i].offset);
        whole = cJSON_AddNumberToObject(object, counts[i].key, (double)*value) != NULL;
    }
    if (!whole) {
        cJSON_Delete(object);
        return NULL;
    }
    return object;
}

static void store(const char *key, const encl_calibration *calibration) {
    cJSON *object = write_calibration(calibration);
    encl_string text = {0};
    if (object != NULL && encl_json_append(&text, object) == ENCL_OK) {
        encl_device_cache_store(cache_kind, key, text.text);
    } else {
        encl_debug("the chosen precision is not kept: %s", object != NULL ? encl_status_detail() : "no memory");
    }
    encl_string_free(&text);
    cJSON_Delete(object);
}

static encl_status read_calibration(const char *place, const cJSON *object, encl_calibration *calibration) {
    encl_status status = ENCL_OK;
    const char *precision = "";
    const cJSON *layer = NULL;
    ENCL_TRY(encl_json_get_text(place, object, "precision", &precision));
    if (!encl_precision_parse(precision, &calibration->precision)) {
        return encl_fail(ENCL_FORMAT, "%s: precision: found '%s', expected fp32, bf16 or int8", place, precision);
    }
    cJSON_ArrayForEach(layer, encl_json_member(object, "exact_layers")) {
        int64_t number = 0;
        if (!encl_json_is_integer(layer, &number) || number < 1 || (size_t)number >= calibration->exact_layer_count) {
            return encl_fail(ENCL_FORMAT, "%s: exact_layers: expected layers from 1 to %zu", place,
                             calibration->exact_layer_count - 1);
        }
        calibration->exact += calibration->exact_layers[number] ? 0 : 1;
        calibration->exact_layers[number] = true;
    }
    for (size_t i = 0; i < COSINES; i++) {
        double *value = (void *)((char *)calibration + cosines[i].offset);
        ENCL_TRY(encl_json_get_number(place, object, cosines[i].key, value));
    }
    for (size_t i = 0; i < COUNTS; i++) {
        int64_t *value = (void *)((char *)calibration + counts[i].offset);
        ENCL_TRY(encl_json_get_int(place, object, counts[i].key, 0, INT64_MAX, value));
    }
cleanup:
    return status;
}

static encl_status start_calibration(const encl_calibrator *c, encl_calibration *calibration) {
    *calibration = (encl_calibration){.exact_layer_count = (size_t)c->model->config.layers + 1};
    return encl_allocate(calibration->exact_layer_count, sizeof *calibration->exact_layers,
                         (void **)&calibration->exact_layers);
}

// NOT_FOUND where the cache has none that can be read.
static encl_status load(const encl_calibrator *c, const char *key, encl_calibration *calibration) {
    static const char place[] = "the cache's precision";
    encl_status status = ENCL_OK;
    encl_calibration made = {0};
    char *text = NULL;
    cJSON *object = NULL;
    size_t length = 0;
    ENCL_TRY(encl_device_cache_load(cache_kind, key, &text, &length));
    ENCL_TRY(start_calibration(c, &made));
    status = encl_json_parse_object(place, text, length, &object);
    status = status == ENCL_OK ? read_calibration(place, object, &made) : status;
    if (status == ENCL_FORMAT) {
        encl_debug("%s; looked for again", encl_status_detail());
        status = ENCL_NOT_FOUND;
    }
    ENCL_TRY(status);
    *calibration = made;
    made = (encl_calibration){0};
cleanup:
    encl_calibration_free(&made);
    cJSON_Delete(object);
    free(text);
    return status;
}

// ---- The choice -------------------------------------------------------------------------------------------

// A precision must be this much faster to be worth its error.
static const double worth = 0.97;

static bool is_faster(const encl_calibration *a, const encl_calibration *b) {
    return (double)a->text_ns < worth * (double)b->text_ns;
}

// What a precision gives without exceptions, in order to look closer at the fastest first.
typedef struct contender {
    encl_precision precision;
    int64_t text_ns; // 0: the device has no kernels of it
} contender;

// What the device cannot do in a precision, it need not: float32 served already.
static bool is_left_out(encl_status status) {
    return status == ENCL_UNSUPPORTED || status == ENCL_BUILD || status == ENCL_DEVICE || status == ENCL_DEVICE_MEMORY;
}

static encl_status try_contenders(const encl_calibrator *c, contender contenders[2]) {
    encl_status status = ENCL_OK;
    const bool library = c->options->executable.gemm == ENCL_GEMM_CLBLAST; // which multiplies in float32 only
    for (int i = 0; i < 2 && !library; i++) {
        encl_calibration_figures figures;
        status = encl_calibrator_measure(c, contenders[i].precision, NULL, &figures);
        if (is_left_out(status)) {
            encl_debug("precision %s is left out: %s", encl_precision_name(contenders[i].precision),
                       encl_status_detail());
            continue;
        }
        ENCL_TRY(status);
        contenders[i].text_ns = figures.text_ns;
    }
    status = ENCL_OK;
    if (contenders[1].text_ns > 0 && (contenders[0].text_ns == 0 || contenders[1].text_ns < contenders[0].text_ns)) {
        const contender slower = contenders[0];
        contenders[0] = contenders[1];
        contenders[1] = slower;
    }
cleanup:
    return status;
}

static encl_status choose(encl_calibrator *c, encl_calibration *best) {
    encl_status status = ENCL_OK;
    contender contenders[2] = {{ENCL_PRECISION_BF16, 0}, {ENCL_PRECISION_INT8, 0}};
    encl_calibration made = {0};
    ENCL_TRY(encl_calibrator_start(c));
    ENCL_TRY(encl_calibrator_find(c, ENCL_PRECISION_FP32, best));
    ENCL_TRY(try_contenders(c, contenders));
    for (int i = 0; i < 2; i++) {
        const encl_calibration at_best = {.text_ns = contenders[i].text_ns};
        if (at_best.text_ns == 0 || !is_faster(&at_best, best)) {
            continue;
        }
        ENCL_TRY(encl_calibrator_find(c, contenders[i].precision, &made));
        if (is_faster(&made, best)) {
            encl_calibration_free(best);
            *best = made;
            made = (encl_calibration){0};
        }
        encl_calibration_free(&made);
    }
cleanup:
    encl_calibration_free(&made);
    return status;
}

static encl_status say(const encl_calibrator *c, const encl_calibration *chosen, bool remembered) {
    encl_status status = ENCL_OK;
    encl_string text = {0};
    const double rule = encl_precision_rule(chosen->precision);
    ENCL_TRY(encl_string_format(&text, "%.1f ms a text", (double)chosen->text_ns / 1e6));
    if (chosen->precision != ENCL_PRECISION_FP32) {
        ENCL_TRY(encl_string_format(&text, " (fp32 %.1f), worst cosine %.5f of %lld tokens, at least %g asked for",
                                    (double)chosen->float32_ns / 1e6, chosen->worst, (long long)chosen->tokens, rule));
    } else {
        ENCL_TRY(encl_string_format(&text, ", no other precision is faster and within the rule"));
    }
    if (chosen->exact > 0) {
        ENCL_TRY(encl_string_format(&text, "; in fp32 stay layers"));
        for (size_t i = 0; i < chosen->exact_layer_count; i++) {
            ENCL_TRY(chosen->exact_layers[i] ? encl_string_format(&text, " %zu", i) : ENCL_OK);
        }
    }
    encl_info("precision %s on %s: %s%s", encl_precision_name(chosen->precision), encl_device_get_info(c->device)->name,
              text.text, remembered ? " (remembered)" : "");
cleanup:
    encl_string_free(&text);
    return status;
}

encl_status encl_model_choose_precision(const encl_model *model, const encl_device *device,
                                        const encl_calibrate_options *options, encl_calibration *calibration) {
    static const encl_calibrate_options defaults = {0};
    encl_status status = ENCL_OK;
    encl_calibrator c = {0};
    encl_calibration chosen = {0};
    char key[ENCL_HASH_TEXT];
    *calibration = (encl_calibration){0};
    ENCL_TRY(encl_calibrator_open(model, device, options == NULL ? &defaults : options, &c));
    ENCL_TRY(make_key(&c, key));
    status = load(&c, key, &chosen);
    const bool remembered = status == ENCL_OK;
    if (status == ENCL_NOT_FOUND) {
        encl_info("%s: looking for the best precision for this model, once", encl_device_get_info(device)->name);
        status = choose(&c, &chosen);
        if (status == ENCL_OK) {
            store(key, &chosen);
        }
    }
    ENCL_TRY(status);
    ENCL_TRY(say(&c, &chosen, remembered));
    *calibration = chosen;
    chosen = (encl_calibration){0};
cleanup:
    encl_calibration_free(&chosen);
    encl_calibrator_close(&c);
    return status;
}
