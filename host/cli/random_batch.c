#include "host/cli/random_batch.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/random.h"

enum { FIRST_WORD_ID = 1000 }; // where BERT's vocabularies begin to hold words

encl_status encl_random_batch_of(const int32_t *lengths, int32_t sequences, int32_t vocabulary, uint64_t seed,
                                 encl_random_batch *made) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    encl_random_batch random = {0};
    const int32_t first = vocabulary > FIRST_WORD_ID ? FIRST_WORD_ID : 0;
    uint64_t state = seed;
    int64_t tokens = 0;
    *made = random;
    ENCL_TRY(encl_allocate((size_t)sequences + 1, sizeof(int32_t), &memory));
    random.offsets = memory;
    for (int32_t i = 0; i < sequences; i++) {
        tokens += lengths[i];
        if (lengths[i] < 1 || tokens > ENCL_STREAM_TOKENS_MOST) {
            status = encl_fail(ENCL_INVALID, "found sequences of %lld tokens, expected 1 … %d in all",
                               (long long)tokens, ENCL_STREAM_TOKENS_MOST);
            goto cleanup;
        }
        random.offsets[i + 1] = (int32_t)tokens;
    }
    ENCL_TRY(encl_allocate((size_t)tokens, sizeof(int32_t), &memory));
    random.ids = memory;
    for (int64_t i = 0; i < tokens; i++) {
        random.ids[i] = first + (int32_t)(encl_random_next(&state) % (uint64_t)(vocabulary - first));
    }
    random.batch =
        (encl_batch){.tokens = (int32_t)tokens, .sequences = sequences, .ids = random.ids, .offsets = random.offsets};
    *made = random;
    random = (encl_random_batch){0};
cleanup:
    encl_random_batch_free(&random);
    return status;
}

encl_status encl_random_batch_even(int32_t sequences, int32_t length, int32_t vocabulary, uint64_t seed,
                                   encl_random_batch *made) {
    void *memory = NULL;
    *made = (encl_random_batch){0};
    if ((int64_t)sequences * length > ENCL_BATCH_TOKENS_MOST) {
        return encl_fail(ENCL_INVALID, "--batch %d, --seq %d: found %lld tokens, expected at most %d", sequences,
                         length, (long long)sequences * length, ENCL_BATCH_TOKENS_MOST);
    }
    encl_status status = encl_allocate((size_t)sequences, sizeof(int32_t), &memory);
    if (status == ENCL_OK) {
        int32_t *lengths = memory;
        for (int32_t i = 0; i < sequences; i++) {
            lengths[i] = length;
        }
        status = encl_random_batch_of(lengths, sequences, vocabulary, seed, made);
    }
    free(memory);
    return status;
}

void encl_random_batch_free(encl_random_batch *batch) {
    free(batch->ids);
    free(batch->offsets);
    *batch = (encl_random_batch){0};
}
