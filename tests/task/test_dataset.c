// Data sets: every published form, and every way in which a file can be another.
#include "checkpoint/scratch.h"

#include "host/task/dataset.h"

static const encl_dataset_kind *find(const char *name) {
    const encl_dataset_kind *kind = NULL;
    assert_ok(encl_dataset_find(name, &kind));
    assert_string_equal(kind->name, name);
    return kind;
}

static encl_status open_bytes(encl_scratch *scratch, const char *task, const void *bytes, size_t length,
                              encl_dataset **dataset) {
    scratch_write(scratch, "data", bytes, length);
    return encl_dataset_open(find(task), scratch_path(scratch, "data"), dataset);
}

static encl_dataset *open_text(encl_scratch *scratch, const char *task, const char *text) {
    encl_dataset *dataset = NULL;
    assert_ok(open_bytes(scratch, task, text, strlen(text), &dataset));
    return dataset;
}

static void expect_span(encl_span span, const char *expected) {
    if (expected == NULL) {
        assert_null(span.text);
        return;
    }
    assert_non_null(span.text);
    if (span.length != strlen(expected) || memcmp(span.text, expected, span.length) != 0) {
        fail_msg("found '%.*s', expected '%s'", (int)span.length, span.text, expected);
    }
}

// ---- Tables -----------------------------------------------------------------------------------------------

// A file and its first and last example.
typedef struct table_case {
    const char *task, *text;
    size_t count;
    struct {
        const char *text, *pair;
        double answer; // label or score
    } first, last;
} table_case;

#define XNLI_DEV_HEADER "language\tgold_label\tb1\tb2\tp1\tp2\tsentence1\tsentence2\tpromptID\n"

static const table_case tables[] = {
    {"chnsenticorp", "label\ttext_a\n1\t好\n0\t不 \"好\"\n", 2, {"好", NULL, 1}, {"不 \"好\"", NULL, 0}},
    {"chnsenticorp", "text_a\tqid\tlabel\n好\t7\t1", 1, {"好", NULL, 1}, {"好", NULL, 1}},
    {"lcqmc", "a\tb\t1\nc\td\t0\n", 2, {"a", "b", 1}, {"c", "d", 0}},
    {"lcqmc", "text_a\ttext_b\tlabel\na\tb\t1\n\nc\t\t0\n\n", 2, {"a", "b", 1}, {"c", "", 0}},
    {"bq",
     "sentence1,sentence2,label\na,b,1\n\"c, \"\"x\"\"\n2\",\"d\",0\n",
     2,
     {"a", "b", 1},
     {"c, \"x\"\n2", "d", 0}},
    {"bq", "\"sentence1\",\"sentence2\",\"label\"\n\"\",b\"b,\"1\"\n", 1, {"", "b\"b", 1}, {"", "b\"b", 1}},
    {"xnli", "premise\thypo\tlabel\na\tb\tentailment\nc\td\tcontradictory\n", 2, {"a", "b", 0}, {"c", "d", 2}},
    {"xnli",
     XNLI_DEV_HEADER "en\tneutral\t\t\t\t\te\tf\t1\nzh\tneutral\t\t\t\t\ta\tb\t1\nzh\tcontradiction\t\t\t\t\tc\td\t2\n",
     2,
     {"a", "b", 1},
     {"c", "d", 2}},
    {"thucnews", "体育\t球\n娱乐\t歌\t二\n", 2, {"球", NULL, 0}, {"歌", NULL, 9}},
    {"sts", "1||a||b||5\n2||c||d||0.5\n", 2, {"a", "b", 5}, {"c", "d", 0.5}},
    {"sts", "sentence1\tsentence2\tscore\na\tb\t-1e1\n", 1, {"a", "b", -10}, {"a", "b", -10}},
    {"sts", "id,sentence1,sentence2,similarity_score\n1,\"a,\",b,2\n", 1, {"a,", "b", 2}, {"a,", "b", 2}},
    {"sts", "sentence1,sentence2,label\na,b,1\nc,d,2", 2, {"a", "b", 1}, {"c", "d", 2}},
    {"sts", "split\tsentence1\tsentence2\tlabel\nx\ta\tb\t1\n", 1, {"a", "b", 1}, {"a", "b", 1}},
};
enum { TABLES = sizeof tables / sizeof tables[0], MOST_BYTES = 1024 };

