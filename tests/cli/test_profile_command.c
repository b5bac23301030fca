// encl profile and the global option --profile: figures that add up, files that parse, the same results as without.
#include <math.h>

#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";
static const char columns[] =
    "case_id,seq_no,layer,op,kernel,variant,why,dtype,shape,fused,status,calls,queued_us,submit_us,exec_us,exec_p50_us,"
    "host_gap_us,queue_gap_us,launch_gap_us,pct_wall,cum_pct,flops,bytes,gflops,gbs,ai,roof_pct,bound";

// ---- Reading a CSV ----------------------------------------------------------------------------------------

enum { COLUMN_COUNT = 28, ROW_LIMIT = 1024, CELL_LENGTH = 96 };

typedef struct sheet {
    char cells[ROW_LIMIT][COLUMN_COUNT][CELL_LENGTH];
    size_t row_count;
} sheet;

// One cell (RFC 4180); *text moves behind what ends it.
static char read_cell(const char **text, char cell[CELL_LENGTH]) {
    const char *at = *text;
    const bool quoted = *at == '"';
    size_t length = 0;
    at += quoted ? 1 : 0;
    while (*at != '\0' && (quoted || (*at != ',' && *at != '\n'))) {
        if (quoted && at[0] == '"' && at[1] != '"') {
            at++;
            break;
        }
        at += quoted && at[0] == '"' ? 1 : 0;
        assert_true(length + 1 < CELL_LENGTH);
        cell[length++] = *at++;
    }
    cell[length] = '\0';
    assert_true(*at == ',' || *at == '\n');
    *text = at + 1;
    return *at;
}

static sheet *read_csv(const char *name) {
    static sheet read;
    char *text = NULL;
    size_t length = 0;
    assert_ok(read_result(name, &text, &length));
    assert_int_equal(strncmp(text, columns, strlen(columns)), 0);
    const char *at = text + strlen(columns);
    assert_int_equal(*at++, '\n');
    read.row_count = 0;
    while (*at != '\0') {
        assert_true(read.row_count < ROW_LIMIT);
        for (size_t c = 0; c < COLUMN_COUNT; c++) {
            assert_int_equal(read_cell(&at, read.cells[read.row_count][c]), c + 1 < COLUMN_COUNT ? ',' : '\n');
        }
        read.row_count++;
    }
    free(text);
    return &read;
}

static size_t column_of(const char *name) {
    size_t index = 0;
    const char *at = columns;
    const size_t length = strlen(name);
    while (strncmp(at, name, length) != 0 || (at[length] != ',' && at[length] != '\0')) {
        at = strchr(at, ',');
        assert_non_null(at);
        at++;
        index++;
    }
    return index;
}

static const char *cell_of(const sheet *from, size_t row, const char *column) {
    return from->cells[row][column_of(column)];
}

static double value_of(const sheet *from, size_t row, const char *column) {
    const char *cell = cell_of(from, row, column);
    char *end = NULL;
    const double value = strtod(cell, &end);
    if (end == cell || *end != '\0' || !isfinite(value)) {
        fail_msg("row %zu, %s: found '%s', expected a number", row, column, cell);
    }
    return value;
}

static bool has(const sheet *from, size_t row, const char *column, const char *text) {
    return strcmp(cell_of(from, row, column), text) == 0;
}

// The first row of `name` with this cell; row_count where there is none.
static size_t find_row(const sheet *from, const char *name, const char *column, const char *text) {
    size_t row = 0;
    while (row < from->row_count && !(has(from, row, "case_id", name) && has(from, row, column, text))) {
        row++;
    }
    return row;
}

