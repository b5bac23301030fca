// Profiles from runs made by hand, whose parts are known.
#include "test.h"

#include <math.h>
#include <string.h>

#include "runtime/graph/executable.h"
#include "runtime/measure/profile.h"

enum { MOST_RECORDS = 8 };

// A run by hand: times of commands as QUEUED, SUBMIT, START, END; enqueue calls are around QUEUED, `offset` later by
// the host's clock.
typedef struct made_run {
    encl_profile_record records[MOST_RECORDS];
    encl_run_profile run;
} made_run;

static encl_executable executable;

static void make_run(made_run *made, const int64_t (*times)[4], size_t count, int64_t begin, int64_t end,
                     int64_t offset) {
    static const char *const ops[] = {"upload", "linear", "attention", "linear", "download"};
    static const char *const kernels[] = {"write", "linear_tile_8", "attention_tile", "linear_tile_8", "read"};
    static const int32_t layers[] = {0, 1, 1, 2, INT32_MAX};
    memset(made, 0, sizeof *made);
    assert_true(count <= sizeof ops / sizeof ops[0]);
    for (size_t i = 0; i < count; i++) {
        made->records[i] = (encl_profile_record){.layer = layers[i],
                                                 .op = ops[i],
                                                 .kernel = kernels[i],
                                                 .why = i == 0 || i == 4 ? "" : "only row",
                                                 .fused = "",
                                                 .rows = 16,
                                                 .columns = 32,
                                                 .depth = i == 1 || i == 3 ? 64 : 0,
                                                 .queued_ns = times[i][0],
                                                 .submit_ns = times[i][1],
                                                 .start_ns = times[i][2],
                                                 .end_ns = times[i][3],
                                                 .enqueue_begin_ns = encl_ns_after(times[i][0], offset - 5),
                                                 .enqueue_end_ns = encl_ns_after(times[i][0], offset + 5),
                                                 .flops = i == 1 || i == 3 ? 1000 : 0,
                                                 .bytes = 100};
    }
    made->run = (encl_run_profile){
        .records = made->records, .count = count, .begin_ns = begin, .end_ns = end, .tokens = 16, .sequences = 2};
}

// host = device + 1000000
static const int64_t offset = 1000000;
static const int64_t plain_times[5][4] = {
    {100, 110, 130, 200}, // lead: call at 40 → START 130
    {120, 140, 220, 400}, // submitted before the first ended: launch gap 20
    {130, 430, 450, 500}, // queue gap 400 → 430, launch gap 430 → 450
    {560, 580, 600, 700}, // host gap 500 → 560, queue gap 20, launch gap 20
    {570, 690, 700, 710}, // no gap
};

static void assert_parts(const encl_parts *found, const encl_parts *expected) {
    const double *a = (const double *)found;
    const double *b = (const double *)expected;
    for (size_t i = 0; i < sizeof *found / sizeof *a; i++) {
        if (fabs(a[i] - b[i]) > 1e-9) {
            fail_msg("part %zu is %g, expected %g", i, a[i], b[i]);
        }
    }
}

static void every_part_is_found(void **state) {
    (void)state;
    made_run made;
    encl_parts parts = {0};
    encl_profile_row rows[5] = {0};
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    const encl_clock_map clock = encl_clock_map_of(made.run.records, made.run.count);
    assert_true(clock.aligned);
    assert_int_equal(clock.offset_ns, offset);
    encl_profile_walk(&made.run, &clock, &parts, rows);
    const encl_parts expected = {
        .lead = 90, .exec = 410, .host_gap = 60, .queue_gap = 50, .launch_gap = 60, .tail = 50};
    assert_parts(&parts, &expected);
    assert_true(rows[1].exec == 180 && rows[1].queued == 20 && rows[1].submitted == 80 && rows[1].launch_gap == 20);
    assert_true(rows[2].queue_gap == 30 && rows[2].launch_gap == 20 && rows[2].host_gap == 0);
    assert_true(rows[3].host_gap == 60 && rows[3].queue_gap == 20 && rows[3].launch_gap == 20);
    assert_true(rows[4].calls == 1 && rows[4].bytes == 100 && rows[4].host_gap == 0);
    // Added to what is there.
    encl_profile_walk(&made.run, &clock, &parts, rows);
    assert_true(parts.exec == 820 && rows[1].exec == 360 && rows[1].calls == 2 && rows[1].flops == 2000);
}

