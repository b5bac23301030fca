// Sequences through an executable: rows of every kind, batches, notes, and failures in the middle.
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/model/model.h"
#include "host/task/pipeline.h"

static const char folder[] = "tests/fixtures/tiny-bert";

enum { HIDDEN = 32, LONGEST = 70, SEQUENCES = 70, VOCABULARY = 60 };

// ---- Sequences --------------------------------------------------------------------------------------------

// Sequence `index`: 1 … LONGEST tokens of both types, of which every `1 + index % 5`th is selected from the first on,
// none where index % 7 = 3; and a note of index % 40 bytes.
typedef struct made {
    int32_t ids[LONGEST];
    int32_t types[LONGEST];
    int32_t selected[LONGEST];
    int32_t count, selected_count;
    unsigned char note[40];
    size_t note_bytes;
} made;

static void make_sequence(int64_t index, made *sequence) {
    memset(sequence, 0, sizeof *sequence);
    sequence->count = (int32_t)(1 + index * 13 % LONGEST);
    for (int32_t i = 0; i < sequence->count; i++) {
        sequence->ids[i] = (int32_t)((index * 31 + (int64_t)i * i) % VOCABULARY);
        sequence->types[i] = index % 3 == 0 ? 0 : i % 2;
        if (index % 7 != 3 && i % (1 + index % 5) == 0) {
            sequence->selected[sequence->selected_count++] = i;
        }
    }
    sequence->note_bytes = (size_t)(index % 40);
    memset(sequence->note, (int)index, sequence->note_bytes);
}

typedef struct stream {
    int64_t count, at, results;
    int64_t fail_at, stop_at; // −1: never
    encl_result_rows rows;
    made sequence;
    float values[SEQUENCES][LONGEST][HIDDEN];
} stream;

static encl_status next_sequence(void *context, encl_sequence *sequence) {
    stream *s = context;
    if (s->at == s->fail_at) {
        return encl_fail(ENCL_IO, "the reader is gone");
    }
    if (s->at == s->count) {
        return ENCL_OK;
    }
    const int64_t index = s->at++;
    make_sequence(index, &s->sequence);
    sequence->ids = s->sequence.ids;
    sequence->types = index % 3 == 0 ? NULL : s->sequence.types;
    sequence->count = s->sequence.count;
    sequence->selected = s->sequence.selected;
    sequence->selected_count = s->sequence.selected_count;
    sequence->note = s->sequence.note;
    sequence->note_bytes = s->sequence.note_bytes;
    return ENCL_OK;
}

static encl_status take(void *context, const encl_sequence_result *result) {
    stream *s = context;
    made expected;
    if (s->results == s->stop_at) {
        return encl_fail(ENCL_INTERRUPTED, "enough");
    }
    make_sequence(s->results, &expected);
    const int64_t rows = s->rows == ENCL_RESULT_TOKENS     ? expected.count
                         : s->rows == ENCL_RESULT_SELECTED ? expected.selected_count
                                                           : 1;
    assert_int_equal(result->index, s->results);
    assert_int_equal(result->rows, rows);
    assert_int_equal(result->columns, HIDDEN);
    assert_int_equal(result->count, expected.count);
    assert_memory_equal(result->ids, expected.ids, (size_t)expected.count * sizeof(int32_t));
    assert_int_equal(result->note_bytes, expected.note_bytes);
    if (expected.note_bytes == 0) {
        assert_null(result->note);
    } else {
        assert_memory_equal(result->note, expected.note, expected.note_bytes);
        assert_int_equal((uintptr_t)result->note % _Alignof(max_align_t), 0);
    }
    if (rows > 0) {
        memcpy(s->values[s->results], result->values, (size_t)rows * HIDDEN * sizeof(float));
    }
    s->results++;
    return ENCL_OK;
}

static void start(stream *s, encl_result_rows rows, int64_t count) {
    memset(s, 0, sizeof *s);
    s->rows = rows;
    s->count = count;
    s->fail_at = -1;
    s->stop_at = -1;
}

// ---- Pipelines --------------------------------------------------------------------------------------------

static encl_model *open_model(void) {
    encl_model *model = NULL;
    assert_ok(encl_model_open(folder, &model));
    return model;
}