// The rows of a case: commands, gaps, lead and tail give the wall time, and subtotals give the commands.
static void check_sums(const sheet *from, const char *name) {
    static const char *const gaps[] = {"host_gap_us", "queue_gap_us", "launch_gap_us"};
    double sum = 0;
    double exec = 0;
    double subtotals = 0;
    size_t commands = 0;
    for (size_t row = 0; row < from->row_count; row++) {
        if (!has(from, row, "case_id", name)) {
            continue;
        }
        if (has(from, row, "status", "EXECUTED")) {
            assert_int_equal(value_of(from, row, "seq_no"), commands);
            commands++;
            assert_true(value_of(from, row, "calls") >= 1);
            exec += value_of(from, row, "exec_us");
            for (size_t g = 0; g < 3; g++) {
                sum += value_of(from, row, gaps[g]);
            }
        } else if (has(from, row, "status", "SUBTOTAL")) {
            subtotals += value_of(from, row, "exec_us");
        }
    }
    const double residual = value_of(from, find_row(from, name, "op", "residual"), "exec_us");
    const double wall = value_of(from, find_row(from, name, "op", "TOTAL=wall"), "exec_us");
    sum += exec + value_of(from, find_row(from, name, "op", "lead"), "exec_us") +
           value_of(from, find_row(from, name, "op", "tail"), "exec_us");
    const double rounding = 0.001 * (double)(commands * 4 + 8);
    assert_true(commands > 0 && wall > 0);
    // Overlap, which llvmpipe's times show, counts in the commands but not in the wall time; it is nanoseconds there.
    if (!(fabs(sum - wall) <= residual + rounding + 0.001 * (double)commands)) {
        fail_msg("%s: parts give %g us, wall %g us, residual %g us", name, sum, wall, residual);
    }
    assert_true(fabs(subtotals - 2 * exec) <= 2 * rounding); // by layer and by operator
}

// ---- encl profile -----------------------------------------------------------------------------------------

static double sum_of(const cJSON *array, const char *key) {
    double sum = 0;
    for (const cJSON *item = array->child; item != NULL; item = item->next) {
        sum += number_of(item, key);
    }
    return sum;
}

static void check_line(const cJSON *line, double repeat) {
    const cJSON *parts = cJSON_GetObjectItem(line, "parts");
    assert_non_null(parts);
    static const char *const names[] = {"lead_us",      "exec_us",       "host_gap_us",
                                        "queue_gap_us", "launch_gap_us", "tail_us"};
    double sum = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_true(number_of(parts, names[i]) >= 0);
        sum += number_of(parts, names[i]);
    }
    const double slack = 0.01 + number_of(parts, "residual_us");
    const double exec = number_of(parts, "exec_us") + number_of(parts, "overlap_us");
    assert_true(fabs(sum - number_of(line, "wall_us")) <= slack);
    static const char *const groups[] = {"layers", "operators", "layer_operators"};
    const double calls = sum_of(array_of(line, "operators"), "calls");
    for (size_t i = 0; i < 3; i++) {
        assert_true(fabs(sum_of(array_of(line, groups[i]), "exec_us") - exec) <= 0.01);
        assert_true(fabs(sum_of(array_of(line, groups[i]), "calls") - calls) < 0.01);
    }
    for (const cJSON *op = array_of(line, "operators")->child; op != NULL; op = op->next) {
        const bool copies = strcmp(text_of(op, "op"), "upload") == 0 || strcmp(text_of(op, "op"), "download") == 0;
        assert_int_equal(text_of(op, "why")[0] == '\0', copies);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(op, "roof_pct"))); // without peaks
    }
    assert_true(number_of(line, "plain_p50_us") > 0);
    assert_int_equal(number_of(line, "repeat"), repeat);
    assert_int_equal(cJSON_GetArraySize(array_of(line, "plain_samples_ns")), (int)repeat);
    assert_int_equal(cJSON_GetArraySize(array_of(line, "profiled_samples_ns")), (int)repeat);
    const cJSON *plain = cJSON_GetObjectItem(line, "plain");
    assert_true(number_of(plain, "min_us") <= number_of(plain, "p50_us"));
    assert_true(number_of(plain, "p50_us") <= number_of(plain, "max_us"));
    assert_true(number_of(line, "device_bytes") > number_of(line, "weight_bytes") + number_of(line, "arena_bytes"));
    assert_int_equal(number_of(line, "quarantined"), 0);
}