// Without aligned clocks lead begins at QUEUED, and what was before it falls to the tail.
static void unaligned_clocks_move_lead_to_tail(void **state) {
    (void)state;
    made_run made;
    encl_parts parts = {0};
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    encl_profile_walk(&made.run, NULL, &parts, NULL);
    const encl_parts expected = {
        .lead = 30, .exec = 410, .host_gap = 60, .queue_gap = 50, .launch_gap = 60, .tail = 110};
    assert_parts(&parts, &expected);
}

static void overlap_is_counted_once(void **state) {
    (void)state;
    static const int64_t times[3][4] = {{0, 0, 10, 100}, {0, 0, 60, 160}, {0, 0, 70, 90}};
    made_run made;
    encl_parts parts = {0};
    make_run(&made, times, 3, 0, 200, 0);
    encl_profile_walk(&made.run, NULL, &parts, NULL);
    const encl_parts expected = {.lead = 10, .exec = 150, .tail = 40, .overlap = 60};
    assert_parts(&parts, &expected);
}

static void times_out_of_order_are_residual(void **state) {
    (void)state;
    // SUBMIT before QUEUED by 5; START before SUBMIT by 7 and END before START by 3; the last ends after the call: 40.
    static const int64_t times[3][4] = {{10, 5, 20, 50}, {20, 60, 53, 57}, {20, 70, 70, 150}};
    made_run made;
    encl_parts parts = {0};
    make_run(&made, times, 3, 0, 100, 0);
    encl_profile_walk(&made.run, NULL, &parts, NULL);
    const encl_parts expected = {
        .lead = 10, .exec = 110, .queue_gap = 20, .launch_gap = 0, .residual = 5 + 7 + 3 + 40, .clamped = 4};
    assert_parts(&parts, &expected);
}

// A first command that started before its call is moved, too.
static void lead_is_not_negative(void **state) {
    (void)state;
    made_run made;
    encl_parts parts = {0};
    make_run(&made, plain_times, 5, offset + 140, offset + 760, offset);
    const encl_clock_map clock = encl_clock_map_of(made.run.records, made.run.count);
    encl_profile_walk(&made.run, &clock, &parts, NULL);
    assert_true(parts.lead == 0 && parts.residual == 10 && parts.clamped == 1);
    assert_true(parts.tail == 40);
}

static void extreme_times_do_not_overflow(void **state) {
    (void)state;
    static const int64_t times[4][4] = {{INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX},
                                        {INT64_MAX, INT64_MIN, 0, INT64_MIN},
                                        {-1, INT64_MAX, -1, 1},
                                        {INT64_MIN, 0, INT64_MAX, INT64_MIN}};
    made_run made;
    encl_parts parts = {0};
    make_run(&made, times, 4, 0, INT64_MAX, 0);
    for (size_t i = 0; i < 4; i++) {
        made.records[i].enqueue_begin_ns = 0;
        made.records[i].enqueue_end_ns = INT64_MAX;
    }
    encl_profile_walk(&made.run, NULL, &parts, NULL);
    assert_true(parts.residual > 0 && parts.clamped > 0);
}

// ---- Cases ------------------------------------------------------------------------------------------------

static void begin_case(encl_profile *profile, bool repeated) {
    memset(&executable, 0, sizeof executable);
    executable.info.created_ns = 1;
    executable.info.gemm = "tile";
    assert_ok(encl_profile_case_begin(profile, "case", repeated));
}

