// encl eval: figures and predictions of every kind of task against other commands, goldens and the metrics themselves;
// the figures of real models; wrong files, labels and usage.
#include <math.h>

#include "cli/program.h"
#include "host/task/metrics.h"

static const char classifier[] = "tests/fixtures/tiny-bert-bf16"; // negative, neutral, positive
static const char next_sentence[] = "tests/fixtures/tiny-pretraining";
static const char embedder[] = "tests/fixtures/tiny-sentence";
static const char tagger[] = "tests/fixtures/tiny-ner";
static const char reader[] = "tests/fixtures/tiny-qa";

static const cJSON *object_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsObject(item)) {
        fail_msg("no object '%s'", key);
    }
    return item;
}

static void expect_near(double found, double expected) {
    if (!(fabs(found - expected) <= 1e-12)) {
        fail_msg("found %.17g, expected %.17g", found, expected);
    }
}

static char *read_text(const char *path) {
    char *text = NULL;
    size_t length = 0;
    assert_ok(encl_file_read(path, 1 << 20, &text, &length));
    return text;
}

// The one line that a run prints, with what every task has.
static const cJSON *parse_report(outcome *result, const char *task, double examples) {
    parse_lines(result);
    assert_int_equal(result->line_count, 1);
    const cJSON *line = result->lines[0];
    expect_keys(line, "task,metrics,examples,tokens,seconds,precision,exact_layers,counts,classes");
    assert_string_equal(text_of(line, "task"), task);
    assert_true(number_of(line, "examples") == examples);
    assert_true(number_of(line, "tokens") >= 2 * examples);
    assert_true(number_of(line, "seconds") > 0);
    return line;
}

// ---- Classes ----------------------------------------------------------------------------------------------

// Against `encl classify` for the same texts; what it calls neutral is neither 0 nor 1.
static void test_classes(void **state) {
    (void)state;
    need_device();
    static const char *const texts[] = {"hello world", "天气", "the river", "fox walked", "42!", "", "word piece"};
    enum { COUNT = sizeof texts / sizeof texts[0] };
    encl_string data = {0};
    encl_string lines = {0};
    assert_ok(encl_string_format(&data, "label\ttext_a\n"));
    for (size_t i = 0; i < COUNT; i++) {
        assert_ok(encl_string_format(&data, "%zu\t%s\n", i % 2, texts[i]));
        assert_ok(encl_string_format(&lines, "%s\n", texts[i]));
    }
    outcome labels = RUN(lines.text, "classify", classifier, "--json");
    outcome result = RUN("", "eval", "chnsenticorp", classifier, write_text("dev.tsv", data.text), "--json",
                         "--predictions", in_folder("classes.tsv"));
    parse_lines(&labels);
    const cJSON *line = parse_report(&result, "chnsenticorp", COUNT);
    encl_string expected = {0};
    encl_tally tallies[2] = {{0}};
    assert_ok(encl_string_format(&expected, "index\tprediction\n"));
    for (size_t i = 0; i < COUNT; i++) {
        const char *label = text_of(labels.lines[i], "label");
        const int32_t class = strcmp(label, "negative") == 0 ? 0 : strcmp(label, "positive") == 0 ? 1 : -1;
        const int32_t gold = i % 2;
        assert_ok(encl_string_format(&expected, "%zu\t%s\n", i, class == 0 ? "0" : class == 1 ? "1" : label));
        encl_tally_classes(&gold, &class, 1, tallies);
    }
    char *predictions = read_text(in_folder("classes.tsv"));
    assert_string_equal(predictions, expected.text);
    const encl_tally sum = encl_tally_sum(tallies, 2);
    expect_near(number_of(object_of(line, "metrics"), "accuracy"), (double)sum.right / COUNT);
    assert_true(number_of(object_of(line, "counts"), "right") == (double)sum.right);
    assert_true(number_of(object_of(line, "counts"), "wrong") == (double)(COUNT - sum.right));
    assert_int_equal(cJSON_GetArraySize(array_of(line, "classes")), 2);
    for (int i = 0; i < 2; i++) {
        const cJSON *class = cJSON_GetArrayItem(array_of(line, "classes"), i);
        const encl_f1 f1 = encl_tally_f1(&tallies[i]);
        expect_keys(class, "name,precision,recall,f1,support");
        assert_string_equal(text_of(class, "name"), i == 0 ? "0" : "1");
        expect_near(number_of(class, "precision"), f1.precision);
        expect_near(number_of(class, "f1"), f1.f1);
        assert_true(number_of(class, "support") == (double)tallies[i].gold);
    }
    free(predictions);
    encl_string_free(&expected);
    encl_string_free(&data);
    encl_string_free(&lines);
    free_outcome(&labels);
    free_outcome(&result);
}

