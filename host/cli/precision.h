// What --precision, --exact-layers and --calibration come to for a model on a device.
#ifndef ENCL_CLI_PRECISION_H
#define ENCL_CLI_PRECISION_H

#include "host/cli/output.h"

#include "host/cli/command.h"

// Precision and exact layers of a model on a device. Zero-initialise.
typedef struct encl_chosen_precision {
    encl_calibration calibration; // of --precision auto
    bool *exact_layers;           // of --exact-layers
} encl_chosen_precision;

// Adds precision and exact layers to what encl_globals_executable gave. `auto` looks for them where the cache does not
// know: seconds, once. A packed model has its own. INVALID where --exact-layers names a layer that the model does not
// have, or the command line says otherwise than a packed model. The options point into *chosen, or the model.
encl_status encl_globals_precision(const encl_globals *globals, const encl_model *model, const encl_device *device,
                                   encl_executable_options *options, encl_chosen_precision *chosen);
// Looks also for the layers that a precision needs in float32 where the command line says the precision but no layers.
encl_status encl_globals_calibrate(const encl_globals *globals, const encl_model *model, const encl_device *device,
                                   encl_executable_options *options, encl_chosen_precision *chosen);
void encl_chosen_precision_free(encl_chosen_precision *chosen);

// Adds "precision": "int8" and "exact_layers": [3, 7] to a line.
void encl_line_precision(encl_line *line, const encl_executable_info *info);
// "int8, layers 3, 7 in fp32": for people. The text must hold ENCL_PRECISION_TEXT bytes.
enum { ENCL_PRECISION_TEXT = ENCL_EXACT_LAYERS_TEXT + 64 };
const char *encl_precision_text(const encl_executable_info *info, char text[ENCL_PRECISION_TEXT]);

#endif