static void expect_table(const encl_dataset *dataset, const table_case *expected) {
    const encl_example *first = &dataset->examples[0];
    assert_int_equal(dataset->count, expected->count);
    const encl_example *last = &dataset->examples[dataset->count - 1];
    const bool scores = dataset->kind->task == ENCL_DATASET_SCORES;
    expect_span(first->text, expected->first.text);
    expect_span(first->pair, expected->first.pair);
    assert_true((scores ? first->score : first->label) == expected->first.answer);
    expect_span(last->text, expected->last.text);
    expect_span(last->pair, expected->last.pair);
    assert_true((scores ? last->score : last->label) == expected->last.answer);
    assert_int_equal(dataset->kind->pairs, expected->first.pair != NULL);
}

static void test_tables(void **state) {
    for (size_t i = 0; i < TABLES; i++) {
        encl_dataset *dataset = open_text(*state, tables[i].task, tables[i].text);
        expect_table(dataset, &tables[i]);
        encl_dataset_close(dataset);
    }
}

// "\n" → "\r\n", but within quotes.
static size_t with_carriage_returns(const char *text, char *bytes) {
    size_t length = 0;
    bool quoted = false;
    for (; *text != '\0'; text++) {
        quoted = *text == '"' ? !quoted : quoted;
        if (*text == '\n' && !quoted) {
            bytes[length++] = '\r';
        }
        assert_in_range(length, 0, MOST_BYTES - 2);
        bytes[length++] = *text;
    }
    return length;
}

// The same files as Windows writes them.
static void test_line_ends_and_marks(void **state) {
    for (size_t i = 0; i < TABLES; i++) {
        char bytes[MOST_BYTES] = "\xef\xbb\xbf";
        if (strcmp(tables[i].task, "chnsenticorp") == 0 && strchr(tables[i].text, '"') != NULL) {
            continue; // whose quotes are no quotes
        }
        const size_t length = 3 + with_carriage_returns(tables[i].text, bytes + 3);
        encl_dataset *dataset = NULL;
        assert_ok(open_bytes(*state, tables[i].task, bytes, length, &dataset));
        expect_table(dataset, &tables[i]);
        encl_dataset_close(dataset);
    }
}

// ---- Words and answers ------------------------------------------------------------------------------------

static void expect_sentence(const encl_dataset *dataset, size_t sentence, const char *words, const char *parts) {
    const encl_example *example = &dataset->examples[sentence];
    assert_int_equal(example->count, strlen(parts));
    for (size_t i = 0; i < example->count; i++) {
        const size_t length = strcspn(words, " ");
        assert_int_equal(strlen(dataset->words[example->first + i]), length);
        assert_memory_equal(dataset->words[example->first + i], words, length);
        assert_int_equal(dataset->tags[example->first + i].part, parts[i]);
        words += length + 1;
    }
}

static const char tagged[] = "中 B-ORG\n共 I-ORG\n的 O\n\n\n \t\n张 B-PER\nx\ty\tO \n";

static void test_tags(void **state) {
    encl_dataset *dataset = open_text(*state, "ner", tagged);
    assert_int_equal(dataset->count, 2);
    assert_int_equal(dataset->word_count, 5);
    expect_sentence(dataset, 0, "中 共 的", "BIO");
    expect_sentence(dataset, 1, "张 x", "BO");
    assert_int_equal(dataset->types.count, 2);
    assert_string_equal(dataset->types.names[0], "ORG");
    assert_string_equal(dataset->types.names[1], "PER");
    encl_dataset_close(dataset);
    dataset = open_text(*state, "ner", "\xef\xbb\xbf\xe4\xb8\xad\tB-LOC\r\n\r\n国\tO");
    assert_int_equal(dataset->count, 2);
    expect_sentence(dataset, 0, "中", "B");
    expect_sentence(dataset, 1, "国", "O");
    encl_dataset_close(dataset);
}