// The classifier under labels of which no data set knows any.
static const char *renamed_classifier(void) {
    static const char *const files[] = {"config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"};
    static char model[PATH_LENGTH];
    snprintf(model, sizeof model, "%s", in_folder("renamed"));
    assert_int_equal(mkdir(model, 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_LENGTH];
        char *bytes = NULL;
        size_t length = 0;
        snprintf(path, sizeof path, "%s/%s", classifier, files[i]);
        assert_ok(encl_file_read(path, 1 << 20, &bytes, &length));
        for (char *name = strstr(bytes, "neutral"); i == 0 && name != NULL; name = strstr(name, "neutral")) {
            memcpy(name, "LABEL_1", strlen("LABEL_1"));
        }
        snprintf(path, sizeof path, "renamed/%s", files[i]);
        assert_ok(encl_file_write(in_folder(path), bytes, length));
        free(bytes);
    }
    return model;
}

// A pair's second text is read, and labels go by their order where no name fits.
static void test_pairs(void **state) {
    (void)state;
    need_device();
    const char *data = write_text("xnli.tsv", "premise\thypo\tlabel\nhello\tworld\tentailment\n");
    const char *model = renamed_classifier();
    outcome label = RUN("", "classify", model, "--json", "hello", "--pair", "world");
    outcome result = RUN("", "eval", "xnli", model, data, "--json");
    parse_lines(&label);
    const cJSON *line = parse_report(&result, "xnli", 1);
    const bool first = strcmp(text_of(label.lines[0], "label"), "negative") == 0;
    assert_true(number_of(object_of(line, "counts"), "right") == first);
    outcome tokens = RUN("", "tokenize", classifier, "--json", "hello", "--pair", "world");
    parse_lines(&tokens);
    assert_true(number_of(line, "tokens") == cJSON_GetArraySize(array_of(tokens.lines[0], "ids")));
    free_outcome(&tokens);
    free_outcome(&label);
    free_outcome(&result);
}

// ---- Scores -----------------------------------------------------------------------------------------------

static void test_scores(void **state) {
    (void)state;
    need_device();
    const char *data = write_text("sts.txt", "1||hello world||hello fox||3\n2||the river||the fox||1.5\n"
                                             "3||天气||river||0\n4||fox||fox||5\n");
    static const char *const pairs[][2] = {
        {"hello world", "hello fox"}, {"the river", "the fox"}, {"天气", "river"}, {"fox", "fox"}};
    static const double gold[] = {3, 1.5, 0, 5};
    double cosines[4];
    outcome result =
        RUN("", "eval", "sts", embedder, data, "--json", "--predictions", in_folder("sts.out"), "--pooling", "mean");
    const cJSON *line = parse_report(&result, "sts", 4);
    char *predictions = read_text(in_folder("sts.out"));
    char *at = predictions;
    for (size_t i = 0; i < 4; i++) {
        outcome pair = RUN("", "similarity", embedder, "--json", pairs[i][0], pairs[i][1]);
        parse_lines(&pair);
        const cJSON *first = array_of(pair.lines[0], "scores")->child;
        cosines[i] = strtod(at, &at);
        assert_int_equal(*at++, '\n');
        assert_true(fabs(cosines[i] - cJSON_GetArrayItem(first, 1)->valuedouble) < 0.2); // its pooling is another
        free_outcome(&pair);
    }
    assert_int_equal(*at, '\0');
    expect_near(cosines[3], 1);
    double rho = 0;
    assert_ok(encl_spearman(cosines, gold, 4, &rho));
    expect_near(number_of(object_of(line, "metrics"), "spearman"), rho);
    assert_true(fabs(number_of(object_of(line, "metrics"), "pearson") - encl_pearson(cosines, gold, 4)) < 1e-7);
    free(predictions);
    free_outcome(&result);

    // One pair has no correlation.
    outcome one = RUN("", "eval", "sts", embedder, write_text("one.txt", "1||hello||fox||3\n"), "--json");
    line = parse_report(&one, "sts", 1);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(object_of(line, "metrics"), "spearman")));
    free_outcome(&one);
}

