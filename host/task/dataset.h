// Data sets as they are published, read into memory as a list of examples. A row of encl_dataset_kinds() says what a
// data set is; adding one is adding a row. A data set is immutable once opened and may be shared by threads.
#ifndef ENCL_TASK_DATASET_H
#define ENCL_TASK_DATASET_H

#include "host/task/metrics.h"

typedef enum encl_dataset_task {
    ENCL_DATASET_CLASSES, // a text or a pair → one of the labels
    ENCL_DATASET_SCORES,  // a pair → how alike its texts are
    ENCL_DATASET_TAGS,    // words → a tag each
    ENCL_DATASET_ANSWERS, // a question and a text → a part of the text
} encl_dataset_task;

// A label as the data set writes it, and how else it, or a model, may call it (NULL: no other way).
typedef struct encl_dataset_label {
    const char *name, *other;
} encl_dataset_label;

typedef struct encl_dataset_kind encl_dataset_kind;
typedef struct encl_dataset encl_dataset;

struct encl_dataset_kind {
    const char *name; // "chnsenticorp"
    encl_dataset_task task;
    const encl_dataset_label *labels; // [label_count], in the order of their index
    size_t label_count;
    bool pairs;                          // CLASSES: of two texts
    const struct encl_table_form *forms; // [form_count] of a table: see dataset_table.h
    size_t form_count;
    encl_answer_scorer scorer; // ANSWERS
    bool domains;              // ANSWERS: every question belongs to one
    encl_status (*read)(encl_dataset *dataset);
};
const encl_dataset_kind *encl_dataset_kinds(size_t *count);
// NOT_FOUND lists the names there are.
encl_status encl_dataset_find(const char *name, const encl_dataset_kind **kind);

// A part of the data set's memory: bytes of UTF-8. What comes from JSON ends with NUL too.
typedef struct encl_span {
    const char *text;
    size_t length;
} encl_span;

typedef struct encl_example {
    encl_span text; // ANSWERS: the question
    encl_span pair; // text NULL: none. ANSWERS: the text that holds the answer
    int32_t label;  // CLASSES
    double score;   // SCORES
    size_t first;   // TAGS: of its words; ANSWERS: of its answers
    size_t count;
    const char *id;     // ANSWERS
    const char *domain; // ANSWERS with domains
} encl_example;

struct encl_dataset {
    const encl_dataset_kind *kind;
    const char *path;
    encl_example *examples; // [count], at least one
    size_t count;
    const char **words;   // TAGS: [word_count], of all sentences
    encl_tag *tags;       // of the words
    const char **answers; // ANSWERS: [answer_count], of all questions
    size_t word_count, answer_count;
    encl_tag_types types; // of the tags

    // For the readers.
    char *place; // the path, which `path` is
    char *bytes; // the file
    char *text;  // [length] the same without a byte order mark; readers take quotes away and end words in it
    size_t length;
    struct cJSON *json;
    size_t example_capacity, word_capacity, tag_capacity, answer_capacity;
};

// Reads a file of at most 1 GiB. Every message names the file, and the line (or the place in the JSON), what was found
// and what was expected. A line has at most 1 MiB; a file without examples is FORMAT.
encl_status encl_dataset_open(const encl_dataset_kind *kind, const char *path, encl_dataset **opened);
void encl_dataset_close(encl_dataset *dataset); // NULL is allowed

// The span is exactly the text, which ends with NUL.
bool encl_span_equals(encl_span span, const char *text);

// Which class each of a model's labels is: classes[label_count], -1 for a label that is none of the kind's. By their
// names, in any case; where the model has none of the names but as many labels, by their order. INVALID lists both.
encl_status encl_dataset_map_labels(const encl_dataset_kind *kind, const char *const *labels, size_t label_count,
                                    int32_t *classes);

// ---- For the readers (dataset_*.c) ------------------------------------------------------------------------

encl_status encl_dataset_add(encl_dataset *dataset, const encl_example *example);
// One of the kind's labels by its name or other name, -1 where it is none.
int32_t encl_dataset_label_index(const encl_dataset_kind *kind, encl_span name);
// "0, 1" for messages. Caller frees.
encl_status encl_dataset_label_list(const encl_dataset_kind *kind, char **list);

encl_status encl_dataset_read_table(encl_dataset *dataset);
encl_status encl_dataset_read_tags(encl_dataset *dataset);
encl_status encl_dataset_read_answers(encl_dataset *dataset);

// The lines of a text in memory.
enum { ENCL_LINE_LIMIT = 1 << 20 };
typedef struct encl_lines {
    const char *place;
    char *at, *end;
    int64_t number; // of the last line, from 1
} encl_lines;
// The next line without its end (LF or CRLF); text NULL after the last. FORMAT where it is longer than 1 MiB.
encl_status encl_lines_next(encl_lines *lines, encl_span *line);

#endif
