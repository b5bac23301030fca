// A model over calibration texts in any precision, compared token by token with what it gives in float32.
#ifndef ENCL_TASK_CALIBRATION_H
#define ENCL_TASK_CALIBRATION_H

#include "host/model/model.h"
#include "runtime/base/embedded.h"

// The texts that are built in, one a line.
extern const encl_embedded_file encl_calibration_files[];
extern const size_t encl_calibration_file_count;

enum { ENCL_CALIBRATION_TOKENS = 16384 };

// Sequences of the model's tokens.
typedef struct encl_calibration_texts {
    int32_t *ids;
    int32_t *types;
    size_t tokens, id_capacity, type_capacity;
    int32_t *offsets; // [count + 1] where they begin
    size_t count, offset_capacity;
    int32_t longest;
} encl_calibration_texts;

// Tokenizes the texts of the options, or those that are built in; random tokens for a model without a tokenizer.
// INVALID where there is no text. Freed by encl_calibration_texts_free, also after a failure.
encl_status encl_calibration_texts_read(const encl_model *model, const encl_calibrate_options *options,
                                        encl_calibration_texts *texts);
void encl_calibration_texts_free(encl_calibration_texts *texts);

// What one precision gives.
typedef struct encl_calibration_figures {
    double worst, mean; // cosine of a token; −1 where a number is not finite
    int64_t text_ns;    // a run of 128 tokens: the median of a few
} encl_calibration_figures;

typedef struct encl_calibrator {
    const encl_model *model;
    const encl_device *device;
    const encl_calibrate_options *options;
    encl_calibration_texts texts;
    float *reference;   // [tokens, hidden] in float32; NULL before the start
    int64_t float32_ns; // of a text
} encl_calibrator;

// Reads the texts.
encl_status encl_calibrator_open(const encl_model *model, const encl_device *device,
                                 const encl_calibrate_options *options, encl_calibrator *calibrator);
void encl_calibrator_close(encl_calibrator *calibrator); // also after a failure
// Computes the texts in float32, once. Before anything is measured.
encl_status encl_calibrator_start(encl_calibrator *calibrator);
// Computes the texts in another precision. exact_layers: [layers + 1], NULL: none.
encl_status encl_calibrator_measure(const encl_calibrator *calibrator, encl_precision precision,
                                    const bool *exact_layers, encl_calibration_figures *figures);
// Fills the calibration with the layers that keep the rule, and with what they give.
encl_status encl_calibrator_find(const encl_calibrator *calibrator, encl_precision precision,
                                 encl_calibration *calibration);

#endif