// ---- Tags -------------------------------------------------------------------------------------------------

// Words that a file can hold, each with a label. (A word without a token has none in the golden.)
static bool is_plain(const cJSON *item) {
    const cJSON *label = array_of(item, "labels")->child;
    for (const cJSON *word = array_of(item, "words")->child; word != NULL; word = word->next, label = label->next) {
        if (!cJSON_IsString(label) || word->valuestring[0] == '\0' || strpbrk(word->valuestring, " \t\r\n") != NULL) {
            return false;
        }
    }
    return array_of(item, "words")->child != NULL;
}

// Sentences with the labels that transformers gave them, and what the predictions file holds then.
static size_t write_golden(const cJSON *cases, encl_string *data, encl_string *expected) {
    size_t sentences = 0;
    for (const cJSON *item = cases->child; item != NULL; item = item->next) {
        const cJSON *label = array_of(item, "labels")->child;
        if (strcmp(text_of(item, "fixture"), "tiny-ner") != 0 || !is_plain(item)) {
            continue;
        }
        for (const cJSON *word = array_of(item, "words")->child; word != NULL; word = word->next) {
            assert_ok(encl_string_format(data, "%s %s\n", word->valuestring, label->valuestring));
            assert_ok(
                encl_string_format(expected, "%s %s %s\n", word->valuestring, label->valuestring, label->valuestring));
            label = label->next;
        }
        assert_ok(encl_string_format(data, "\n"));
        assert_ok(encl_string_format(expected, "\n"));
        sentences++;
    }
    return sentences;
}

static void test_tags(void **state) {
    (void)state;
    need_device();
    cJSON *golden = NULL;
    encl_string data = {0};
    encl_string expected = {0};
    assert_ok(encl_json_read("tests/golden/task/ner_words.json", 1 << 22, &golden));
    const size_t sentences = write_golden(array_of(golden, "cases"), &data, &expected);
    assert_true(sentences > 0);
    outcome result = RUN("", "eval", "ner", tagger, write_text("ner.txt", data.text), "--json", "--predictions",
                         in_folder("ner.out"));
    const cJSON *line = parse_report(&result, "ner", (double)sentences);
    char *predictions = read_text(in_folder("ner.out"));
    assert_string_equal(predictions, expected.text);
    expect_near(number_of(object_of(line, "metrics"), "f1"), 1);
    const double right = number_of(object_of(line, "counts"), "right");
    assert_true(right > 2 && number_of(object_of(line, "counts"), "wrong") == 0 &&
                number_of(object_of(line, "counts"), "missed") == 0);
    free(predictions);
    free_outcome(&result);

    // Another type in the data makes every entity wrong, and is one that the model does not have.
    for (char *at = strstr(data.text, "-PER"); at != NULL; at = strstr(at, "-PER")) {
        memcpy(at, "-LOC", 4);
    }
    result = RUN("", "eval", "ner", tagger, write_text("loc.txt", data.text), "--json");
    line = parse_report(&result, "ner", (double)sentences);
    assert_true(number_of(object_of(line, "counts"), "wrong") > 0);
    assert_true(number_of(object_of(line, "metrics"), "f1") < 1);
    free_outcome(&result);
    encl_string_free(&data);
    encl_string_free(&expected);
    cJSON_Delete(golden);
}

