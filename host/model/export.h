// A model as a folder that Hugging Face transformers reads, whatever it came from: model.safetensors, config.json, the
// tokenizer's files and, where they are, those of sentence-transformers.
#ifndef ENCL_MODEL_EXPORT_H
#define ENCL_MODEL_EXPORT_H

#include "host/model/model.h"

// What was written. Zero-initialise.
typedef struct encl_export {
    char *architecture;  // "BertForMaskedLM"
    encl_texts files;    // names in the folder, in the order of writing
    encl_texts left_out; // stored names of tensors that nothing reads and whose name is not Hugging Face's
    size_t tensors;
    int64_t bytes; // of model.safetensors
} encl_export;

// Writes into a folder that exists. Weights keep their dtypes; what is tied to other weights is not stored twice.
// proceed() is asked between parts of the weights and ends the writing with its status; NULL: nothing is asked. On
// failure the folder holds some of the files.
encl_status encl_model_export(const encl_model *model, const char *folder, encl_status (*proceed)(void),
                              encl_export *report);
void encl_export_free(encl_export *report); // a zeroed one is allowed

// The class that transformers loads the model with ("BertForMaskedLM"): what its configuration says, else what its
// heads are. Caller frees.
encl_status encl_export_architecture(const encl_model *model, char **architecture);

// ---- export_config.c --------------------------------------------------------------------------------------

// config.json of the model, complete. Caller frees *text with free().
encl_status encl_export_config(const encl_model *model, const char *architecture, char **text);
// tokenizer_config.json: the model's own, with the casing said where it says none. Caller frees *text.
encl_status encl_export_tokenizer_config(const encl_model *model, char **text);

#endif