// The encoder, and of its last hidden state the rows that are asked for.
static encl_status make_pipeline(const encl_model *model, const encl_device *device,
                                 const encl_executable_options *options, encl_result_rows rows, int64_t max_length,
                                 encl_pipeline **pipeline) {
    encl_graph *graph = NULL;
    encl_value hidden = 0;
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_bert_encode(&model->bert, &model->config, graph, &hidden));
    if (rows != ENCL_RESULT_TOKENS) {
        const encl_selection selection = rows == ENCL_RESULT_SELECTED ? ENCL_SELECT_LISTED : ENCL_SELECT_FIRST;
        assert_ok(encl_graph_select(graph, hidden, selection, &hidden));
    }
    assert_ok(encl_graph_output(graph, hidden));
    const encl_status status = encl_pipeline_create(device, &graph, options, rows, max_length, pipeline);
    encl_graph_destroy(graph);
    return status;
}

static void assert_detail(const char *part) {
    if (strstr(encl_status_detail(), part) == NULL) {
        fail_msg("'%s' does not say '%s'", encl_status_detail(), part);
    }
}

// On CPUs a row's bits do not depend on its batch, nor on which rows of the last layer are computed.
static void assert_row(const encl_device *device, const float *found, const float *expected) {
    for (size_t h = 0; h < HIDDEN; h++) {
        const bool same = encl_device_get_info(device)->type == ENCL_DEVICE_CPU
                              ? memcmp(&found[h], &expected[h], sizeof(float)) == 0
                              : fabsf(found[h] - expected[h]) < 1e-5f;
        assert_true(same);
    }
}

// Compares what a run gave with the rows of a run that gave all tokens.
static void assert_rows(const encl_device *device, const stream *s, const stream *all) {
    made sequence;
    assert_int_equal(s->results, s->count);
    for (int64_t i = 0; i < s->count; i++) {
        make_sequence(i, &sequence);
        const int32_t rows = s->rows == ENCL_RESULT_TOKENS     ? sequence.count
                             : s->rows == ENCL_RESULT_SELECTED ? sequence.selected_count
                                                               : 1;
        for (int32_t r = 0; r < rows; r++) {
            const int32_t token = s->rows == ENCL_RESULT_SELECTED ? sequence.selected[r] : r;
            assert_row(device, s->values[i][r], all->values[i][token]);
        }
    }
}

static void rows_on(const encl_device *device) {
    static stream all;
    static stream s;
    static const encl_executable_options cases[] = {
        {.depth = 2},
        {.capacity.tokens = LONGEST},
        {.capacity = {.tokens = 333, .sequences = 7}, .depth = 1},
        {.capacity = {.tokens = 400, .sequences = 50, .selected = LONGEST}},
        {.capacity = {.tokens = 1000, .sequences = 100, .panels = 4}},
    };
    encl_model *model = open_model();
    encl_pipeline *pipeline = NULL;
    assert_ok(make_pipeline(model, device, NULL, ENCL_RESULT_TOKENS, LONGEST, &pipeline));
    assert_int_equal(encl_pipeline_get_info(pipeline)->outputs, 1);
    start(&all, ENCL_RESULT_TOKENS, SEQUENCES);
    assert_ok(encl_pipeline_run(pipeline, next_sequence, &all, take, &all));
    encl_pipeline_destroy(pipeline);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int rows = ENCL_RESULT_TOKENS; rows <= ENCL_RESULT_SELECTED; rows++) {
            assert_ok(make_pipeline(model, device, &cases[i], (encl_result_rows)rows, LONGEST, &pipeline));
            start(&s, (encl_result_rows)rows, SEQUENCES);
            assert_ok(encl_pipeline_run(pipeline, next_sequence, &s, take, &s));
            assert_rows(device, &s, &all);
            start(&s, (encl_result_rows)rows, 0);
            assert_ok(encl_pipeline_run(pipeline, next_sequence, &s, take, &s));
            assert_int_equal(s.results, 0);
            encl_pipeline_destroy(pipeline);
        }
    }
    encl_model_close(model);
}

static void rows_do_not_depend_on_batches(void **state) {
    (void)state;
    encl_test_on_devices(rows_on);
}

// ---- What does not fit ------------------------------------------------------------------------------------

typedef struct one {
    encl_sequence sequence;
    bool given;
} one;

static encl_status next_one(void *context, encl_sequence *sequence) {
    one *single = context;
    if (!single->given) {
        *sequence = single->sequence;
        single->given = true;
    }
    return ENCL_OK;
}

static encl_status count_result(void *context, const encl_sequence_result *result) {
    (void)result;
    ++*(int *)context;
    return ENCL_OK;
}