// ---- Answers ----------------------------------------------------------------------------------------------

static const char questions[] =
    "{\"data\":[{\"domain\":\"civil\",\"paragraphs\":[{\"context\":\"the river fox walked 天气 hello world\",\"qas\":"
    "[{\"id\":\"a\",\"question\":\"hello\",\"answers\":[{\"text\":\"the river\"},{\"text\":\"fox\"}]},"
    "{\"id\":\"b\",\"question\":\"天气\",\"answers\":[{\"text\":\"天气\"}]}]}]},{\"domain\":\"criminal\","
    "\"paragraphs\":[{\"context\":\"hello\",\"qas\":[{\"id\":\"c\",\"question\":\"world\",\"answers\":"
    "[{\"text\":\"Hello\"}]}]}]}]}";
static const struct {
    const char *answers[2];
    size_t count;
} accepted[] = {{{"the river", "fox"}, 2}, {{"天气"}, 1}, {{"Hello"}, 1}};

static void check_answers(const cJSON *line, const char *const *found, encl_answer_scorer scorer) {
    double exact = 0;
    double f1 = 0;
    for (size_t i = 0; i < 3; i++) {
        encl_answer_score score;
        assert_ok(scorer(found[i], accepted[i].answers, accepted[i].count, &score));
        exact += score.exact;
        f1 += score.f1;
    }
    const cJSON *metrics = object_of(line, "metrics");
    expect_near(number_of(metrics, "exact_match"), 100 * exact / 3);
    expect_near(number_of(metrics, "f1"), 100 * f1 / 3);
    expect_near(number_of(metrics, "average"), 50 * (exact + f1) / 3);
}

static void test_answers(void **state) {
    (void)state;
    need_device();
    const char *data = write_text("qa.json", questions);
    cJSON *predictions = NULL;
    outcome result = RUN("", "eval", "cmrc2018", reader, data, "--json", "--predictions", in_folder("cmrc.json"));
    const cJSON *line = parse_report(&result, "cmrc2018", 3);
    assert_ok(encl_json_read(in_folder("cmrc.json"), 1 << 20, &predictions));
    expect_keys(predictions, "a,b,c");
    const char *found[] = {text_of(predictions, "a"), text_of(predictions, "b"), text_of(predictions, "c")};
    assert_string_equal(found[2], "hello"); // all there is in its text
    check_answers(line, found, encl_score_cmrc);
    assert_true(number_of(object_of(line, "metrics"), "exact_match") > 33);

    // The same answers in CJRC's form, by domain.
    outcome law = RUN("", "eval", "cjrc", reader, data, "--json", "--predictions", in_folder("cjrc.json"));
    line = parse_report(&law, "cjrc", 3);
    check_answers(line, found, encl_score_cjrc);
    char *text = read_text(in_folder("cjrc.json"));
    cJSON *list = NULL;
    assert_ok(encl_json_parse("cjrc.json", text, strlen(text), &list));
    assert_int_equal(cJSON_GetArraySize(list), 3);
    for (int i = 0; i < 3; i++) {
        expect_keys(cJSON_GetArrayItem(list, i), "id,answer");
        assert_string_equal(text_of(cJSON_GetArrayItem(list, i), "answer"), found[i]);
    }
    const cJSON *domain = array_of(line, "classes")->child;
    expect_keys(domain, "name,exact_match,f1,questions");
    assert_string_equal(text_of(domain, "name"), "civil");
    assert_true(number_of(domain, "questions") == 2);
    assert_string_equal(text_of(domain->next, "name"), "criminal");
    assert_true(number_of(domain->next, "exact_match") == 100);
    assert_null(domain->next->next);
    free(text);
    cJSON_Delete(list);
    cJSON_Delete(predictions);
    free_outcome(&result);
    free_outcome(&law);
}

// ---- Failures and usage -----------------------------------------------------------------------------------

static void expect_failure(outcome result, int exit_code, const char *message) {
    expect_exit(&result, exit_code);
    if (strstr(result.err, message) == NULL) {
        fail_msg("found '%s', expected '%s' in it", result.err, message);
    }
    assert_int_equal(count_lines(result.err), 1);
    assert_string_equal(result.out, "");
    free_outcome(&result);
}