static void test_texts(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "profile", model, "one two", "three", "--json", "--repeat", "3", "--no-peaks", "--csv",
                         in_folder("profile.csv"), "--trace", in_folder("trace.json"), "--profile",
                         in_folder("again.csv"), "--quiet");
    parse_lines(&result);
    assert_int_equal(result.line_count, 2);
    assert_string_equal(text_of(result.lines[0], "schema"), "encl.profile/1");
    expect_keys(result.lines[0], "schema,encl,run,host,model,device,peaks");
    check_line(result.lines[1], 3);
    const sheet *csv = read_csv("profile.csv");
    check_sums(csv, "texts");
    const size_t linear = find_row(csv, "texts", "op", "linear");
    assert_true(linear < csv->row_count);
    assert_true(cell_of(csv, linear, "why")[0] != '\0' && cell_of(csv, linear, "variant")[0] != '\0');
    assert_string_equal(cell_of(csv, linear, "dtype"), "fp32");
    assert_string_equal(cell_of(csv, linear, "layer"), "1");
    assert_int_equal(strncmp(cell_of(csv, linear, "fused"), "bias", 4), 0);
    assert_true(value_of(csv, linear, "flops") > 0 && value_of(csv, linear, "ai") > 0);
    assert_string_equal(cell_of(csv, csv->row_count - 1, "op"), "TOTAL=wall");
    // --profile says the same in one more file.
    char *first = NULL;
    char *second = NULL;
    size_t length = 0;
    assert_ok(read_result("profile.csv", &first, &length));
    assert_ok(read_result("again.csv", &second, &length));
    assert_string_equal(first, second);
    free(first);
    free(second);
    cJSON *events = NULL;
    assert_ok(encl_json_read(in_folder("trace.json"), 1 << 22, &events));
    assert_true(cJSON_GetArraySize(array_of(events, "traceEvents")) >
                sum_of(array_of(result.lines[1], "operators"), "calls"));
    cJSON_Delete(events);
    free_outcome(&result);
}

static void test_shapes(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "profile", "--shape", "minilm", "--batch", "1,2", "--seq", "8", "--repeat", "1", "--json",
                         "--no-peaks", "--quiet", "--csv", in_folder("shapes.csv"));
    parse_lines(&result);
    assert_int_equal(result.line_count, 3);
    assert_string_equal(text_of(result.lines[1], "case_id"), "minilm 1x8");
    assert_string_equal(text_of(result.lines[2], "case_id"), "minilm 2x8");
    assert_int_equal(number_of(result.lines[2], "real_tokens"), 16);
    check_line(result.lines[1], 1);
    check_line(result.lines[2], 1);
    const sheet *csv = read_csv("shapes.csv");
    check_sums(csv, "minilm 1x8");
    check_sums(csv, "minilm 2x8");
    free_outcome(&result);
}

// What the device can do is measured once, and operators are held against it.
static void test_peaks(void **state) {
    (void)state;
    need_device();
    for (int time = 0; time < 2; time++) {
        outcome result =
            RUN("", "profile", "--shape", "minilm", "--batch", "1", "--seq", "8", "--repeat", "1", "--json", "-v");
        parse_lines(&result);
        const cJSON *peaks = cJSON_GetObjectItem(result.lines[0], "peaks");
        assert_true(number_of(peaks, "fp32_gflops") > 0 && number_of(peaks, "memory_gbs") > 0);
        assert_true(time == 0 || strstr(result.err, "measuring what") == NULL); // from the cache
        for (const cJSON *op = array_of(result.lines[1], "operators")->child; op != NULL; op = op->next) {
            assert_true(number_of(op, "roof_pct") >= 0);
            assert_true(cJSON_IsString(cJSON_GetObjectItem(op, "bound")));
        }
        free_outcome(&result);
    }
}

// Tables stay within 110 columns, counts take the right word, and several cases end in a table of all.
static void test_tables(void **state) {
    (void)state;
    need_device();
    outcome result = RUN("", "profile", "--shape", "minilm", "--batch", "1", "--seq", "1,16", "--repeat", "2", "--all",
                         "--no-peaks", "--quiet");
    expect_exit(&result, 0);
    static const char *const parts[] = {
        "minilm 1x1: 1 sequence, 1 token, on ",
        "minilm 1x16: 1 sequence, 16 tokens, on ",
        "profiling costs",
        "why",
        "read back",
        "wall time",
        "residual",
        "% peak",
        "submit ms",
        "launch gap ms",
        "case         tokens",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(result.out, parts[i]) == NULL) {
            fail_msg("no '%s' in:\n%s", parts[i], result.out);
        }
    }
    const char *line = result.out;
    for (const char *end = strchr(line, '\n'); end != NULL; line = end + 1, end = strchr(line, '\n')) {
        if (end - line > 110) {
            fail_msg("a line of %d columns: %.*s", (int)(end - line), (int)(end - line), line);
        }
    }
    free_outcome(&result);
}

