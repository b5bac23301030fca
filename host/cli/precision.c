#include "host/cli/precision.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/input.h"
#include "host/cli/interrupt.h"
#include "host/cli/options.h"

// Layers that the command line keeps in float32: 1 … layers.
static encl_status take_exact_layers(const encl_globals *globals, const encl_model *model,
                                     encl_executable_options *options, encl_chosen_precision *chosen) {
    encl_status status = ENCL_OK;
    const size_t layers = (size_t)encl_model_get_info(model)->layers;
    int64_t *numbers = NULL;
    size_t count = 0;
    ENCL_TRY(encl_option_integers("--exact-layers", globals->exact_layers, 1, (int64_t)layers, &numbers, &count));
    ENCL_TRY(encl_allocate(layers + 1, sizeof *chosen->exact_layers, (void **)&chosen->exact_layers));
    for (size_t i = 0; i < count; i++) {
        chosen->exact_layers[numbers[i]] = true;
    }
    options->exact_layers = chosen->exact_layers;
    options->exact_layer_count = layers + 1;
cleanup:
    free(numbers);
    return status;
}

// Lets texts say which layers stay in float32, and with `any` also which precision the others get.
static encl_status calibrate(const encl_globals *globals, const encl_model *model, const encl_device *device, bool any,
                             encl_executable_options *options, encl_chosen_precision *chosen) {
    encl_status status = ENCL_OK;
    const encl_input_options file = {.path = globals->calibration};
    encl_input *input = NULL;
    encl_calibrate_options how = {.executable = *options, .check = encl_interrupt_asked};
    if (globals->calibration != NULL) {
        ENCL_TRY(encl_input_open(&file, NULL, 0, &input));
        how.next = encl_input_next;
        how.context = input;
    }
    ENCL_TRY(any ? encl_model_choose_precision(model, device, &how, &chosen->calibration)
                 : encl_model_calibrate(model, device, options->precision, &how, &chosen->calibration));
    options->precision = chosen->calibration.precision;
    options->exact_layers = chosen->calibration.exact_layers;
    options->exact_layer_count = chosen->calibration.exact_layer_count;
cleanup:
    if (input != NULL) {
        encl_input_close(input);
    }
    return status;
}

// A packed model computes as it was packed.
static encl_status take_packed(const encl_globals *globals, const encl_model *model, encl_executable_options *options) {
    const encl_model_info *info = encl_model_get_info(model);
    const encl_packed_info *packed = info->packed;
    const char *name = encl_precision_name(packed->precision);
    const bool any = globals->precision == NULL || strcmp(globals->precision, "auto") == 0;
    if (!any && strcmp(globals->precision, name) != 0) {
        return encl_fail(ENCL_INVALID, "--precision %s: %s was packed for %s; leave the option out, or pack it again",
                         globals->precision, info->path, name);
    }
    if (globals->exact_layers != NULL) {
        return encl_fail(ENCL_INVALID,
                         "--exact-layers: %s was packed with its own; leave the option out, or pack it "
                         "again",
                         info->path);
    }
    options->precision = packed->precision;
    options->exact_layers = packed->exact_layers;
    options->exact_layer_count = packed->exact_layer_count;
    return ENCL_OK;
}

encl_status encl_globals_precision(const encl_globals *globals, const encl_model *model, const encl_device *device,
                                   encl_executable_options *options, encl_chosen_precision *chosen) {
    encl_status status = ENCL_OK;
    if (encl_model_get_info(model)->packed != NULL) {
        return take_packed(globals, model, options);
    }
    if (globals->precision != NULL && strcmp(globals->precision, "auto") == 0) {
        ENCL_TRY(calibrate(globals, model, device, true, options, chosen));
    } else if (globals->exact_layers != NULL) {
        ENCL_TRY(take_exact_layers(globals, model, options, chosen));
    }
cleanup:
    if (status != ENCL_OK) {
        encl_chosen_precision_free(chosen);
    }
    return status;
}

encl_status encl_globals_calibrate(const encl_globals *globals, const encl_model *model, const encl_device *device,
                                   encl_executable_options *options, encl_chosen_precision *chosen) {
    const bool settled = options->precision == ENCL_PRECISION_FP32 || options->exact_layers != NULL;
    const encl_status status = settled ? ENCL_OK : calibrate(globals, model, device, false, options, chosen);
    if (status != ENCL_OK) {
        encl_chosen_precision_free(chosen);
    }
    return status;
}

void encl_chosen_precision_free(encl_chosen_precision *chosen) {
    encl_calibration_free(&chosen->calibration);
    free(chosen->exact_layers);
    *chosen = (encl_chosen_precision){0};
}

void encl_line_precision(encl_line *line, const encl_executable_info *info) {
    encl_line_text(line, "precision", encl_precision_name(info->precision));
    cJSON *layers = encl_line_array(line, "exact_layers");
    for (const char *at = info->exact_layers; *at != '\0';) {
        char *end = NULL;
        const long layer = strtol(at, &end, 10);
        if (end == at) {
            break; // the rest did not fit the text
        }
        encl_line_add(line, layers, cJSON_CreateNumber((double)layer));
        at = *end == ',' ? end + 1 : end;
    }
}

const char *encl_precision_text(const encl_executable_info *info, char text[ENCL_PRECISION_TEXT]) {
    const char *name = encl_precision_name(info->precision);
    if (info->exact_layers[0] == '\0') {
        snprintf(text, ENCL_PRECISION_TEXT, "%s", name);
    } else {
        snprintf(text, ENCL_PRECISION_TEXT, "%s, layers %s in fp32", name, info->exact_layers);
    }
    return text;
}
