// The sequences that a precision is tried on.
#include <stdlib.h>
#include <string.h>

#include "host/task/calibration.h"
#include "host/task/reader.h"
#include "runtime/base/random.h"

static encl_status add(encl_calibration_texts *texts, const int32_t *ids, const int32_t *types, size_t count) {
    encl_status status = ENCL_OK;
    const size_t tokens = texts->tokens + count;
    ENCL_TRY(encl_reserve((void **)&texts->ids, &texts->id_capacity, tokens, sizeof *texts->ids));
    ENCL_TRY(encl_reserve((void **)&texts->types, &texts->type_capacity, tokens, sizeof *texts->types));
    ENCL_TRY(encl_reserve((void **)&texts->offsets, &texts->offset_capacity, texts->count + 2, sizeof *texts->offsets));
    memcpy(texts->ids + texts->tokens, ids, count * sizeof *ids);
    memcpy(texts->types + texts->tokens, types, count * sizeof *types);
    texts->tokens = tokens;
    texts->offsets[0] = 0;
    texts->offsets[++texts->count] = (int32_t)tokens;
    texts->longest = (int32_t)count > texts->longest ? (int32_t)count : texts->longest;
cleanup:
    return status;
}

// The lines of the files that are built in.
typedef struct lines {
    const char *at;
} lines;

static encl_status next_line(void *context, encl_text *text) {
    lines *left = context;
    const char *end = left->at != NULL ? strchr(left->at, '\n') : NULL;
    if (end != NULL) {
        *text = (encl_text){.text = left->at, .length = (size_t)(end - left->at)};
        left->at = end + 1;
    }
    return ENCL_OK;
}

static encl_status read_texts(const encl_model *model, const encl_calibrate_options *options,
                              encl_calibration_texts *texts) {
    encl_status status = ENCL_OK;
    encl_reader reader = {0};
    lines built_in = {encl_calibration_files[0].text};
    ENCL_TRY(encl_reader_init(model, 0, false, &reader));
    if (options->next != NULL) {
        encl_reader_start(&reader, options->next, options->context);
    } else {
        encl_reader_start(&reader, next_line, &built_in);
    }
    while (texts->tokens < ENCL_CALIBRATION_TOKENS) {
        encl_text text;
        ENCL_TRY(encl_reader_next(&reader, &text));
        if (text.text == NULL) {
            break;
        }
        ENCL_TRY(encl_reader_encode(&reader, &text));
        ENCL_TRY(add(texts, reader.encoding.ids, reader.encoding.types, reader.encoding.count));
    }
cleanup:
    encl_reader_free(&reader);
    return status;
}

static encl_status draw_texts(const encl_model *model, encl_calibration_texts *texts) {
    enum { LONGEST = 128, SEQUENCES = 12 };
    encl_status status = ENCL_OK;
    uint64_t state = 1;
    const int32_t most = model->config.max_position < LONGEST ? model->config.max_position : LONGEST;
    for (int32_t s = 0; s < SEQUENCES; s++) {
        int32_t ids[LONGEST];
        static const int32_t types[LONGEST] = {0};
        const int32_t count = s == 0 ? most : 1 + (int32_t)(encl_random_next(&state) % (uint64_t)most);
        for (int32_t i = 0; i < count; i++) {
            ids[i] = (int32_t)(encl_random_next(&state) % (uint64_t)model->config.vocabulary);
        }
        ENCL_TRY(add(texts, ids, types, (size_t)count));
    }
cleanup:
    return status;
}

encl_status encl_calibration_texts_read(const encl_model *model, const encl_calibrate_options *options,
                                        encl_calibration_texts *texts) {
    *texts = (encl_calibration_texts){0};
    const encl_status status = model->tokenizer == NULL ? draw_texts(model, texts) : read_texts(model, options, texts);
    if (status == ENCL_OK && texts->count == 0) {
        return encl_fail(ENCL_INVALID, "calibration: found no text, expected at least one");
    }
    return status;
}

void encl_calibration_texts_free(encl_calibration_texts *texts) {
    free(texts->ids);
    free(texts->types);
    free(texts->offsets);
    *texts = (encl_calibration_texts){0};
}
