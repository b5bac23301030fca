// Traces: well-formed whatever the profile holds, and real ones of every device.
#include "made_profile.h"
#include "program.h"
#include "trace_check.h"

static cJSON *read_trace(const char *path) {
    cJSON *trace = NULL;
    assert_ok(encl_json_read(path, 1 << 27, &trace));
    return trace;
}

static trace_check expect_trace(const char *path, const char *clock) {
    cJSON *trace = read_trace(path);
    const trace_check check = check_trace(trace);
    if (check.fault[0] != '\0') {
        fail_msg("%s", check.fault);
    }
    assert_string_equal(text_of(cJSON_GetObjectItemCaseSensitive(trace, "otherData"), "clock"), clock);
    assert_string_equal(text_of(cJSON_GetObjectItemCaseSensitive(trace, "otherData"), "schema"), "encl.profile/1");
    cJSON_Delete(trace);
    return check;
}

static trace_check write_and_check(const encl_profile *profile, const char *clock) {
    const char *path = in_folder("made.json");
    assert_ok(encl_profile_write_trace(path, profile));
    return expect_trace(path, clock);
}

// ---- Hand-made profiles -----------------------------------------------------------------------------------

static void aligned_runs_have_both_sides(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_peaks(&profile);
    made_case(&profile, &(made_options){0});
    const trace_check check = write_and_check(&profile, "aligned");
    assert_int_equal(check.commands, 16);
    assert_int_equal(check.enqueues, 16);
    assert_int_equal(check.flows, 32);
    assert_int_equal(check.waits, 32);
    assert_int_equal(check.marks, 3); // build, cache misses, quarantine
    assert_true(check.counters > 16);
    free_made(&profile);
}

static void unaligned_runs_have_the_device_only(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_case(&profile, &(made_options){.unaligned = true});
    const trace_check check = write_and_check(&profile, "unaligned");
    assert_int_equal(check.commands, 16);
    assert_int_equal(check.enqueues, 0);
    assert_int_equal(check.flows, 0);
    free_made(&profile);
}

static void cases_of_every_kind_stand_together(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_case(&profile, &(made_options){0});
    made_case(&profile, &(made_options){.name = "embed", .runs = 5, .whole = true});
    made_case(&profile, &(made_options){.unaligned = true});
    made_case(&profile, &(made_options){.commands = 1});
    const trace_check check = write_and_check(&profile, "mixed");
    assert_int_equal(check.commands, 16 + 5 * 16 + 16 + 1);
    assert_int_equal(check.enqueues, 16 + 5 * 16 + 1);
    free_made(&profile);
}

static void overlaps_get_queues_of_their_own(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_case(&profile, &(made_options){.overlap_ns = 100000});
    const trace_check few = write_and_check(&profile, "aligned");
    made_case(&profile, &(made_options){.overlap_ns = 100000000, .commands = 40}); // more at a time than lanes
    const trace_check many = write_and_check(&profile, "aligned");
    assert_int_equal(few.commands, 16);
    assert_int_equal(many.commands, 56);
    assert_true(many.thread_count > few.thread_count && few.thread_count > 7);
    free_made(&profile);
}

static void times_out_of_order_stay_in_order(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_case(&profile, &(made_options){.backwards = true});
    made_case(&profile, &(made_options){.backwards = true, .commands = 1, .unaligned = true});
    write_and_check(&profile, "mixed");
    free_made(&profile);
}

static void names_may_be_anything(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, true);
    made_case(&profile, &(made_options){.name = "a \"quoted\" \\ name\x07 \xff\xfe", .op = "li\nnear\t\"\xc3"});
    write_and_check(&profile, "aligned");
    free_made(&profile);
}

static void nothing_is_a_trace_too(void **state) {
    (void)state;
    encl_profile profile = {.layers = -1};
    const trace_check check = write_and_check(&profile, "unaligned");
    assert_int_equal(check.spans, 0);
    encl_profile_case empty = {.name = (char *)"empty", .repeated = true};
    profile.cases = &empty;
    profile.case_count = 1;
    write_and_check(&profile, "unaligned");
}

static void a_folder_is_no_trace(void **state) {
    (void)state;
    encl_profile profile = {.layers = -1};
    assert_int_equal(encl_profile_write_trace(folder, &profile), ENCL_IO);
    assert_non_null(strstr(encl_status_detail(), folder));
    assert_int_equal(encl_profile_write_trace("/no/such/folder/t.json", &profile), ENCL_IO);
    assert_non_null(strstr(encl_status_detail(), "/no/such/folder"));
}

// ---- The check itself -------------------------------------------------------------------------------------