static void test_bad(void **state) {
    (void)state;
    expect_misuse(RUN("", "profile", model, "a", "--profile", "x.txt"), "--profile: found 'x.txt', expected a name");
    expect_misuse(RUN("", "embed", model, "a", "--profile", "json"), "--profile: found 'json'");
    expect_misuse(RUN("", "profile", model, "a", "--csv", "x.csv", "--html", "x.csv"),
                  "--html: found 'x.csv', as --csv");
    expect_misuse(RUN("", "profile", model, "a", "--profile", "y.csv", "--csv", "y.csv"), "--profile: found 'y.csv'");
    expect_misuse(RUN("", "--profile", "", "devices"), "--profile: found ''");
    expect_misuse(RUN("", "devices", "--profile"), "--profile");
    need_device();
    const char *absent = in_folder("absent/x.csv");
    outcome result = RUN("", "embed", model, "a", "--json", "--profile", absent);
    assert_string_equal(result.out, ""); // told before the work
    expect_bad(result, absent);
    static const char *const options[] = {"--csv", "--trace", "--html", "--profile"};
    for (size_t i = 0; i < 4; i++) {
        outcome refused = RUN("", "profile", model, "a", "--no-peaks", options[i], absent);
        assert_string_equal(refused.out, "");
        expect_bad(refused, absent);
    }
    const char *folder_name = in_folder("folder.csv");
    assert_int_equal(mkdir(folder_name, 0700), 0);
    expect_bad(RUN("", "embed", model, "a", "--profile", folder_name), "found a folder");
}

// ---- --profile --------------------------------------------------------------------------------------------

// Every command that computes: the same answers, and a file whose parts add up.
static void profile_commands(const char *device) {
    char sts[PATH_LENGTH];
    char predictions[PATH_LENGTH];
    snprintf(sts, sizeof sts, "%s", write_text("sts.txt", "1||hello||fox||3\n2||the fox||a river||1\n"));
    snprintf(predictions, sizeof predictions, "%s", in_folder("predictions.txt"));
    const char *const commands[][12] = {
        {"embed", model, "hello", "the quick brown fox", "--json"},
        {"similarity", model, "hello", "fox", "--json"},
        {"fill-mask", "tests/fixtures/tiny-pretraining", "hello [MASK]", "--json"},
        {"classify", "tests/fixtures/tiny-bert-bf16", "hello", "the fox", "--json"},
        {"ner", "tests/fixtures/tiny-ner", "the river", "--json"},
        {"qa", "tests/fixtures/tiny-qa", "--question", "hello", "--context", "the quick brown fox", "--json"},
        {"eval", "sts", "tests/fixtures/tiny-sentence", sts, "--predictions", predictions},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *arguments[20] = {NULL};
        size_t count = 0;
        while (commands[i][count] != NULL) {
            arguments[count] = commands[i][count];
            count++;
        }
        arguments[count++] = "--device";
        arguments[count++] = device;
        outcome plain = run_program("", arguments);
        arguments[count++] = "--profile";
        arguments[count++] = in_folder("command.csv");
        outcome profiled = run_program("", arguments);
        expect_exit(&plain, 0);
        expect_exit(&profiled, 0);
        assert_string_equal(profiled.err, plain.err);
        if (strcmp(commands[i][0], "eval") != 0) { // which tells how long it took
            assert_string_equal(profiled.out, plain.out);
        }
        const sheet *csv = read_csv("command.csv");
        check_sums(csv, commands[i][0]);
        assert_true(find_row(csv, commands[i][0], "op", "linear") < csv->row_count);
        assert_true(value_of(csv, find_row(csv, commands[i][0], "op", "outside"), "exec_us") > 0);
        free_outcome(&plain);
        free_outcome(&profiled);
    }
}

static void test_commands(void **state) {
    (void)state;
    need_device();
    const encl_device *const *devices = NULL;
    size_t count = 0;
    assert_ok(encl_devices(&devices, &count));
    for (size_t i = 0; i < count; i++) {
        const encl_device_info *info = encl_device_get_info(devices[i]);
        char index[16];
        if (encl_test_usable(devices[i])) {
            print_message("  on %s: %s\n", info->platform, info->name);
            snprintf(index, sizeof index, "%d", info->index);
            profile_commands(index);
        }
    }
}

