// Words with tags: a word and its tag a line, a blank line between sentences.
#include <string.h>

#include "host/task/dataset.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Word and tag: what stands before the first and behind the last space or tab.
static bool split(encl_span line, encl_span *word, encl_span *tag) {
    size_t first = 0;
    while (first < line.length && !is_blank(line.text[first])) {
        first++;
    }
    size_t last = line.length;
    while (last > 0 && !is_blank(line.text[last - 1])) {
        last--;
    }
    *word = (encl_span){line.text, first};
    *tag = (encl_span){line.text + last, line.length - last};
    return first > 0 && first < line.length;
}

static encl_status add_word(encl_dataset *dataset, const char *word, encl_tag tag) {
    const size_t count = dataset->word_count + 1;
    void *words = (void *)dataset->words;
    void *tags = dataset->tags;
    encl_status status = encl_reserve(&words, &dataset->word_capacity, count, sizeof *dataset->words);
    dataset->words = words;
    if (status == ENCL_OK) {
        status = encl_reserve(&tags, &dataset->tag_capacity, count, sizeof *dataset->tags);
        dataset->tags = tags;
    }
    if (status == ENCL_OK) {
        dataset->words[dataset->word_count] = word;
        dataset->tags[dataset->word_count++] = tag;
    }
    return status;
}

static encl_status end_sentence(encl_dataset *dataset, size_t *first) {
    const encl_example sentence = {.first = *first, .count = dataset->word_count - *first, .label = -1};
    *first = dataset->word_count;
    return sentence.count > 0 ? encl_dataset_add(dataset, &sentence) : ENCL_OK;
}

encl_status encl_dataset_read_tags(encl_dataset *dataset) {
    encl_lines lines = {dataset->path, dataset->text, dataset->text + dataset->length, 0};
    encl_status status = ENCL_OK;
    encl_span line = {0};
    encl_span word = {0};
    encl_span text = {0};
    encl_tag tag = {0};
    size_t first = 0; // word of the sentence
    for (;;) {
        ENCL_TRY(encl_lines_next(&lines, &line));
        if (line.text == NULL) {
            break;
        }
        while (line.length > 0 && is_blank(line.text[line.length - 1])) {
            line.length--;
        }
        if (line.length == 0) {
            ENCL_TRY(end_sentence(dataset, &first));
            continue;
        }
        if (!split(line, &word, &text)) {
            return encl_fail(ENCL_FORMAT,
                             "%s: line %lld: found no two columns, expected a word, a space or tab, and "
                             "a tag",
                             dataset->path, (long long)lines.number);
        }
        status = encl_tag_parse(text.text, text.length, &dataset->types, &tag);
        if (status != ENCL_OK) {
            return encl_fail_context(status, "%s: line %lld", dataset->path, (long long)lines.number);
        }
        if (memchr(word.text, '\0', word.length) != NULL) {
            return encl_fail(ENCL_FORMAT, "%s: line %lld: found a NUL in a word, expected none", dataset->path,
                             (long long)lines.number);
        }
        dataset->text[word.text + word.length - dataset->text] = '\0'; // where the gap was
        ENCL_TRY(add_word(dataset, word.text, tag));
    }
    ENCL_TRY(end_sentence(dataset, &first));
cleanup:
    return status;
}