static void test_failures(void **state) {
    (void)state;
    need_device();
    const char *good = write_text("good.tsv", "label\ttext_a\n1\thello\n");
    const char *output = in_folder("failed.tsv");
    expect_failure(RUN("", "eval", "chnsenticorp", classifier, write_text("bad.tsv", "label\ttext_a\n2\thello\n")), 1,
                   "bad.tsv: line 2, column 1: found label '2', expected one of 0, 1");
    expect_failure(RUN("", "eval", "chnsenticorp", classifier, in_folder("none.tsv")), 1, "none.tsv");
    expect_failure(RUN("", "eval", "chnsenticorp", in_folder("no-model"), good), 1, "no-model");
    expect_failure(RUN("", "eval", "chnsenticorp", "tests/fixtures/tiny-one-label", good, "--predictions", output), 1,
                   "expected those of chnsenticorp: 0, 1");
    // That a text follows another is no class of a data set.
    expect_failure(RUN("", "eval", "chnsenticorp", next_sentence, good), 1, "no classification head");
    assert_false(encl_path_exists(output)); // a run that fails leaves no file
    expect_failure(RUN("", "eval", "chnsenticorp", tagger, good), 1, "tiny-ner");
    expect_failure(RUN("", "eval", "ner", classifier, write_text("o.txt", "a O\n")), 1, "tiny-bert-bf16");
    expect_failure(RUN("", "eval", "ner", tagger, write_text("org.txt", "a B-ORG\n")), 1,
                   "the model's labels: found O, B-PER, I-PER, B-LOC, I-LOC, expected O and tags of the types in the "
                   "data, ORG");
    expect_failure(RUN("", "eval", "chnsenticorp", classifier, good, "--predictions", "/no/such/folder/a"), 1,
                   "/no/such/folder/a");
    expect_failure(RUN("", "eval", "chnsenticorp", classifier, good, "--max-length", "100000"), 1, "100000");
}

static void test_usage(void **state) {
    (void)state;
    const char *data = write_text("usage.tsv", "label\ttext_a\n1\thello\n");
    expect_failure(RUN("", "eval", "imdb", classifier, data), 2, "found task 'imdb', expected one of chnsenticorp");
    expect_failure(RUN("", "eval", "chnsenticorp", classifier), 2, "encl eval");
    expect_failure(RUN("", "eval", "ner", tagger, data, "--pooling", "mean"), 2, "--pooling: found task 'ner'");
    expect_failure(RUN("", "eval", "sts", embedder, data, "--pooling", "most"), 2, "most");
    expect_failure(RUN("", "eval", "sts", embedder, data, "--max-length", "0"), 2, "--max-length");
}

// For people: figures, counts and classes; and the one warning about truncated texts.
static void test_people(void **state) {
    (void)state;
    need_device();
    const char *data = write_text("people.tsv", "label\ttext_a\n1\thello world\n0\tthe river\n");
    outcome result = RUN("", "eval", "chnsenticorp", classifier, data, "--max-length", "3");
    expect_exit(&result, 0);
    static const char *const parts[] = {"accuracy", "right", "wrong", "examples", "tokens", "seconds", "support"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_non_null(strstr(result.out, parts[i]));
    }
    assert_non_null(strstr(result.err, "2 of 2 texts had more than 3 tokens and were truncated"));
    free_outcome(&result);
}

// ---- Real models ------------------------------------------------------------------------------------------

// Under sanitizers the device would compute for minutes, and the host does nothing that small data does not make it do.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool left_out = true;
#else
static const bool left_out = false;
#endif

