// What the tests of graphs share: weights drawn from a seed, a small encoder, packed batches, and the devices.
#ifndef ENCL_TEST_GRAPH_FIXTURE_H
#define ENCL_TEST_GRAPH_FIXTURE_H

#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/device/device.h"

// A number in [−1, 1) that depends on both arguments alone.
static inline float fixture_draw(uint64_t seed, uint64_t index) {
    uint64_t z = (seed * 0x2545f4914f6cdd1du) ^ (index * 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93u;
    z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93u;
    return (float)((z ^ (z >> 32)) >> 40) * 0x1p-23f - 1.0f;
}

// Where a weight's numbers come from. One element may be made something else (not_finite), and reads are counted.
typedef struct fixture_source {
    char name[24];
    uint64_t seed;
    int64_t width;
    float middle, spread;
    int64_t odd_element; // −1: none
    float odd_value;
    int reads;
} fixture_source;

enum { FIXTURE_SOURCES = 128 };
typedef struct fixture_weights {
    fixture_source sources[FIXTURE_SOURCES];
    size_t count;
} fixture_weights;

static inline float fixture_element(const fixture_source *s, int64_t index) {
    return index == s->odd_element ? s->odd_value : s->middle + s->spread * fixture_draw(s->seed, (uint64_t)index);
}

static inline encl_status fixture_read(void *context, int64_t row, int64_t count, float *destination) {
    fixture_source *s = context;
    for (int64_t i = 0; i < count * s->width; i++) {
        destination[i] = fixture_element(s, row * s->width + i);
    }
    s->reads++;
    return ENCL_OK;
}

// The next weight; columns 0: a vector. Its numbers lie in middle ± spread.
static inline encl_weight fixture_weight(fixture_weights *all, int64_t rows, int64_t columns, float middle,
                                         float spread) {
    assert_true(all->count < FIXTURE_SOURCES);
    fixture_source *s = &all->sources[all->count++];
    *s = (fixture_source){
        .seed = all->count, .width = columns == 0 ? 1 : columns, .middle = middle, .spread = spread, .odd_element = -1};
    snprintf(s->name, sizeof s->name, "w%zu", all->count);
    return (encl_weight){s->name, rows, columns, fixture_read, s, NULL};
}

static inline encl_value fixture_linear(fixture_weights *all, encl_graph *graph, encl_value x, int64_t in,
                                        int64_t out) {
    encl_weight weight = fixture_weight(all, out, in, 0, 1.5f / sqrtf((float)in));
    encl_weight bias = fixture_weight(all, out, 0, 0, 0.3f);
    encl_value value = 0;
    assert_ok(encl_graph_linear(graph, x, &weight, &bias, &value));
    return value;
}

static inline encl_value fixture_norm(fixture_weights *all, encl_graph *graph, encl_value x, int64_t width) {
    encl_weight gamma = fixture_weight(all, width, 0, 1, 0.2f);
    encl_weight beta = fixture_weight(all, width, 0, 0, 0.2f);
    encl_value value = 0;
    assert_ok(encl_graph_layer_norm(graph, x, &gamma, &beta, 1e-12f, &value));
    return value;
}

typedef struct fixture_shape {
    int32_t layers, hidden, heads, intermediate, vocabulary, positions;
} fixture_shape;

static inline encl_value fixture_embed(fixture_weights *all, encl_graph *graph, const fixture_shape *shape) {
    encl_weight word = fixture_weight(all, shape->vocabulary, shape->hidden, 0, 1);
    encl_weight position = fixture_weight(all, shape->positions, shape->hidden, 0, 0.5f);
    encl_weight type = fixture_weight(all, 2, shape->hidden, 0, 0.5f);
    encl_weight gamma = fixture_weight(all, shape->hidden, 0, 1, 0.2f);
    encl_weight beta = fixture_weight(all, shape->hidden, 0, 0, 0.2f);
    encl_value x = 0;
    encl_graph_set_layer(graph, 0);
    assert_ok(encl_graph_embed(graph, &word, &position, &type, &gamma, &beta, 1e-12f, &x));
    return x;
}

// A BERT encoder; gives the last hidden state.
static inline encl_value fixture_encoder(fixture_weights *all, encl_graph *graph, const fixture_shape *shape) {
    const int64_t H = shape->hidden;
    encl_value x = fixture_embed(all, graph, shape);
    for (int32_t layer = 1; layer <= shape->layers; layer++) {
        encl_graph_set_layer(graph, layer);
        const encl_value q = fixture_linear(all, graph, x, H, H);
        const encl_value k = fixture_linear(all, graph, x, H, H);
        const encl_value v = fixture_linear(all, graph, x, H, H);
        encl_value y = 0;
        assert_ok(encl_graph_attention(graph, q, k, v, shape->heads, &y));
        y = fixture_linear(all, graph, y, H, H);
        assert_ok(encl_graph_add(graph, y, x, &y));
        x = fixture_norm(all, graph, y, H);
        y = fixture_linear(all, graph, x, H, shape->intermediate);
        assert_ok(encl_graph_activation(graph, y, ENCL_ACTIVATION_GELU, &y));
        y = fixture_linear(all, graph, y, shape->intermediate, H);
        assert_ok(encl_graph_add(graph, y, x, &y));
        x = fixture_norm(all, graph, y, H);
    }
    encl_graph_set_layer(graph, shape->layers + 1);
    return x;
}

enum { FIXTURE_TOKENS = 2048, FIXTURE_SEQUENCES = 64 };
typedef struct fixture_batch {
    int32_t ids[FIXTURE_TOKENS];
    int32_t types[FIXTURE_TOKENS];
    int32_t offsets[FIXTURE_SEQUENCES + 1];
    int32_t rows[FIXTURE_TOKENS];
    int32_t tokens, sequences, selected;
} fixture_batch;

// Adds a sequence whose ids and types follow from its seed alone.
static inline void fixture_add(fixture_batch *batch, uint64_t seed, int32_t length, int32_t vocabulary) {
    assert_true(batch->tokens + length <= FIXTURE_TOKENS && batch->sequences < FIXTURE_SEQUENCES);
    for (int32_t t = 0; t < length; t++) {
        const float draw = fixture_draw(seed, (uint64_t)t) * 0.5f + 0.5f;
        batch->ids[batch->tokens + t] = (int32_t)(draw * (float)vocabulary) % vocabulary;
        batch->types[batch->tokens + t] = t > length / 2;
    }
    batch->tokens += length;
    batch->offsets[++batch->sequences] = batch->tokens;
}

static inline encl_batch fixture_packed(const fixture_batch *b) {
    return (encl_batch){.tokens = b->tokens,
                        .sequences = b->sequences,
                        .selected = b->selected,
                        .ids = b->ids,
                        .types = b->types,
                        .offsets = b->offsets,
                        .rows = b->rows};
}

// Runs a batch and waits for it. The caller releases the event.
static inline encl_event *fixture_run(encl_executable *executable, const fixture_batch *batch, bool profile) {
    const encl_batch packed = fixture_packed(batch);
    encl_event *event = NULL;
    assert_ok(encl_executable_run(executable, &packed, profile, &event));
    assert_ok(encl_event_wait(event, -1));
    return event;
}

// An output whose shape must be [rows, columns].
static inline const float *fixture_output(encl_event *event, size_t index, int64_t rows, int64_t columns) {
    const float *data = NULL;
    int64_t found_rows = 0;
    int64_t found_columns = 0;
    assert_ok(encl_event_output(event, index, &data, &found_rows, &found_columns));
    assert_int_equal(found_rows, rows);
    assert_int_equal(found_columns, columns);
    return data;
}

static inline bool fixture_same_bits(const float *a, const float *b, int64_t count) {
    return memcmp(a, b, (size_t)count * sizeof(float)) == 0;
}

static inline float fixture_difference(const float *a, const float *b, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++) {
        const float difference = fabsf(a[i] - b[i]);
        largest = difference <= largest ? largest : difference; // a NaN is kept
    }
    return largest;
}

// Software rasterizers spread work-items over lanes and compile tile kernels for many minutes.
static inline bool fixture_takes(const encl_device *device, const char *family) {
    const bool takes = !encl_device_get_info(device)->software || family == NULL || strcmp(family, "tile") != 0;
    if (!takes) {
        print_message("    family %s is not tried on a software rasterizer\n", family);
    }
    return takes;
}

#endif
