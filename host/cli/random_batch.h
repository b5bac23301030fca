// Batches of random tokens, for measuring: the same for the same seed, on every machine.
#ifndef ENCL_CLI_RANDOM_BATCH_H
#define ENCL_CLI_RANDOM_BATCH_H

#include "runtime/base/status.h"

enum { ENCL_BATCH_TOKENS_MOST = 1 << 22, ENCL_STREAM_TOKENS_MOST = 1 << 26 };

typedef struct encl_random_batch {
    encl_batch batch; // its arrays are the two below
    int32_t *ids;
    int32_t *offsets;
} encl_random_batch;

// Sequences of these lengths, each at least 1, of at most ENCL_STREAM_TOKENS_MOST tokens in all; INVALID beyond that.
// Ids are of the vocabulary's words where it has some (BERT's begin at 1000).
encl_status encl_random_batch_of(const int32_t *lengths, int32_t sequences, int32_t vocabulary, uint64_t seed,
                                 encl_random_batch *made);
// Sequences of one length, of at most ENCL_BATCH_TOKENS_MOST tokens in all; INVALID, naming --batch and --seq, beyond.
encl_status encl_random_batch_even(int32_t sequences, int32_t length, int32_t vocabulary, uint64_t seed,
                                   encl_random_batch *made);
void encl_random_batch_free(encl_random_batch *batch); // a zeroed one is allowed

#endif