static void find_shared(const char *model, const char *data, char model_path[PATH_LENGTH],
                        char data_path[PATH_LENGTH]) {
    const char *shared = getenv("ENCL_SHARED");
    shared = shared != NULL ? shared : "../shared";
    snprintf(model_path, PATH_LENGTH, "%s/models/%s", shared, model);
    snprintf(data_path, PATH_LENGTH, "%s/data/%s", shared, data);
    need_device();
    if (left_out) {
        print_message("left out under sanitizers\n");
        skip();
    }
    if (!encl_path_exists(model_path) || !encl_path_exists(data_path)) {
        print_message("skipped: no %s or no %s\n", model_path, data_path);
        skip();
    }
}

static outcome run_shared(const char *task, const char *model, const char *data, const char *max_length) {
    char model_path[PATH_LENGTH];
    char data_path[PATH_LENGTH];
    find_shared(model, data, model_path, data_path);
    return RUN("", "eval", task, model_path, data_path, "--json", "--quiet", "--max-length", max_length);
}

static void check_sentiment(const char *max_length, double right) {
    outcome result = run_shared("chnsenticorp", "zh-mini-sentiment", "chnsenticorp_dev.tsv", max_length);
    const cJSON *line = parse_report(&result, "chnsenticorp", 1200);
    assert_true(number_of(object_of(line, "counts"), "right") == right);
    expect_near(number_of(object_of(line, "metrics"), "accuracy"), right / 1200);
    free_outcome(&result);
}

static void test_real_sentiment(void **state) {
    (void)state;
    check_sentiment("128", 1033);
}

static void test_real_long_sentiment(void **state) {
    (void)state;
    check_sentiment("512", 1062);
}

// Low precisions give what float32 gives, within half a point; on some texts, and by PoCL where it is there, because
// kernels that any device has are slow in them.
static void test_real_low(void **state) {
    (void)state;
    static const char *const precisions[] = {"fp32", "bf16", "int8"};
    enum { EXAMPLES = 200 };
    char model_path[PATH_LENGTH];
    char data_path[PATH_LENGTH];
    double right[3];
    char *text = NULL;
    size_t length = 0;
    find_shared("zh-mini-sentiment", "chnsenticorp_dev.tsv", model_path, data_path);
    assert_ok(encl_file_read(data_path, 1 << 24, &text, &length));
    char *end = text;
    for (int line = 0; line < 1 + EXAMPLES; line++) { // the first is the header
        end = strchr(end, '\n');
        assert_non_null(end);
        end++;
    }
    *end = '\0';
    const char *some = write_text("some.tsv", text);
    free(text);
    outcome devices = RUN("", "devices", "--json");
    const char *device = strstr(devices.out, "Portable Computing Language") != NULL ? "Portable" : "auto";
    free_outcome(&devices);
    for (size_t i = 0; i < 3; i++) {
        outcome result = RUN("", "eval", "chnsenticorp", model_path, some, "--json", "--quiet", "--max-length", "64",
                             "--device", device, "--precision", precisions[i]);
        const cJSON *line = parse_report(&result, "chnsenticorp", EXAMPLES);
        assert_string_equal(text_of(line, "precision"), precisions[i]);
        right[i] = number_of(object_of(line, "counts"), "right");
        assert_true(fabs(right[i] - right[0]) <= 0.005 * EXAMPLES);
        free_outcome(&result);
    }
    assert_true(right[0] > 0.75 * EXAMPLES);
}

static void test_real_ner(void **state) {
    (void)state;
    outcome result = run_shared("ner", "zh-mini-ner", "peopledaily_ner_dev.txt", "512");
    const cJSON *line = parse_report(&result, "ner", 4631);
    const cJSON *counts = object_of(line, "counts");
    assert_true(number_of(counts, "right") == 3853);
    assert_true(number_of(counts, "wrong") == 3889);
    assert_true(number_of(counts, "missed") == 2339);
    assert_true(fabs(number_of(object_of(line, "metrics"), "f1") - 0.55304) < 5e-6);
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_scores),         cmocka_unit_test(test_tags),
        cmocka_unit_test(test_answers),        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_usage),          cmocka_unit_test(test_people),
        cmocka_unit_test(test_real_sentiment), cmocka_unit_test(test_real_long_sentiment),
        cmocka_unit_test(test_real_ner),       cmocka_unit_test(test_real_low),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