static const char squad[] =
    "{\"data\":[{\"paragraphs\":[{\"context\":\"北京是首都。\",\"qas\":[{\"id\":\"q1\",\"question\":\"哪里？\","
    "\"answers\":[{\"text\":\"北京\",\"answer_start\":0},{\"text\":\"首都\"}]},{\"id\":\"q2\",\"question\":\"什么？\","
    "\"answers\":[\"首都\"]}]},{\"context\":\"b\",\"qas\":[]}]},{\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"id\":"
    "\"q3\",\"question\":\"d\",\"answers\":[{\"text\":\"e\"}]}]}]}]}";
static const char list[] = "[{\"context_id\":\"t\",\"context_text\":\"北京。\",\"qas\":[{\"query_id\":\"q1\","
                           "\"query_text\":\"哪里？\",\"answers\":[\"北京\",\"北\"]}]}]";
static const char law[] =
    "{\"data\":[{\"domain\":\"civil\",\"paragraphs\":[{\"context\":\"甲\",\"qas\":[{\"id\":\"q1\",\"question\":\"谁\","
    "\"answers\":[]}]}]},{\"domain\":\"criminal\",\"paragraphs\":[{\"context\":\"乙\",\"qas\":[{\"id\":\"q2\","
    "\"question\":\"谁\",\"answers\":[{\"text\":\"乙\"}]}]}]}]}";

static void test_answers(void **state) {
    encl_dataset *dataset = open_text(*state, "cmrc2018", squad);
    assert_int_equal(dataset->count, 3);
    expect_span(dataset->examples[0].text, "哪里？");
    expect_span(dataset->examples[0].pair, "北京是首都。");
    assert_string_equal(dataset->examples[0].id, "q1");
    assert_int_equal(dataset->examples[0].count, 2);
    assert_string_equal(dataset->answers[1], "首都");
    expect_span(dataset->examples[1].pair, "北京是首都。");
    assert_string_equal(dataset->answers[dataset->examples[1].first], "首都");
    expect_span(dataset->examples[2].pair, "c");
    assert_string_equal(dataset->answers[dataset->examples[2].first], "e");
    encl_dataset_close(dataset);

    dataset = open_text(*state, "drcd", squad);
    assert_int_equal(dataset->count, 3);
    encl_dataset_close(dataset);

    dataset = open_text(*state, "cmrc2018", list);
    assert_int_equal(dataset->count, 1);
    expect_span(dataset->examples[0].text, "哪里？");
    expect_span(dataset->examples[0].pair, "北京。");
    assert_string_equal(dataset->answers[1], "北");
    encl_dataset_close(dataset);

    dataset = open_text(*state, "cjrc", law);
    assert_int_equal(dataset->count, 2);
    assert_string_equal(dataset->examples[0].domain, "civil");
    assert_int_equal(dataset->examples[0].count, 0);
    assert_string_equal(dataset->examples[1].domain, "criminal");
    encl_dataset_close(dataset);
}

// ---- Wrong files ------------------------------------------------------------------------------------------

typedef struct bad_case {
    const char *task, *text, *message;
} bad_case;

