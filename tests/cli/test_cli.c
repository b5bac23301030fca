// The command line as a whole: help, usage, exit codes, messages, and the commands that need no computing.
#include "cli/program.h"

static const char model[] = "tests/fixtures/tiny-bert";

static void test_version_and_help(void **state) {
    (void)state;
    outcome version = RUN("", "--version");
    expect_exit(&version, 0);
    assert_non_null(strstr(version.out, encl_version()));
    assert_non_null(strstr(version.out, "\ncommit "));
    assert_non_null(strstr(version.out, "\nloader "));
    assert_non_null(strstr(version.out, "libOpenCL"));
    free_outcome(&version);

    outcome help = RUN("", "help");
    expect_exit(&help, 0);
    static const char *const names[] = {"devices",   "info",     "convert", "tokenize", "embed", "similarity",
                                        "fill-mask", "classify", "ner",     "qa",       "eval",  "profile"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_non_null(strstr(help.out, names[i]));
        outcome asked = RUN("", "help", names[i]);
        outcome option = RUN("", names[i], "--help");
        expect_exit(&asked, 0);
        expect_exit(&option, 0);
        const char *example = strstr(asked.out, "Example:\n  encl ");
        assert_non_null(example);
        assert_int_equal(count_lines(example), 2); // a line that was broken could not be pasted
        assert_non_null(strstr(option.out, "Example:\n  encl "));
        assert_non_null(strstr(option.out, "--device"));
        assert_string_equal(option.err, "");
        free_outcome(&asked);
        free_outcome(&option);
    }
    free_outcome(&help);
}

typedef struct failure {
    const char *arguments[8];
    const char *message; // part of the one line on stderr
} failure;

static void expect_failure(const failure *row, int exit_code) {
    outcome result = run_program("a text\n", row->arguments);
    expect_exit(&result, exit_code);
    if (strstr(result.err, row->message) == NULL) {
        fail_msg("found '%s', expected '%s' in it", result.err, row->message);
    }
    assert_int_equal(count_lines(result.err), 1);
    assert_string_equal(result.out, "");
    assert_int_equal(strncmp(result.err, "encl: error: ", strlen("encl: error: ")) == 0, exit_code == 1);
    free_outcome(&result);
}

