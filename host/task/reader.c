#include "host/task/reader.h"

encl_status encl_text_list_next(void *list, encl_text *text) {
    encl_text_list *texts = list;
    *text = texts->at < texts->count ? texts->texts[texts->at++] : (encl_text){0};
    return ENCL_OK;
}

encl_status encl_reader_init(const encl_model *model, int64_t max_length, bool refuse_long, encl_reader *reader) {
    *reader = (encl_reader){0};
    if (model->tokenizer == NULL) {
        return encl_fail(ENCL_INVALID, "%s has no tokenizer, so it cannot read texts", model->path);
    }
    const int64_t wanted = max_length == 0 ? model->info.max_length : max_length;
    if (wanted < 2 || wanted > model->config.max_position) {
        return encl_fail(ENCL_INVALID, "max length %lld, the model takes 2 … %d tokens", (long long)wanted,
                         (int)model->config.max_position);
    }
    reader->tokenizer = model->tokenizer;
    reader->max_length = wanted;
    reader->refuse_long = refuse_long;
    return ENCL_OK;
}

void encl_reader_free(encl_reader *reader) {
    encl_encoding_free(&reader->encoding);
}

void encl_reader_start(encl_reader *reader, encl_status (*next)(void *context, encl_text *text), void *context) {
    reader->next = next;
    reader->context = context;
    reader->texts = 0;
    reader->truncated = 0;
}

encl_status encl_reader_next(encl_reader *reader, encl_text *text) {
    *text = (encl_text){0};
    encl_status status = reader->next(reader->context, text);
    if (status == ENCL_OK && text->text != NULL) {
        reader->texts++;
    }
    return status;
}

encl_status encl_reader_encode(encl_reader *reader, const encl_text *text) {
    encl_encoding *encoding = &reader->encoding;
    encl_status status = encl_tokenizer_encode(reader->tokenizer, text->text, text->length, text->pair,
                                               text->pair_length, (size_t)reader->max_length, encoding);
    if (status != ENCL_OK) {
        return encl_fail_context(status, "text %lld", (long long)reader->texts);
    }
    // A limit that a pair's special tokens alone exceed is none to the tokenizer.
    if (encoding->count > (size_t)reader->max_length || (encoding->lost > 0 && reader->refuse_long)) {
        return encl_fail(ENCL_INVALID, "text %lld has %zu tokens, expected at most %lld", (long long)reader->texts,
                         encoding->count + encoding->lost, (long long)reader->max_length);
    }
    reader->truncated += encoding->lost > 0;
    return ENCL_OK;
}