// Several batches: rows of commands that differ in rows alone are one, with all calls.
static void test_batches(void **state) {
    (void)state;
    need_device();
    encl_string lines = {0};
    for (int i = 0; i < 40; i++) {
        assert_ok(encl_string_format(&lines, "hello%s\n", i % 3 == 0 ? " the quick brown fox" : ""));
    }
    outcome plain = RUN(lines.text, "embed", model, "--json", "--batch-tokens", "80");
    outcome result =
        RUN(lines.text, "embed", model, "--json", "--batch-tokens", "80", "--profile", in_folder("batches.csv"));
    expect_exit(&result, 0);
    assert_string_equal(result.out, plain.out);
    const sheet *csv = read_csv("batches.csv");
    check_sums(csv, "embed");
    const size_t row = find_row(csv, "embed", "op", "embed");
    assert_true(value_of(csv, row, "calls") > 1);
    assert_int_equal(strncmp(cell_of(csv, row, "shape"), "*x", 2), 0);
    encl_string_free(&lines);
    free_outcome(&plain);
    free_outcome(&result);
}

// A command that runs nothing on a device: a warning, and a file that says so.
static void test_nothing(void **state) {
    (void)state;
    outcome result = RUN("", "tokenize", model, "hello", "--json", "--profile", in_folder("nothing.csv"));
    expect_exit(&result, 0);
    assert_non_null(strstr(result.err, "found no run on a device in `encl tokenize'"));
    const sheet *csv = read_csv("nothing.csv");
    assert_int_equal(find_row(csv, "tokenize", "status", "EXECUTED"), csv->row_count);
    free_outcome(&result);
    result = RUN("", "tokenize", model, "hello", "--profile", in_folder("nothing.json"), "--quiet");
    expect_exit(&result, 0);
    assert_string_equal(result.err, "");
    cJSON *trace = NULL;
    assert_ok(encl_json_read(in_folder("nothing.json"), 1 << 20, &trace));
    assert_non_null(array_of(trace, "traceEvents"));
    cJSON_Delete(trace);
    free_outcome(&result);
    // A command that fails leaves no file.
    result = RUN("", "tokenize", in_folder("no-model"), "hello", "--profile", in_folder("failed.csv"));
    expect_exit(&result, 1);
    assert_int_equal(access(in_folder("failed.csv"), F_OK), -1);
    free_outcome(&result);
}

// Ctrl-C: exit 130, and the file has what was measured until then.
static void test_interrupt(void **state) {
    (void)state;
    need_device();
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    const char *const waiting[] = {
        "embed", model, "--json", "--batch-tokens", "80", "--profile", in_folder("stopped.csv"), NULL};
    pid_t child = start_program(waiting, pipes[0], "out.txt");
    for (int i = 0; i < 40; i++) { // more than two batches: the first has been answered
        assert_int_equal(write(pipes[1], "hello fox\n", 10), 10);
    }
    char *answers = NULL;
    size_t length = 0;
    for (int tries = 0; length == 0 && tries < 600; tries++) {
        usleep(100000);
        free(answers);
        assert_ok(read_result("out.txt", &answers, &length));
        if (waitpid(child, NULL, WNOHANG) != 0) {
            break;
        }
    }
    free(answers);
    kill(child, SIGINT);
    outcome result = finish_program(child);
    close(pipes[0]);
    close(pipes[1]);
    expect_exit(&result, 130);
    const sheet *csv = read_csv("stopped.csv");
    check_sums(csv, "embed");
    free_outcome(&result);
}

// The same in the middle of encl profile: the second case is not over, and may not even have begun.
static void test_interrupt_profile(void **state) {
    (void)state;
    need_device();
    const char *const arguments[] = {"profile", "--shape",    "minilm", "--batch", "1",     "--seq",
                                     "1,256",   "--repeat",   "200",    "--json",  "--csv", in_folder("cases.csv"),
                                     "--quiet", "--no-peaks", NULL};
    pid_t child = start_program(arguments, -1, "out.txt");
    char *printed = NULL;
    size_t length = 0;
    bool runs = true;
    for (int tries = 0; tries < 1200 && runs && (printed == NULL || count_lines(printed) < 2); tries++) {
        usleep(50000);
        free(printed);
        assert_ok(read_result("out.txt", &printed, &length));
        runs = waitpid(child, NULL, WNOHANG) == 0;
    }
    free(printed);
    assert_true(runs);
    kill(child, SIGINT);
    outcome result = finish_program(child);
    expect_exit(&result, 130);
    const sheet *csv = read_csv("cases.csv");
    check_sums(csv, "minilm 1x1");
    free_outcome(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_peaks),     cmocka_unit_test(test_tables),
        cmocka_unit_test(test_bad),       cmocka_unit_test(test_commands),
        cmocka_unit_test(test_batches),   cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_interrupt), cmocka_unit_test(test_interrupt_profile),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