static void repeated_runs_become_means(void **state) {
    (void)state;
    made_run made;
    encl_profile profile = {0};
    begin_case(&profile, true);
    for (int64_t i = 0; i < 3; i++) {
        int64_t times[5][4];
        memcpy(times, plain_times, sizeof times);
        times[4][3] += 30 * i * i; // the last command takes 10, 40, 130
        make_run(&made, (const int64_t(*)[4])times, 5, offset + 40, offset + 760 + 30 * i * i, offset);
        assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    }
    int64_t *plain = NULL;
    assert_ok(encl_allocate(2, sizeof *plain, (void **)&plain));
    plain[0] = 700;
    plain[1] = 720;
    profile.cases[0].plain_ns = plain;
    profile.cases[0].plain_runs = 2;
    memset(&made, 0x55, sizeof made); // nothing of a run is needed any more
    assert_ok(encl_profile_case_end(&profile, 0));
    const encl_profile_case *c = &profile.cases[0];
    assert_int_equal(c->runs, 3);
    assert_int_equal(c->row_count, 5);
    assert_int_equal(c->tokens, 16);
    assert_int_equal(c->sequences, 2);
    assert_true(c->rows[4].exec == 60 && c->rows[4].exec_p50 == 40 && c->rows[4].calls == 1);
    assert_true(c->wall == 770 && c->parts.exec == 460 && c->parts.tail == 50 && c->parts.lead == 90);
    assert_true(fabs(c->cost.ratio - 750.0 / 710) < 1e-9);
    assert_true(c->profiled.p50 == 750 && c->profiled.count == 3 && c->plain.p50 == 710);
    assert_true(c->reconciled);
    assert_int_equal(c->timeline_count, 1);
    assert_int_equal(c->timeline[0].run.end_ns, offset + 880); // the last
    assert_true(c->timeline[0].clock.aligned);
    assert_int_equal(c->executable_count, 1);
    assert_string_equal(c->executables[0].info.gemm, "tile");
    assert_string_equal(c->rows[1].record.kernel, "linear_tile_8");
    encl_profile_free(&profile);
}

static void repeated_runs_must_be_alike(void **state) {
    (void)state;
    made_run made;
    encl_profile profile = {0};
    begin_case(&profile, true);
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    made.run.count = 4;
    assert_int_equal(encl_profile_collect(&profile, &executable, &made.run), ENCL_INTERNAL);
    made.run.count = 5;
    made.records[2].op = "pool";
    assert_int_equal(encl_profile_collect(&profile, &executable, &made.run), ENCL_INTERNAL);
    assert_non_null(strstr(encl_status_detail(), "found pool as command 2"));
    assert_ok(encl_profile_case_end(&profile, 0));
    assert_int_equal(profile.cases[0].runs, 1);
    assert_true(profile.cases[0].wall == 720);
    encl_profile_free(&profile);
}

// Runs of different batches: sums, and one row for commands that differ in rows only.
static void different_runs_become_sums(void **state) {
    (void)state;
    made_run made;
    encl_profile profile = {0};
    begin_case(&profile, false);
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    made.records[1].rows = 24; // more rows in the first product
    made.run.tokens = 24;
    made.run.sequences = 3;
    assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    made.records[3].columns = 48; // another product
    made.run.count = 4;
    executable.info.created_ns = 2;
    assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    assert_ok(encl_profile_case_end(&profile, 10000));
    const encl_profile_case *c = &profile.cases[0];
    assert_int_equal(c->runs, 3);
    assert_int_equal(c->row_count, 6);
    assert_int_equal(c->tokens, 64);
    assert_int_equal(c->sequences, 8);
    assert_true(c->rows[1].calls == 3 && c->rows[1].exec == 540 && c->rows[1].record.rows == 0);
    assert_true(c->rows[2].record.rows == 16 && c->rows[3].calls == 2 && c->rows[5].calls == 1);
    assert_true(isnan(c->rows[1].exec_p50) && isnan(c->cost.ratio));
    assert_true(c->wall == 2160 && c->outside == 10000 - 2160);
    assert_true(c->parts.exec == 410 + 410 + 400 && c->parts.tail == 50 + 50 + 60);
    assert_true(c->reconciled);
    assert_int_equal(c->timeline_count, 3);
    assert_int_equal(c->executable_count, 2);
    assert_int_equal(c->timeline[1].executable, 0);
    assert_int_equal(c->timeline[2].executable, 1);
    assert_string_equal(c->executables[0].info.gemm, "tile");
    encl_profile_free(&profile);
}

