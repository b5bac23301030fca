// Masked tokens: what stands where a text says [MASK].
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/head.h"
#include "host/task/pipeline.h"
#include "host/task/reader.h"
#include "host/text/decode.h"
#include "runtime/base/log.h"

enum { DEFAULT_TOP = 5 };

// Where a mask stands in the text; of every mask, they travel through the pipeline as a sequence's note.
typedef struct mask_span {
    int32_t start, end, type;
} mask_span;

struct encl_mask_filler {
    encl_reader reader;
    encl_pipeline *pipeline;
    int32_t top_k;

    // Of the text that was read last.
    encl_encoding whole; // before truncation
    int32_t *selected;   // [span_count] its masks, among the tokens
    size_t selected_capacity;
    mask_span *spans; // [span_count]
    size_t span_capacity, span_count;

    // Of the text that is handed out.
    encl_mask *masks; // one for each of its masks
    size_t mask_capacity;
    encl_prediction *predictions; // [masks, top_k]
    size_t prediction_capacity;
    int32_t *ids; // its tokens with a prediction among them
    size_t id_capacity;
    encl_string texts; // of all predictions, each with a NUL
    int32_t indices[ENCL_TOP_K_MOST];
    float values[ENCL_TOP_K_MOST];
};

// Of the run.
typedef struct result_stream {
    encl_mask_filler *filler;
    encl_status (*sink)(void *context, const encl_filled_text *filled);
    void *context;
} result_stream;

// ---- Making one -------------------------------------------------------------------------------------------

static encl_status make_graph(const encl_model *model, int32_t top_k, encl_graph **graph) {
    encl_status status = ENCL_OK;
    encl_graph *made = NULL;
    encl_value value = 0;
    *graph = NULL;
    ENCL_TRY(encl_model_encode(model, &made, &value));
    ENCL_TRY(encl_head_add(model, ENCL_HEAD_FILL_MASK, made, value, &value));
    ENCL_TRY(encl_graph_top_k(made, value, top_k, &value));
    ENCL_TRY(encl_graph_output(made, value));
    *graph = made;
    made = NULL;
cleanup:
    encl_graph_destroy(made);
    return status;
}

encl_status encl_mask_filler_create(const encl_model *model, const encl_device *device,
                                    const encl_fill_mask_options *options, encl_mask_filler **filler) {
    static const encl_fill_mask_options default_options = {.top_k = DEFAULT_TOP};
    encl_status status = ENCL_OK;
    encl_mask_filler *f = NULL;
    encl_graph *graph = NULL;
    *filler = NULL;
    options = options == NULL ? &default_options : options;
    if (options->top_k < 0 || options->top_k > ENCL_TOP_K_MOST) {
        return encl_fail(ENCL_INVALID, "fill-mask: the best %d tokens, expected 1 … %d", (int)options->top_k,
                         ENCL_TOP_K_MOST);
    }
    ENCL_TRY(encl_allocate(1, sizeof *f, (void **)&f));
    f->top_k = options->top_k == 0 ? DEFAULT_TOP : options->top_k;
    ENCL_TRY(encl_reader_init(model, options->max_length, options->refuse_long, &f->reader));
    ENCL_TRY(encl_head_require(model, ENCL_HEAD_FILL_MASK));
    if (encl_tokenizer_get_info(model->tokenizer)->mask < 0) {
        ENCL_TRY(encl_fail(ENCL_UNSUPPORTED, "%s: the tokenizer has no mask token", model->path));
    }
    ENCL_TRY(make_graph(model, f->top_k, &graph));
    ENCL_TRY(encl_pipeline_create(device, &graph, &options->executable, ENCL_RESULT_SELECTED, f->reader.max_length,
                                  &f->pipeline));
    *filler = f;
    f = NULL;
cleanup:
    encl_graph_destroy(graph);
    encl_mask_filler_destroy(f);
    return status;
}

void encl_mask_filler_destroy(encl_mask_filler *f) {
    if (f == NULL) {
        return;
    }
    encl_pipeline_destroy(f->pipeline);
    encl_reader_free(&f->reader);
    encl_encoding_free(&f->whole);
    free(f->selected);
    free(f->spans);
    free(f->masks);
    free(f->predictions);
    free(f->ids);
    encl_string_free(&f->texts);
    free(f);
}