static const bad_case bad[] = {
    {"chnsenticorp", "", "found '', expected a header with text_a, label"},
    {"chnsenticorp", "label\ttext_a\n", "no examples"},
    {"chnsenticorp", "label,text_a\n1,好\n", "line 1: found 'label,text_a', expected a header"},
    {"chnsenticorp", "label\ttext_b\n1\t好\n", "line 1"},
    {"chnsenticorp", "label\ttext_a\n1\t好\n2\t好\n", "line 3, column 1: found label '2', expected one of 0, 1"},
    {"chnsenticorp", "label\ttext_a\n1\t好\n1\n", "line 3: found 1 columns, expected at least 2"},
    {"chnsenticorp", "label\ttext_a\n\n\n1\t\xe5\xa5\n", "line 4, byte 3: found 0xe5, expected UTF-8"},
    {"lcqmc", "a\tb\n", "at least 3 columns (separated by tab)"},
    {"lcqmc", "sentence1\tsentence2\tlabel\na\tb\t1\n", "line 1, column 3: found label 'label', expected one of 0, 1"},
    {"lcqmc", "a\tb\t1\nc\td\n", "line 2: found 2 columns"},
    {"bq", "a,b,1\n", "expected a header with sentence1, sentence2, label (separated by ,)"},
    {"bq", "sentence1,sentence2,label\na,\"b,1\nc,d,0\n", "line 2: found no end of a field in quotes"},
    {"bq", "sentence1,sentence2,label\n\"a\nb\",c,1\n\"a\"x,b,1\n", "line 4: found 0x78 after a field in quotes"},
    {"bq", "sentence1,sentence2,label\n\"a\n\nb\",c,3\n", "line 2, column 3: found label '3'"},
    {"bq", "sentence1,sentence2,label\n\"a\n\nb\",c,1\na,b\n", "line 5: found 2 columns"},
    {"xnli", "premise\thypo\tlabel\na\tb\tmaybe\n", "expected one of entailment, neutral, contradiction"},
    {"xnli", "premise\thypothesis\tlabel\na\tb\tneutral\n",
     "premise, hypo, label (separated by tab); or a header with"},
    {"xnli", XNLI_DEV_HEADER "en\tneutral\t\t\t\t\te\tf\t1\n", "no examples"},
    {"thucnews", "球\t体育\n", "found label '球', expected one of 体育"},
    {"sts", "1||a||b||x\n", "line 1, column 4: found score 'x', expected a number"},
    {"sts", "1||a||b||\n", "found score ''"},
    {"sts", "1||a||b||nan\n", "found score 'nan'"},
    {"sts", "1||a||b||1e999\n", "found score '1e999'"},
    {"sts", "1||a||b||1 2\n", "found score '1 2'"},
    {"sts", "1||a||b\n", "at least 4 columns (separated by ||)"},
    {"sts", "1||a||b||1\n2||c||d\n", "line 2: found 3 columns"},
    {"ner", "", "no examples"},
    {"ner", "\n\n\n", "no examples"},
    {"ner", "中 O\n国\n", "line 2: found no two columns"},
    {"ner", "中 O\n O\n", "line 2: found no two columns"},
    {"ner", "中 O\n\n国 X-LOC\n", "line 3: found tag 'X-LOC', expected O"},
    {"cmrc2018", "", "line 1"},
    {"cmrc2018", "7", "found no object, expected one with the key 'data', or a list"},
    {"cmrc2018", "[]", "no examples"},
    {"cmrc2018", "[1]", "[0]: found no object"},
    {"cmrc2018", "{}", "found no array 'data'"},
    {"cmrc2018", "{\"data\":7}", "found no array 'data'"},
    {"cmrc2018", "{\"data\":[7]}", "data[0]: found no object"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[]},7]}", "/data: data[1]: found no object"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[{\"qas\":[]}]}]}", "data[0].paragraphs[0]: found no 'context'"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[{\"context\":7}]}]}", "context: found 7, expected a text"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[{\"context\":\"a\"}]}]}", "found no array 'qas'"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[{\"context\":\"a\",\"qas\":[{\"id\":\"q\"}]}]}]}",
     "data[0].paragraphs[0].qas[0]: found no 'question'"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[{\"context\":\"a\",\"qas\":[{\"id\":\"q\",\"question\":\"b\"}]}]}]}",
     "found no array 'answers'"},
    {"cmrc2018",
     "{\"data\":[{\"paragraphs\":[{\"context\":\"a\",\"qas\":[{\"id\":\"q\",\"question\":\"b\",\"answers\":[]}]}]}]}",
     "found no answers"},
    {"cmrc2018",
     "{\"data\":[{\"paragraphs\":[{\"context\":\"a\",\"qas\":[{\"id\":\"q\",\"question\":\"b\",\"answers\":[7]}]}]}]}",
     "found neither a text nor an object"},
    {"cmrc2018",
     "{\"data\":[{\"paragraphs\":[{\"context\":\"a\",\"qas\":[{\"id\":\"q\",\"question\":\"b\",\"answers\":[{}]}]}]}]}",
     "found no 'text'"},
    {"cmrc2018", "{\"data\":[],\"data\":[]}", "data"},
    {"cmrc2018", "{\"data\":[{\"paragraphs\":[{\"context\":\"\\u0000\"}]}]}", "line 1"},
    {"cjrc", "[]", "found no object, expected one with the key 'data'"},
    {"cjrc", "{\"data\":[{\"paragraphs\":[]}]}", "data[0]: found no 'domain'"},
};

static void expect_bad(encl_scratch *scratch, const char *task, const void *bytes, size_t length, const char *message) {
    encl_dataset other;
    encl_dataset *dataset = &other; // to be set to NULL
    assert_fails(open_bytes(scratch, task, bytes, length, &dataset), ENCL_FORMAT, message);
    assert_null(dataset);
    assert_detail_has("/data");
}

static void test_bad(void **state) {
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_bad(*state, bad[i].task, bad[i].text, strlen(bad[i].text), bad[i].message);
    }
    static const char nul[] = "a\0b O\n";
    expect_bad(*state, "ner", nul, sizeof nul - 1, "line 1: found a NUL");
}

static void test_no_file(void **state) {
    encl_dataset *dataset = NULL;
    const encl_dataset_kind *kind = NULL;
    assert_fails(encl_dataset_open(find("ner"), scratch_path(*state, "none"), &dataset), ENCL_NOT_FOUND, "none");
    assert_fails(
        encl_dataset_find("imdb", &kind), ENCL_NOT_FOUND,
        "found task 'imdb', expected one of chnsenticorp, lcqmc, bq, xnli, thucnews, cmrc2018, drcd, cjrc, ner, "
        "sts");
    assert_null(kind);
    encl_dataset_close(NULL);
}

// A part of a file is a smaller data set, or a message; never a crash.
static void truncate_at_every_byte(encl_scratch *scratch, const char *task, const char *text) {
    size_t good = 0;
    for (size_t length = 0; length < strlen(text); length++) {
        encl_dataset *dataset = NULL;
        const encl_status status = open_bytes(scratch, task, text, length, &dataset);
        if (status != ENCL_OK) {
            assert_int_equal(status, ENCL_FORMAT);
            assert_detail_has("/data");
        }
        assert_int_equal(status == ENCL_OK, dataset != NULL);
        good += status == ENCL_OK;
        encl_dataset_close(dataset);
    }
    assert_true(good < strlen(text));
}

static void test_truncation(void **state) {
    for (size_t i = 0; i < TABLES; i++) {
        truncate_at_every_byte(*state, tables[i].task, tables[i].text);
    }
    truncate_at_every_byte(*state, "ner", tagged);
    truncate_at_every_byte(*state, "cmrc2018", squad);
    truncate_at_every_byte(*state, "cmrc2018", list);
    truncate_at_every_byte(*state, "cjrc", law);
}

static void append(encl_string *text, const char *piece, size_t times) {
    for (size_t i = 0; i < times; i++) {
        assert_ok(encl_string_append(text, piece, strlen(piece)));
    }
}

static void test_limits(void **state) {
    encl_string text = {0};
    append(&text, "label\ttext_a\n1\t", 1);
    append(&text, "a", ENCL_LINE_LIMIT);
    append(&text, "\n", 1);
    expect_bad(*state, "chnsenticorp", text.text, text.length, "line 2: found 1048578 bytes, expected at most 1048576");

    text.length = 0;
    append(&text, "label\ttext_a\n1\ta", 1);
    append(&text, "\t", 100);
    expect_bad(*state, "chnsenticorp", text.text, text.length, "line 2: found more than 64 columns");

    text.length = 0;
    append(&text, "sentence1,sentence2,label\na,", 1);
    append(&text, "b", ENCL_LINE_LIMIT);
    append(&text, ",1\n", 1);
    expect_bad(*state, "bq", text.text, text.length, "line 2: found no end within 1048576 bytes");

    text.length = 0;
    append(&text, "sentence1,sentence2,label\na,\"", 1);
    append(&text, "\n", ENCL_LINE_LIMIT);
    append(&text, "\",1\n", 1);
    expect_bad(*state, "bq", text.text, text.length, "line 2: found no end of a field in quotes");

    text.length = 0;
    append(&text, "[", 10000);
    expect_bad(*state, "cmrc2018", text.text, text.length, "line 1");

    text.length = 0;
    for (int i = 0; i < 300; i++) {
        assert_ok(encl_string_format(&text, "x B-%d\n", i));
    }
    expect_bad(*state, "ner", text.text, text.length, "line 257: found more than 256 types");
    encl_string_free(&text);
}

// ---- Labels -----------------------------------------------------------------------------------------------

static void expect_classes(const char *task, const char *const *labels, size_t count, const int32_t *expected) {
    int32_t classes[8];
    assert_in_range(count, 1, 8);
    assert_ok(encl_dataset_map_labels(find(task), labels, count, classes));
    assert_memory_equal(classes, expected, count * sizeof *classes);
}

#define LABELS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define CLASSES(...)    \
    (const int32_t[]) { \
        __VA_ARGS__     \
    }

static void test_labels(void **state) {
    (void)state;
    int32_t classes[8];
    expect_classes("chnsenticorp", LABELS("negative", "positive"), CLASSES(0, 1));
    expect_classes("chnsenticorp", LABELS("Positive", "NEGATIVE"), CLASSES(1, 0)); // by name, in any case
    expect_classes("chnsenticorp", LABELS("LABEL_0", "LABEL_1"), CLASSES(0, 1));   // by order
    expect_classes("chnsenticorp", LABELS("negative", "neutral", "positive"), CLASSES(0, -1, 1));
    expect_classes("xnli", LABELS("contradiction", "entailment", "neutral"), CLASSES(2, 0, 1));
    expect_classes("xnli", LABELS("LABEL_0", "LABEL_1", "LABEL_2"), CLASSES(0, 1, 2));
    assert_fails(encl_dataset_map_labels(find("xnli"), LABELS("yes", "no"), classes), ENCL_INVALID,
                 "the model's labels: found yes, no, expected those of xnli: entailment, neutral, contradiction");
    assert_fails(encl_dataset_map_labels(find("chnsenticorp"), LABELS("positive", "other"), classes), ENCL_INVALID,
                 "found positive, other, expected those of chnsenticorp: 0, 1"); // not by order where a name fits
    assert_fails(encl_dataset_map_labels(find("bq"), LABELS("LABEL_0"), classes), ENCL_INVALID, "bq: 0, 1");
}

// ---- Real files -------------------------------------------------------------------------------------------

static encl_dataset *open_shared(const char *task, const char *name) {
    const char *shared = getenv("ENCL_SHARED");
    char path[512];
    snprintf(path, sizeof path, "%s/data/%s", shared != NULL ? shared : "../shared", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    encl_dataset *dataset = NULL;
    assert_ok(encl_dataset_open(find(task), path, &dataset));
    return dataset;
}

static void test_real_chnsenticorp(void **state) {
    (void)state;
    encl_dataset *dataset = open_shared("chnsenticorp", "chnsenticorp_dev.tsv");
    assert_int_equal(dataset->count, 1200);
    size_t positive = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        positive += dataset->examples[i].label == 1;
    }
    assert_int_equal(positive, 593);
    encl_dataset_close(dataset);
}

static void test_real_ner(void **state) {
    (void)state;
    encl_dataset *dataset = open_shared("ner", "peopledaily_ner_dev.txt");
    assert_int_equal(dataset->count, 4631);
    assert_int_equal(dataset->types.count, 3);
    encl_dataset_close(dataset);
}

// Every answer stands in its text.
static void test_real_cmrc2018(void **state) {
    (void)state;
    encl_dataset *dataset = open_shared("cmrc2018", "cmrc2018_trial.json");
    assert_int_equal(dataset->count, 1002);
    for (size_t i = 0; i < dataset->count; i++) {
        const encl_example *example = &dataset->examples[i];
        assert_true(example->count > 0);
        assert_non_null(strstr(example->pair.text, dataset->answers[example->first]));
    }
    encl_dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tables, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_line_ends_and_marks, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_tags, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_answers, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_bad, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_no_file, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_truncation, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_limits, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_real_chnsenticorp),
        cmocka_unit_test(test_real_ner),
        cmocka_unit_test(test_real_cmrc2018),
    };
    return encl_test_main(tests);
}