static void test_wrong_usage(void **state) {
    (void)state;
    const char *npy = in_folder("no.npy");
    const failure rows[] = {
        {{NULL}, "no command"},
        {{"frobnicate"}, "'frobnicate'"},
        {{"help", "frobnicate"}, "'frobnicate'"},
        {{"--frobnicate"}, "'--frobnicate'"},
        {{"embed", model, "--frobnicate"}, "encl embed: unrecognized option '--frobnicate'"},
        {{"--device"}, "'--device' requires an argument"},
        {{"--gemm", "cublas", "devices"}, "found 'cublas', expected auto, tile or clblast"},
        {{"devices", "--precision", "fp4"}, "'fp4'"},
        {{"devices", "more"}, "'more'"},
        {{"info"}, "expected MODEL"},
        {{"info", model, model}, "unexpected argument"},
        {{"embed"}, "expected MODEL"},
        {{"embed", model, "--pooling", "median"}, "median"},
        {{"embed", model, "--max-length", "0"}, "found '0'"},
        {{"embed", model, "--max-length", "1e3"}, "found '1e3'"},
        {{"tokenize", model, "a", "--max-length", "1"}, "found 1, expected at least the 2 special tokens"},
        {{"tokenize", model, "a", "--pair", "b", "--max-length", "2"}, "found 2, expected at least the 3 special"},
        {{"embed", model, "--max-length", "99999999999999999999"}, "--max-length"},
        {{"embed", model, "--batch-tokens", "-4"}, "found '-4'"},
        {{"embed", model, "--tokens", "--output", npy}, "--tokens"},
        {{"embed", model, "--output", "a.txt"}, "'a.txt', expected a name that ends in .npy or .jsonl"},
        {{"embed", model, "a", "--input", "b.txt"}, "--input"},
        {{"embed", model, "--column", "2"}, "--column"},
        {{"embed", model, "--header", "--input", "a.jsonl"}, "--header"},
        {{"embed", model, "--input", "a.tsv", "--column", "0"}, "found '0'"},
        {{"similarity", model, "one"}, "found one text"},
        {{"tokenize", model, "--pair", "\xff"}, "byte 1"},
        {{"profile"}, "expected one of them"},
        {{"profile", model, "--seq", "8"}, "--seq"},
        {{"profile", "--shape", "minilm", "--batch", "1,,2"}, "found ''"},
        {{"profile", "--shape", "minilm", model}, "beside --shape"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_failure(&rows[i], 2);
    }
    assert_false(encl_path_exists(npy));
}

static void test_failures(void **state) {
    (void)state;
    const failure rows[] = {
        {{"info", "/no/such/model"}, "/no/such/model"},
        {{"info", "tests/cli"}, "tests/cli"}, // a folder that is no model
        {{"tokenize", "/no/such/model", "a"}, "/no/such/model"},
        {{"embed", "/no/such/model", "a"}, "/no/such/model"},
        {{"embed", model, "a", "--precision", "fp16"}, "--precision fp16: no kernels"},
        {{"embed", model, "--input", "/no/such/file.tsv"}, "/no/such/file.tsv"},
        {{"devices", "--device", "no such device"}, "no such device"},
        {{"tokenize", model, "ab\xff"}, "text 1, byte 3: found 0xff"},
        {{"profile", "--shape", "tremendous"}, "tremendous"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_failure(&rows[i], 1);
    }
}

static void test_devices(void **state) {
    (void)state;
    outcome result = RUN("", "devices", "--json");
    outcome people = RUN("", "devices");
    if (result.exit_code == 1) {
        assert_int_equal(count_lines(result.err), 1);
        assert_int_equal(strncmp(result.err, "encl: error: ", strlen("encl: error: ")), 0);
        free_outcome(&result);
        free_outcome(&people);
        print_message("no OpenCL device\n");
        skip();
    }
    parse_lines(&result);
    assert_true(result.line_count > 0);
    for (size_t i = 0; i < result.line_count; i++) {
        expect_keys(
            result.lines[i],
            "index,platform,platform_version,name,vendor,vendor_id,type,driver,version,opencl_c,compute_units,"
            "native_float_width,clock_mhz,global_mem_bytes,max_alloc_bytes,cache_bytes,cache_line_bytes,"
            "local_mem_bytes,max_wg,subgroup_size,unified_memory,subgroups,fp16,fp64,int_dot,command_buffer,"
            "software,timer_resolution_ns,timer_step_ns,host_timer_step_ns,uuid,pci,global_mem,local_mem,max_alloc,"
            "healthy");
        assert_int_equal(number_of(result.lines[i], "index"), (double)i);
        assert_true(number_of(result.lines[i], "global_mem") > 0);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(result.lines[i], "healthy")));
        assert_non_null(strstr(people.out, text_of(result.lines[i], "name")));
    }
    outcome first = RUN("", "--device", "0", "devices", "--json");
    parse_lines(&first);
    assert_int_equal(first.line_count, 1);
    free_outcome(&first);
    free_outcome(&result);
    free_outcome(&people);
}

static void test_info(void **state) {
    (void)state;
    outcome result = RUN("", "info", model, "--json");
    parse_lines(&result);
    assert_int_equal(result.line_count, 1);
    const cJSON *line = result.lines[0];
    expect_keys(
        line,
        "architecture,layers,hidden,heads,intermediate,vocab,max_position,parameters,dtype,format,head,"
        "labels,pooling,model_type,file,tensors,bytes,head_names,mlm_untrained,lowercase,missing,unused,ignored,notes");
    // What the fixture's config.json says.
    assert_string_equal(text_of(line, "architecture"), "BertForMaskedLM");
    assert_string_equal(text_of(line, "format"), "safetensors");
    assert_string_equal(text_of(line, "dtype"), "F32");
    assert_int_equal(number_of(line, "layers"), 2);
    assert_int_equal(number_of(line, "hidden"), 32);
    assert_int_equal(number_of(line, "heads"), 2);
    assert_int_equal(number_of(line, "intermediate"), 64);
    assert_int_equal(number_of(line, "vocab"), 341);
    assert_int_equal(number_of(line, "max_position"), 80);

    // Global options stand anywhere.
    outcome before = RUN("", "--json", "info", model);
    outcome between = RUN("", "info", "--json", model);
    assert_string_equal(before.out, result.out);
    assert_string_equal(between.out, result.out);
    outcome people = RUN("", "info", model);
    expect_exit(&people, 0);
    assert_non_null(strstr(people.out, "BertForMaskedLM"));
    free_outcome(&before);
    free_outcome(&between);
    free_outcome(&people);
    free_outcome(&result);
}

