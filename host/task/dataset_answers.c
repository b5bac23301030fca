// Questions about texts: SQuAD's JSON, and the list form in which CMRC 2018 was first published.
#include <stdlib.h>
#include <string.h>

#include "host/task/dataset.h"
#include "runtime/base/json.h"

// The keys of a form. A text is what questions are asked about.
typedef struct form {
    const char *text, *questions, *id, *question, *answers;
} form;

static const form squad = {"context", "qas", "id", "question", "answers"};
static const form list = {"context_text", "qas", "query_id", "query_text", "answers"};

typedef struct json_reader {
    encl_dataset *dataset;
    const form *form;
    encl_string place;  // of what is being read, for messages: "file: data[3].paragraphs[0]"
    const char *domain; // of the questions that are being read
    const char *text;   // that they are about
    size_t depth;       // arrays that the place leads through
} json_reader;

static encl_status get_text(const json_reader *reader, const cJSON *object, const char *key, const char **text) {
    *text = NULL;
    encl_status status = encl_json_get_text(reader->place.text, object, key, text);
    if (status == ENCL_OK && *text == NULL) {
        status = encl_fail(ENCL_FORMAT, "%s: found no '%s', expected a text", reader->place.text, key);
    }
    return status;
}

// Gives every object of an array to `take`, with its place.
static encl_status each(json_reader *reader, const cJSON *array, const char *name,
                        encl_status (*take)(struct json_reader *reader, const cJSON *item)) {
    encl_status status = ENCL_OK;
    const size_t length = reader->place.length;
    size_t index = 0;
    if (!cJSON_IsArray(array)) {
        return encl_fail(ENCL_FORMAT, "%s: found no array '%s', expected one", reader->place.text, name);
    }
    for (const cJSON *item = array->child; item != NULL; item = item->next, index++) {
        ENCL_TRY(encl_string_format(&reader->place, "%s%s[%zu]", reader->depth > 0 ? "." : ": ", name, index));
        if (!cJSON_IsObject(item)) {
            return encl_fail(ENCL_FORMAT, "%s: found no object, expected one", reader->place.text);
        }
        reader->depth++;
        ENCL_TRY(take(reader, item));
        reader->depth--;
        reader->place.length = length;
        reader->place.text[length] = '\0';
    }
cleanup:
    return status;
}

static encl_status add_answer(encl_dataset *dataset, const char *answer) {
    void *answers = (void *)dataset->answers;
    encl_status status =
        encl_reserve(&answers, &dataset->answer_capacity, dataset->answer_count + 1, sizeof *dataset->answers);
    dataset->answers = answers;
    if (status == ENCL_OK) {
        dataset->answers[dataset->answer_count++] = answer;
    }
    return status;
}

// An answer is a text, or an object that holds one.
static encl_status take_answers(json_reader *reader, const cJSON *question, encl_example *example) {
    encl_dataset *dataset = reader->dataset;
    const cJSON *answers = cJSON_GetObjectItemCaseSensitive(question, reader->form->answers);
    encl_status status = ENCL_OK;
    example->first = dataset->answer_count;
    if (!cJSON_IsArray(answers)) {
        return encl_fail(ENCL_FORMAT, "%s: found no array '%s', expected one", reader->place.text,
                         reader->form->answers);
    }
    for (const cJSON *item = answers->child; item != NULL; item = item->next) {
        const char *text = cJSON_IsString(item) ? item->valuestring : NULL;
        if (text == NULL && cJSON_IsObject(item)) {
            ENCL_TRY(get_text(reader, item, "text", &text));
        }
        if (text == NULL) {
            return encl_fail(ENCL_FORMAT, "%s: answers: found neither a text nor an object, expected one of them",
                             reader->place.text);
        }
        ENCL_TRY(add_answer(dataset, text));
    }
    example->count = dataset->answer_count - example->first;
    if (example->count == 0 && !dataset->kind->domains) {
        return encl_fail(ENCL_FORMAT, "%s: found no answers, expected at least one", reader->place.text);
    }
cleanup:
    return status;
}

static encl_span span_of(const char *text) {
    return (encl_span){text, strlen(text)};
}

static encl_status take_question(json_reader *reader, const cJSON *item) {
    encl_example example = {.label = -1, .domain = reader->domain, .pair = span_of(reader->text)};
    const char *question = NULL;
    encl_status status = ENCL_OK;
    ENCL_TRY(get_text(reader, item, reader->form->id, &example.id));
    ENCL_TRY(get_text(reader, item, reader->form->question, &question));
    ENCL_TRY(take_answers(reader, item, &example));
    example.text = span_of(question);
    ENCL_TRY(encl_dataset_add(reader->dataset, &example));
cleanup:
    return status;
}

static encl_status take_passage(json_reader *reader, const cJSON *item) {
    encl_status status = get_text(reader, item, reader->form->text, &reader->text);
    return status == ENCL_OK ? each(reader, cJSON_GetObjectItemCaseSensitive(item, reader->form->questions),
                                    reader->form->questions, take_question)
                             : status;
}

static encl_status take_article(json_reader *reader, const cJSON *item) {
    encl_status status = reader->dataset->kind->domains ? get_text(reader, item, "domain", &reader->domain) : ENCL_OK;
    return status == ENCL_OK
               ? each(reader, cJSON_GetObjectItemCaseSensitive(item, "paragraphs"), "paragraphs", take_passage)
               : status;
}

encl_status encl_dataset_read_answers(encl_dataset *dataset) {
    json_reader reader = {.dataset = dataset};
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_json_parse(dataset->path, dataset->text, dataset->length, &dataset->json));
    ENCL_TRY(encl_string_format(&reader.place, "%s", dataset->path));
    if (cJSON_IsArray(dataset->json) && !dataset->kind->domains) {
        reader.form = &list;
        ENCL_TRY(each(&reader, dataset->json, "", take_passage));
    } else if (cJSON_IsObject(dataset->json)) {
        reader.form = &squad;
        ENCL_TRY(each(&reader, cJSON_GetObjectItemCaseSensitive(dataset->json, "data"), "data", take_article));
    } else {
        status = encl_fail(ENCL_FORMAT, "%s: found no object, expected one with the key 'data'%s", dataset->path,
                           dataset->kind->domains ? "" : ", or a list of texts");
    }
cleanup:
    encl_string_free(&reader.place);
    return status;
}