// What is kept for drawing is bounded; what is summed up is not.
static void timelines_are_bounded(void **state) {
    (void)state;
    enum { RUNS = ENCL_PROFILE_TIMELINE_RECORDS / 5 + 100 };
    made_run made;
    encl_profile profile = {0};
    begin_case(&profile, false);
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    for (int i = 0; i < RUNS; i++) {
        assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    }
    assert_ok(encl_profile_case_end(&profile, 0));
    const encl_profile_case *c = &profile.cases[0];
    assert_int_equal(c->timeline_count, ENCL_PROFILE_TIMELINE_RECORDS / 5);
    assert_int_equal(c->timeline_left_out, 100);
    assert_int_equal(c->runs, RUNS);
    assert_true(c->rows[1].calls == RUNS && c->parts.exec == 410.0 * RUNS);
    encl_profile_free(&profile);
}

static void doubt_is_not_reconciled(void **state) {
    (void)state;
    made_run made;
    int64_t times[5][4];
    for (int kind = 0; kind < 3; kind++) {
        encl_profile profile = {0};
        begin_case(&profile, true);
        memcpy(times, plain_times, sizeof times);
        times[1][3] += kind == 0 ? 60 : 0;    // runs into the next: overlap
        times[4][3] -= kind == 1 ? 20000 : 0; // 20 µs out of order
        times[4][3] -= kind == 2 ? 9000 : 0;  // 9 µs: less than 10 is let pass
        make_run(&made, (const int64_t(*)[4])times, 5, offset + 40, offset + 760, offset);
        assert_ok(encl_profile_collect(&profile, &executable, &made.run));
        assert_ok(encl_profile_case_end(&profile, 0));
        assert_int_equal(profile.cases[0].reconciled, kind == 2);
        encl_profile_free(&profile);
    }
}

static void cases_have_an_order(void **state) {
    (void)state;
    made_run made;
    encl_profile profile = {0};
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    assert_int_equal(encl_profile_case_end(&profile, 0), ENCL_INTERNAL);
    assert_int_equal(encl_profile_collect(&profile, &executable, &made.run), ENCL_INTERNAL);
    begin_case(&profile, true);
    assert_ok(encl_profile_case_end(&profile, 0)); // without a run
    assert_false(profile.cases[0].reconciled);
    assert_true(profile.cases[0].wall == 0 && isnan(profile.cases[0].profiled.p50));
    assert_int_equal(encl_profile_collect(&profile, &executable, &made.run), ENCL_INTERNAL);
    begin_case(&profile, false);
    assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    assert_ok(encl_profile_case_end(&profile, 1));
    assert_int_equal(profile.case_count, 2);
    assert_true(profile.cases[1].outside == 0);
    encl_profile_free(&profile);
    encl_profile_free(&profile);
}

// ---- Reading ----------------------------------------------------------------------------------------------