static void test_sentence_info(void **state) {
    (void)state;
    outcome result = RUN("", "info", "tests/fixtures/tiny-sentence", "--json");
    parse_lines(&result);
    cJSON *modes = NULL; // modules.json is what the model was made from
    assert_ok(encl_json_read("tests/fixtures/tiny-sentence/1_Pooling/config.json", 1 << 16, &modes));
    if (cJSON_IsTrue(cJSON_GetObjectItem(modes, "pooling_mode_mean_tokens"))) {
        assert_non_null(strstr(text_of(result.lines[0], "pooling"), "mean"));
    }
    cJSON_Delete(modes);
    outcome people = RUN("", "info", "tests/fixtures/tiny-sentence");
    assert_non_null(strstr(people.out, "query: "));
    free_outcome(&people);
    free_outcome(&result);
}

// Ids and types of every text in the golden file, which transformers wrote.
static void test_tokenize_golden(void **state) {
    (void)state;
    cJSON *golden = NULL;
    assert_ok(encl_json_read("tests/golden/model/tiny-bert.json", 1 << 24, &golden));
    for (const cJSON *batch = array_of(golden, "batches")->child; batch != NULL; batch = batch->next) {
        for (const cJSON *sequence = array_of(batch, "sequences")->child; sequence != NULL; sequence = sequence->next) {
            const cJSON *text = cJSON_GetObjectItem(sequence, "text");
            const cJSON *pair = cJSON_GetObjectItem(sequence, "pair");
            if (!cJSON_IsString(text) || text->valuestring[0] == '\0') {
                continue;
            }
            outcome result =
                cJSON_IsString(pair)
                    ? RUN("", "tokenize", model, "--json", "--pair", pair->valuestring, "--", text->valuestring)
                    : RUN("", "tokenize", model, "--json", "--max-length", "80", "--", text->valuestring);
            parse_lines(&result);
            assert_int_equal(result.line_count, 1);
            expect_keys(result.lines[0], "index,ids,tokens,offsets,type_ids");
            expect_numbers(array_of(result.lines[0], "ids"), array_of(sequence, "ids"), 0);
            expect_numbers(array_of(result.lines[0], "type_ids"), array_of(sequence, "types"), 0);
            int count = cJSON_GetArraySize(array_of(sequence, "ids"));
            assert_int_equal(cJSON_GetArraySize(array_of(result.lines[0], "tokens")), count);
            assert_int_equal(cJSON_GetArraySize(array_of(result.lines[0], "offsets")), count);
            free_outcome(&result);
        }
    }
    cJSON_Delete(golden);
}

// CRLF is stripped, an empty line is a text, the last line needs no newline.
static void test_tokenize_lines(void **state) {
    (void)state;
    outcome lines = RUN("\xef\xbb\xbfone\r\n\r\n\ntwo", "tokenize", model, "--json");
    outcome texts = RUN("", "tokenize", model, "--json", "one", "", "", "two");
    parse_lines(&lines);
    assert_int_equal(lines.line_count, 4);
    assert_int_equal(number_of(lines.lines[3], "index"), 3);
    assert_string_equal(lines.out, texts.out);
    outcome none = RUN("", "tokenize", model, "--json");
    expect_exit(&none, 0);
    assert_string_equal(none.out, "");

    outcome cut = RUN("one two three four\n\xe4\xbd\xa0 five six seven\n", "tokenize", model, "--max-length", "3");
    expect_exit(&cut, 0);
    assert_int_equal(count_lines(cut.err), 1);
    assert_non_null(strstr(cut.err, "2 of 2 texts"));
    free_outcome(&cut);
    free_outcome(&none);
    free_outcome(&texts);
    free_outcome(&lines);
}

static void test_bad_lines(void **state) {
    (void)state;
    outcome bytes = RUN("fine\n\nabc\xe4\xbd\n", "tokenize", model);
    expect_exit(&bytes, 1);
    assert_non_null(strstr(bytes.err, "standard input: line 3, byte 4: found 0xe4, expected UTF-8"));
    free_outcome(&bytes);

    int null = open("/dev/null", O_RDONLY);
    outcome full =
        finish_program(start_program((const char *const[]){"tokenize", model, "a", "--json", NULL}, null, "/dev/full"));
    close(null);
    expect_exit(&full, 1);
    assert_non_null(strstr(full.err, "No space left"));
    free_outcome(&full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_and_help),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_sentence_info),
        cmocka_unit_test(test_tokenize_golden),
        cmocka_unit_test(test_tokenize_lines),
        cmocka_unit_test(test_bad_lines),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