static encl_status run_one(encl_pipeline *pipeline, const encl_sequence *sequence) {
    one single = {.sequence = *sequence};
    int results = 0;
    const encl_status status = encl_pipeline_run(pipeline, next_one, &single, count_result, &results);
    assert_int_equal(results, status == ENCL_OK ? 1 : 0);
    return status;
}

static void too_large_on(const encl_device *device) {
    static const int32_t ids[LONGEST] = {0};
    static const int32_t selected[] = {0, 1, 2};
    static const int32_t twice[] = {1, 1};
    const encl_executable_options options = {.capacity = {.tokens = 40, .sequences = 4, .selected = 2}};
    const encl_executable_options panels = {.capacity = {.tokens = 100, .sequences = 4, .panels = 1}};
    encl_model *model = open_model();
    encl_pipeline *pipeline = (encl_pipeline *)model;
    assert_int_equal(make_pipeline(model, device, &options, ENCL_RESULT_SELECTED, 41, &pipeline), ENCL_INVALID);
    assert_null(pipeline);
    assert_detail("a batch of 40 tokens cannot hold a text of 41");
    assert_int_equal(make_pipeline(model, device, &panels, ENCL_RESULT_SELECTED, 33, &pipeline), ENCL_INVALID);
    assert_detail("a batch of 1 key panels cannot hold a text of 33 tokens");
    assert_ok(make_pipeline(model, device, &options, ENCL_RESULT_SELECTED, 33, &pipeline));
    encl_sequence sequence = {.ids = ids, .count = 33, .selected = selected, .selected_count = 2};
    assert_ok(run_one(pipeline, &sequence));
    sequence.count = 34;
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID);
    assert_detail("sequence 1 has 34 tokens, expected 1 … 33");
    sequence.count = 0;
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID);
    sequence = (encl_sequence){.ids = ids, .count = 33, .selected = selected, .selected_count = 3};
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID);
    assert_detail("sequence 1 selects 3 tokens, expected 0 … 2");
    sequence.selected_count = -1;
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID);
    sequence = (encl_sequence){.ids = ids, .count = 1, .selected = twice, .selected_count = 1};
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID); // behind its end
    sequence = (encl_sequence){.ids = ids, .count = 3, .selected = twice, .selected_count = 2};
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID); // not ascending
    sequence = (encl_sequence){.ids = ids, .count = 33};
    assert_ok(run_one(pipeline, &sequence)); // selects nothing
    sequence.skip = 32;
    assert_ok(run_one(pipeline, &sequence));
    sequence.skip = 33;
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID);
    assert_detail("sequence 1 skips 33 tokens, expected 0 … 32");
    sequence.skip = -1;
    assert_int_equal(run_one(pipeline, &sequence), ENCL_INVALID);
    encl_pipeline_destroy(pipeline);
    encl_pipeline_destroy(NULL);
    encl_model_close(model);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    encl_test_on_devices(too_large_on);
}

// ---- Failures ---------------------------------------------------------------------------------------------

static void failures_on(const encl_device *device) {
    static stream s;
    static const int64_t places[] = {0, 1, 20, 59};
    const encl_executable_options options = {.capacity = {.tokens = 200, .sequences = 20}};
    encl_model *model = open_model();
    encl_pipeline *pipeline = NULL;
    assert_ok(make_pipeline(model, device, &options, ENCL_RESULT_SELECTED, LONGEST, &pipeline));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        start(&s, ENCL_RESULT_SELECTED, 60);
        s.fail_at = places[i];
        assert_int_equal(encl_pipeline_run(pipeline, next_sequence, &s, take, &s), ENCL_IO);
        assert_detail("the reader is gone");
        start(&s, ENCL_RESULT_SELECTED, 60);
        s.stop_at = places[i];
        assert_int_equal(encl_pipeline_run(pipeline, next_sequence, &s, take, &s), ENCL_INTERRUPTED);
        assert_int_equal(s.results, places[i]);
        start(&s, ENCL_RESULT_SELECTED, 60);
        assert_ok(encl_pipeline_run(pipeline, next_sequence, &s, take, &s));
        assert_int_equal(s.results, 60);
    }
    encl_pipeline_destroy(pipeline);
    encl_model_close(model);
}

static void a_failing_end_ends_the_run(void **state) {
    (void)state;
    encl_test_on_devices(failures_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_do_not_depend_on_batches),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_failing_end_ends_the_run),
    };
    return encl_test_main(tests);
}