static void expect_fault(const char *events, const char *fault) {
    static const char names[] =
        "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"tid\":0,\"args\":{\"name\":\"p\"}},"
        "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":1,\"args\":{\"name\":\"t\"}}";
    char text[2048];
    cJSON *trace = NULL;
    const int length =
        snprintf(text, sizeof text, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[%s,%s]}", names, events);
    assert_ok(encl_json_parse("made", text, (size_t)length, &trace));
    const trace_check check = check_trace(trace);
    if (strstr(check.fault, fault) == NULL || (fault[0] == '\0' && check.fault[0] != '\0')) {
        fail_msg("found '%s', expected '%s'", check.fault, fault);
    }
    cJSON_Delete(trace);
}

#define EVENT(phase, rest) "{\"ph\":\"" phase "\",\"name\":\"a\",\"cat\":\"c\",\"pid\":1,\"tid\":1," rest "}"

static void the_check_finds_faults(void **state) {
    (void)state;
    expect_fault(EVENT("X", "\"ts\":1,\"dur\":2") "," EVENT("X", "\"ts\":1.500,\"dur\":1.500"), "");
    expect_fault(EVENT("X", "\"ts\":1,\"dur\":2") "," EVENT("X", "\"ts\":2,\"dur\":2"), "does not end within");
    expect_fault(EVENT("X", "\"ts\":3,\"dur\":2") "," EVENT("X", "\"ts\":2,\"dur\":1"), "starts before");
    expect_fault(EVENT("X", "\"ts\":3"), "no duration");
    expect_fault(EVENT("X", "\"ts\":-3,\"dur\":1"), "no time");
    expect_fault(EVENT("b", "\"ts\":3,\"id\":1"), "other end is missing");
    expect_fault(EVENT("b", "\"ts\":3,\"id\":1") "," EVENT("e", "\"ts\":2,\"id\":1"), "comes before");
    expect_fault(EVENT("b", "\"ts\":3,\"id\":1") "," EVENT("b", "\"ts\":4,\"id\":1"), "such an end already");
    expect_fault(EVENT("s", "\"ts\":3,\"id\":1") "," EVENT("f", "\"ts\":3,\"id\":1,\"bp\":\"e\""), "outside");
    expect_fault(
        EVENT("X", "\"ts\":1,\"dur\":9") "," EVENT("s", "\"ts\":3,\"id\":1") "," EVENT("f", "\"ts\":3,\"id\":1"),
        "next span");
    expect_fault(EVENT("C", "\"ts\":3"), "without a value");
    expect_fault(EVENT("C", "\"ts\":3,\"args\":{\"n\":1}"), "return to 0");
    expect_fault("{\"ph\":\"X\",\"name\":\"a\",\"pid\":2,\"tid\":1,\"ts\":1,\"dur\":1}", "without a name");
}

// ---- Real runs --------------------------------------------------------------------------------------------

static void trace_of(const encl_device *device) {
    const encl_device_info *info = encl_device_get_info(device);
    char index[16];
    const char *path = in_folder("real.json");
    snprintf(index, sizeof index, "%d", (int)info->index);
    outcome result = RUN("", "profile", "--device", index, "--repeat", "2", "--trace", path, "tests/fixtures/tiny-bert",
                         "what", "a day");
    expect_exit(&result, 0);
    cJSON *trace = read_trace(path);
    const trace_check check = check_trace(trace);
    if (check.fault[0] != '\0') {
        fail_msg("%s", check.fault);
    }
    const char *clock = text_of(cJSON_GetObjectItemCaseSensitive(trace, "otherData"), "clock");
    print_message("    clock: %s, %zu commands\n", clock, check.commands);
    assert_true(check.commands > 20);
    assert_int_equal(check.flows, 2 * check.enqueues);
    assert_true(strcmp(clock, "aligned") != 0 || check.enqueues == check.commands);
    assert_true(check.marks >= 1);          // what was built; misses only where the cache was empty
    assert_true(check.counter_time[1] > 0); // of device bytes
    cJSON_Delete(trace);
    free_outcome(&result);
}

static void real_runs_give_traces(void **state) {
    (void)state;
    encl_test_on_devices(trace_of);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_runs_have_both_sides),
        cmocka_unit_test(unaligned_runs_have_the_device_only),
        cmocka_unit_test(cases_of_every_kind_stand_together),
        cmocka_unit_test(overlaps_get_queues_of_their_own),
        cmocka_unit_test(times_out_of_order_stay_in_order),
        cmocka_unit_test(names_may_be_anything),
        cmocka_unit_test(nothing_is_a_trace_too),
        cmocka_unit_test(a_folder_is_no_trace),
        cmocka_unit_test(the_check_finds_faults),
        cmocka_unit_test(real_runs_give_traces),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