const encl_executable_info *encl_mask_filler_get_info(const encl_mask_filler *filler) {
    return encl_pipeline_get_info(filler->pipeline);
}

// ---- Reading ----------------------------------------------------------------------------------------------

static int32_t mask_id(const encl_mask_filler *f) {
    return encl_tokenizer_get_info(f->reader.tokenizer)->mask;
}

static encl_status find_masks(encl_mask_filler *f) {
    const encl_encoding *encoding = &f->reader.encoding;
    encl_status status = ENCL_OK;
    f->span_count = 0;
    for (size_t i = 0; i < encoding->count; i++) {
        if (encoding->ids[i] != mask_id(f)) {
            continue;
        }
        const size_t count = f->span_count + 1;
        ENCL_TRY(encl_reserve((void **)&f->selected, &f->selected_capacity, count, sizeof *f->selected));
        ENCL_TRY(encl_reserve((void **)&f->spans, &f->span_capacity, count, sizeof *f->spans));
        f->selected[f->span_count] = (int32_t)i;
        f->spans[f->span_count] = (mask_span){encoding->starts[i], encoding->ends[i], encoding->types[i]};
        f->span_count = count;
    }
cleanup:
    return status;
}

// Masks do not vanish silently: what truncation took is an error where nothing is left, else a warning.
static encl_status check_masks(encl_mask_filler *f, const encl_text *text) {
    const encl_encoding *whole = &f->whole;
    const long long number = (long long)f->reader.texts;
    encl_status status = ENCL_OK;
    size_t kept = 0;
    f->whole.count = 0;
    if (f->reader.encoding.lost > 0) {
        ENCL_TRY(encl_tokenizer_encode(f->reader.tokenizer, text->text, text->length, text->pair, text->pair_length, 0,
                                       &f->whole));
    }
    for (size_t i = 0; i < whole->count; i++) {
        if (whole->ids[i] != mask_id(f)) {
            continue;
        }
        if (kept < f->span_count && whole->starts[i] == f->spans[kept].start &&
            whole->types[i] == f->spans[kept].type) {
            kept++;
            continue;
        }
        if (f->span_count == 0) {
            return encl_fail(ENCL_INVALID, "text %lld: the mask at %d-%d was cut off; found %zu tokens, expected %lld",
                             number, (int)whole->starts[i], (int)whole->ends[i], whole->count,
                             (long long)f->reader.max_length);
        }
        encl_warn("text %lld: the mask at %d-%d was cut off; found %zu tokens, expected %lld", number,
                  (int)whole->starts[i], (int)whole->ends[i], whole->count, (long long)f->reader.max_length);
        break;
    }
    if (f->span_count == 0) {
        return encl_fail(ENCL_INVALID, "text %lld: found no %s, expected at least one", number,
                         encl_tokenizer_token(f->reader.tokenizer, mask_id(f)));
    }
cleanup:
    return status;
}

static encl_status next_sequence(void *context, encl_sequence *sequence) {
    encl_mask_filler *f = context;
    encl_status status = ENCL_OK;
    encl_text text;
    ENCL_TRY(encl_reader_next(&f->reader, &text));
    if (text.text == NULL) {
        return ENCL_OK;
    }
    ENCL_TRY(encl_reader_encode(&f->reader, &text));
    ENCL_TRY(find_masks(f));
    ENCL_TRY(check_masks(f, &text));
    *sequence = (encl_sequence){
        .ids = f->reader.encoding.ids,
        .types = f->reader.encoding.types,
        .count = (int32_t)f->reader.encoding.count,
        .selected = f->selected,
        .selected_count = (int32_t)f->span_count,
        .note = f->spans,
        .note_bytes = f->span_count * sizeof *f->spans,
    };
cleanup:
    return status;
}

// ---- Predictions ------------------------------------------------------------------------------------------