static void groups_add_up(void **state) {
    (void)state;
    made_run made;
    encl_profile profile = {0};
    encl_profile_group *groups = NULL;
    size_t count = 0;
    begin_case(&profile, true);
    make_run(&made, plain_times, 5, offset + 40, offset + 760, offset);
    assert_ok(encl_profile_collect(&profile, &executable, &made.run));
    assert_ok(encl_profile_case_end(&profile, 0));
    const encl_profile_case *c = &profile.cases[0];
    assert_ok(encl_profile_groups(c, ENCL_PROFILE_BY_OPERATOR, &groups, &count));
    assert_int_equal(count, 4);
    assert_string_equal(groups[0].op, "linear");
    assert_string_equal(groups[0].why, "only row");
    assert_true(groups[0].calls == 2 && groups[0].exec == 280 && groups[0].flops == 2000);
    assert_true(groups[0].queued == 40 && groups[0].submitted == 100 && groups[0].host_gap == 60);
    assert_string_equal(groups[1].op, "upload"); // 70, then 50, then 10
    assert_string_equal(groups[2].op, "attention");
    assert_string_equal(groups[3].op, "download");
    free(groups);
    assert_ok(encl_profile_groups(c, ENCL_PROFILE_BY_LAYER, &groups, &count));
    assert_int_equal(count, 4);
    assert_int_equal(groups[1].layer, 1);
    assert_true(groups[1].calls == 2 && groups[1].exec == 230);
    assert_string_equal(groups[1].op, "");
    assert_int_equal(groups[3].layer, INT32_MAX);
    free(groups);
    assert_ok(encl_profile_groups(c, ENCL_PROFILE_BY_BOTH, &groups, &count));
    assert_int_equal(count, 5);
    assert_string_equal(groups[1].op, "linear");
    assert_string_equal(groups[2].op, "attention");
    assert_int_equal(groups[3].layer, 2);
    free(groups);
    encl_profile_free(&profile);
}

static void names_are_for_people(void **state) {
    (void)state;
    char shape[ENCL_PROFILE_SHAPE_TEXT];
    char layer[16];
    const encl_profile_record product = {.rows = 128, .columns = 768, .depth = 3072};
    const encl_profile_record norm = {.rows = 128, .columns = 768};
    const encl_profile_record differing = {.rows = 0, .columns = 768};
    const encl_profile_record none = {.rows = 1};
    const encl_profile_record largest = {.rows = INT32_MAX, .columns = INT32_MAX, .depth = INT32_MAX};
    assert_string_equal(encl_profile_shape(&product, shape), "128x768x3072");
    assert_string_equal(encl_profile_shape(&norm, shape), "128x768");
    assert_string_equal(encl_profile_shape(&differing, shape), "*x768");
    assert_string_equal(encl_profile_shape(&none, shape), "");
    assert_string_equal(encl_profile_shape(&largest, shape), "2147483647x2147483647x2147483647");
    assert_string_equal(encl_profile_layer(0, 12, layer), "before");
    assert_string_equal(encl_profile_layer(12, 12, layer), "12");
    assert_string_equal(encl_profile_layer(13, 12, layer), "after");
    assert_string_equal(encl_profile_layer(14, 12, layer), "read back");
    assert_string_equal(encl_profile_layer(INT32_MAX, 12, layer), "read back");
    assert_string_equal(encl_profile_layer(13, -1, layer), "13");
    assert_string_equal(encl_profile_layer(INT32_MAX, -1, layer), "read back");
    assert_string_equal(encl_profile_variant("linear_tile_8"), "tile");
    assert_string_equal(encl_profile_variant("pool"), "plain");
    assert_string_equal(encl_profile_variant("clblast"), "library");
    assert_string_equal(encl_profile_variant("read"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_found),
        cmocka_unit_test(unaligned_clocks_move_lead_to_tail),
        cmocka_unit_test(overlap_is_counted_once),
        cmocka_unit_test(times_out_of_order_are_residual),
        cmocka_unit_test(lead_is_not_negative),
        cmocka_unit_test(extreme_times_do_not_overflow),
        cmocka_unit_test(repeated_runs_become_means),
        cmocka_unit_test(repeated_runs_must_be_alike),
        cmocka_unit_test(different_runs_become_sums),
        cmocka_unit_test(timelines_are_bounded),
        cmocka_unit_test(doubt_is_not_reconciled),
        cmocka_unit_test(cases_have_an_order),
        cmocka_unit_test(groups_add_up),
        cmocka_unit_test(names_are_for_people),
    };
    return encl_test_main(tests);
}
