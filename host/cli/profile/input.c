// What `encl profile` measures: random tokens or texts, packed as one batch.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/input.h"
#include "host/cli/profile/profile.h"
#include "host/cli/random_batch.h"
#include "host/cli/session.h"
#include "host/text/tokenizer.h"
#include "runtime/base/clock.h"

enum { SEED = 1 };

void encl_profile_input_free(encl_profile_input *input) {
    free(input->ids);
    free(input->offsets);
    *input = (encl_profile_input){0};
}

encl_status encl_profile_input_random(const char *shape, int32_t batch, int32_t length, int32_t vocabulary,
                                      encl_profile_input *made) {
    encl_random_batch random = {0};
    *made = (encl_profile_input){0};
    const encl_status status = encl_random_batch_even(batch, length, vocabulary, SEED, &random);
    if (status == ENCL_OK) {
        *made =
            (encl_profile_input){.length = length, .batch = random.batch, .ids = random.ids, .offsets = random.offsets};
        snprintf(made->name, sizeof made->name, "%s %dx%d", shape, batch, length);
    }
    return status;
}

typedef struct packing {
    void *ids;
    void *offsets;
    size_t id_capacity;
    size_t offset_capacity;
    int32_t tokens;
    int32_t sequences;
} packing;

static encl_status pack(packing *packed, const encl_encoding *encoding) {
    size_t tokens = (size_t)packed->tokens;
    if (tokens + encoding->count > ENCL_BATCH_TOKENS_MOST) {
        return encl_fail(ENCL_INVALID, "profile: found more than %d tokens, expected one batch",
                         ENCL_BATCH_TOKENS_MOST);
    }
    encl_status status = encl_reserve(&packed->ids, &packed->id_capacity, tokens + encoding->count, sizeof(int32_t));
    if (status == ENCL_OK) {
        status =
            encl_reserve(&packed->offsets, &packed->offset_capacity, (size_t)packed->sequences + 2, sizeof(int32_t));
    }
    if (status == ENCL_OK) {
        memcpy((int32_t *)packed->ids + tokens, encoding->ids, encoding->count * sizeof(int32_t));
        packed->tokens += (int32_t)encoding->count;
        packed->sequences++;
        ((int32_t *)packed->offsets)[0] = 0;
        ((int32_t *)packed->offsets)[packed->sequences] = packed->tokens;
    }
    return status;
}

static encl_status pack_texts(const encl_tokenizer *tokenizer, encl_input *input, int64_t max_length, packing *packed) {
    encl_encoding encoding = {0};
    encl_status status = ENCL_OK;
    int64_t truncated = 0;
    for (;;) {
        encl_text text;
        ENCL_TRY(encl_input_next(input, &text));
        if (text.text == NULL) {
            break;
        }
        ENCL_TRY(encl_tokenizer_encode(tokenizer, text.text, text.length, NULL, 0, (size_t)max_length, &encoding));
        truncated += encoding.lost > 0 ? 1 : 0;
        ENCL_TRY(pack(packed, &encoding));
    }
    encl_warn_truncated(truncated, packed->sequences, max_length);
    if (packed->sequences == 0) {
        status = encl_fail(ENCL_INVALID, "standard input: found no text, expected at least one");
    }
cleanup:
    encl_encoding_free(&encoding);
    return status;
}

// Of every sequence; 0 where they differ.
static int32_t one_length(const encl_batch *batch) {
    for (int32_t i = 1; i < batch->sequences; i++) {
        if (batch->offsets[i + 1] - batch->offsets[i] != batch->offsets[1]) {
            return 0;
        }
    }
    return batch->offsets[1];
}

encl_status encl_profile_input_texts(const encl_model *model, const encl_call *call, encl_profile_input *made) {
    const encl_input_options from = {0};
    encl_status status = ENCL_OK;
    encl_input *input = NULL;
    packing packed = {0};
    *made = (encl_profile_input){0};
    if (encl_model_tokenizer(model) == NULL) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: found no tokenizer, expected one to read texts with",
                         call->arguments[0]);
    }
    ENCL_TRY(encl_input_open(&from, call->arguments + 1, call->argument_count - 1, &input));
    int64_t start = encl_clock_ns();
    ENCL_TRY(pack_texts(encl_model_tokenizer(model), input, encl_model_get_info(model)->max_length, &packed));
    *made = (encl_profile_input){.tokenize_ns = encl_clock_ns() - start, .ids = packed.ids, .offsets = packed.offsets};
    made->batch = (encl_batch){
        .tokens = packed.tokens, .sequences = packed.sequences, .ids = made->ids, .offsets = made->offsets};
    made->length = one_length(&made->batch);
    snprintf(made->name, sizeof made->name, "texts");
    packed = (packing){0};
cleanup:
    free(packed.ids);
    free(packed.offsets);
    encl_input_close(input);
    return status;
}