// Appends the text with token `place` replaced. Padding that the text has of its own is left out, too.
static encl_status write_text(encl_mask_filler *f, const encl_sequence_result *result, int32_t place, int32_t id) {
    const int32_t pad = encl_tokenizer_get_info(f->reader.tokenizer)->pad;
    encl_status status = ENCL_OK;
    size_t count = 0;
    ENCL_TRY(encl_reserve((void **)&f->ids, &f->id_capacity, (size_t)result->count, sizeof *f->ids));
    for (int32_t i = 0; i < result->count; i++) {
        f->ids[count] = i == place ? id : result->ids[i];
        count += f->ids[count] != pad;
    }
    ENCL_TRY(encl_decode(f->reader.tokenizer, f->ids, count, result->rows == 1, &f->texts));
    ENCL_TRY(encl_string_append(&f->texts, "", 1));
cleanup:
    return status;
}

// The predictions of one row; their texts are still numbers in f->texts.
static encl_status predict(encl_mask_filler *f, const encl_sequence_result *result, int64_t row, int32_t place) {
    encl_mask *mask = &f->masks[row];
    encl_prediction *predictions = f->predictions + row * f->top_k;
    encl_status status = ENCL_OK;
    double log_sum_exp = 0;
    ENCL_TRY(encl_top_k_merge(result->values + row * result->columns, result->columns, f->top_k, f->indices, f->values,
                              &log_sum_exp));
    if (!isfinite(log_sum_exp)) {
        return encl_fail(ENCL_NOT_FINITE, "text %lld: the scores of the mask at %d-%d are not finite",
                         (long long)result->index + 1, (int)mask->start, (int)mask->end);
    }
    mask->predictions = predictions;
    mask->prediction_count = 0;
    for (int32_t k = 0; k < f->top_k && f->indices[k] >= 0; k++) {
        const char *token = encl_tokenizer_token(f->reader.tokenizer, f->indices[k]);
        predictions[k] = (encl_prediction){
            .id = f->indices[k],
            .token = token != NULL ? token : "", // a row of the decoder that no token has
            .score = (float)exp((double)f->values[k] - log_sum_exp),
        };
        ENCL_TRY(write_text(f, result, place, f->indices[k]));
        mask->prediction_count++;
    }
cleanup:
    return status;
}

// Once they do not move any more, texts get their pointers.
static void place_texts(encl_mask_filler *f, int64_t rows) {
    const char *text = f->texts.text;
    for (int64_t row = 0; row < rows; row++) {
        for (size_t k = 0; k < f->masks[row].prediction_count; k++) {
            f->predictions[row * f->top_k + (int64_t)k].text = text;
            text += strlen(text) + 1;
        }
    }
}

static encl_status hand_out(void *context, const encl_sequence_result *result) {
    const result_stream *results = context;
    encl_mask_filler *f = results->filler;
    const mask_span *spans = result->note;
    const size_t rows = (size_t)result->rows;
    encl_status status = ENCL_OK;
    int64_t row = 0;
    f->texts.length = 0;
    ENCL_TRY(encl_reserve((void **)&f->masks, &f->mask_capacity, rows, sizeof *f->masks));
    ENCL_TRY(encl_reserve((void **)&f->predictions, &f->prediction_capacity, rows * (size_t)f->top_k,
                          sizeof *f->predictions));
    for (int32_t i = 0; i < result->count && row < result->rows; i++) {
        if (result->ids[i] == mask_id(f)) {
            const mask_span *span = &spans[row];
            f->masks[row] = (encl_mask){.start = span->start, .end = span->end, .in_pair = span->type == 1};
            ENCL_TRY(predict(f, result, row++, i));
        }
    }
    place_texts(f, row);
    const encl_filled_text filled = {.index = result->index, .masks = f->masks, .mask_count = rows};
    ENCL_TRY(results->sink(results->context, &filled));
cleanup:
    return status;
}

encl_status encl_mask_filler_run(encl_mask_filler *f, encl_status (*next)(void *context, encl_text *text),
                                 void *next_context, encl_status (*sink)(void *context, const encl_filled_text *filled),
                                 void *sink_context, int64_t *truncated) {
    result_stream results = {f, sink, sink_context};
    if (truncated != NULL) {
        *truncated = 0;
    }
    encl_reader_start(&f->reader, next, next_context);
    encl_status status = encl_pipeline_run(f->pipeline, next_sequence, f, hand_out, &results);
    if (status == ENCL_OK && truncated != NULL) {
        *truncated = f->reader.truncated;
    }
    return status;
}
