// encl bench compare: what changed between two files of results.
#include "host/cli/bench/compare.h"

static const struct argp_option options[] = {
    ENCL_COMPARE_OPTIONS,
    {0},
};

static encl_status take_option(void *taken, int key, const char *value) {
    return encl_compare_option(taken, key, value);
}

static encl_status check(const encl_call *call) {
    const encl_compare_options *chosen = call->settings;
    return encl_bench_options_check(&chosen->bench);
}

static encl_status compare(encl_call *call) {
    const encl_compare_options *chosen = call->settings;
    encl_status status = ENCL_OK;
    encl_bench_file a = {0};
    encl_bench_file b = {0};
    size_t slower = 0;
    ENCL_TRY(encl_bench_read(call->arguments[0], &a));
    ENCL_TRY(encl_bench_read(call->arguments[1], &b));
    ENCL_TRY(encl_compare_report(chosen, call, ENCL_COMPARE_FILES, &a, &b, true, &slower));
    call->exit_code = chosen->fail_on_slower && slower > 0 ? ENCL_EXIT_REGRESSION : ENCL_EXIT_DONE;
cleanup:
    encl_bench_file_free(&a);
    encl_bench_file_free(&b);
    return status;
}

const encl_command encl_command_bench_compare = {
    .name = "bench compare",
    .summary = "What changed between two files of results",
    .arguments = "A B",
    .text = "Compare two files that `encl bench … --jsonl FILE' wrote, row by row: what became faster or slower beyond "
            "the noise.\v"
            "Example:\n  encl bench compare before.jsonl after.jsonl --fail-on slower",
    .options = options,
    .minimum = 2,
    .maximum = 2,
    .settings_bytes = sizeof(encl_compare_options),
    .option = take_option,
    .check = check,
    .run = compare,
};
