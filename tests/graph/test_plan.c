// The memory plan, against every pair of tensors.
#include "fixture.h"

#include "runtime/graph/plan.h"

enum { MOST_TENSORS = 60 };

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static const int64_t capacity[ENCL_COUNTS] = {
    [ENCL_COUNT_TOKENS] = 500,        [ENCL_COUNT_SEQUENCES] = 20,  [ENCL_COUNT_SELECTED] = 33,
    [ENCL_COUNT_PANELS] = 36,         [ENCL_COUNT_BLOCKS_ALL] = 60, [ENCL_COUNT_BLOCKS_FIRST] = 20,
    [ENCL_COUNT_BLOCKS_SELECTED] = 33};

static bool live_together(const encl_tensor_plan *a, const encl_tensor_plan *b) {
    for (int32_t step = a->first_step; step <= a->last_step; step++) {
        if (step >= b->first_step && step <= b->last_step) {
            return true;
        }
    }
    return false;
}

static void check_plan(const encl_schedule *schedule, const encl_plan *plan, uint64_t most) {
    uint64_t slabs = 0;
    uint64_t unshared = 0;
    for (size_t i = 0; i < plan->slab_count; i++) {
        assert_in_range(plan->slabs[i], 1, most);
        slabs += plan->slabs[i];
    }
    assert_int_equal(slabs, plan->arena_bytes);
    for (size_t i = 0; i < schedule->tensor_count; i++) {
        const encl_tensor_plan *t = &schedule->tensors[i];
        const uint64_t needed = ((uint64_t)capacity[t->count] + ENCL_ROW_PADDING) * (uint64_t)t->width * 4;
        assert_in_range(plan->slab_of[i], 0, plan->slab_count - 1);
        assert_true(needed <= plan->slabs[plan->slab_of[i]]);
        unshared += needed;
        for (size_t j = 0; j < i; j++) {
            assert_false(plan->slab_of[i] == plan->slab_of[j] && live_together(t, &schedule->tensors[j]));
        }
    }
    assert_int_equal(unshared, plan->unshared_bytes);
    assert_true(plan->arena_bytes <= plan->unshared_bytes);
}

static encl_schedule random_schedule(encl_tensor_plan *tensors, uint32_t *random, int32_t longest_life) {
    encl_schedule schedule = {.tensors = tensors, .tensor_count = 1 + next_random(random) % MOST_TENSORS};
    for (size_t i = 0; i < schedule.tensor_count; i++) {
        const int32_t first = (int32_t)(next_random(random) % 40);
        tensors[i] = (encl_tensor_plan){.count = (encl_count)(next_random(random) % ENCL_COUNTS),
                                        .width = 1 + (int32_t)(next_random(random) % 300),
                                        .first_step = first,
                                        .last_step = first + (int32_t)(next_random(random) % (uint32_t)longest_life)};
    }
    return schedule;
}

static void tensors_that_live_at_once_stand_apart(void **state) {
    (void)state;
    encl_tensor_plan tensors[MOST_TENSORS];
    uint32_t random = 3;
    for (int trial = 0; trial < 200; trial++) {
        const encl_schedule schedule = random_schedule(tensors, &random, 1 + trial % 20);
        encl_plan plan;
        assert_ok(encl_plan_create(&schedule, capacity, 700000, &plan));
        check_plan(&schedule, &plan, 700000);
        encl_plan_free(&plan);
    }
}

static void a_chain_takes_two_slabs(void **state) {
    (void)state;
    encl_tensor_plan tensors[20];
    const encl_schedule schedule = {.tensors = tensors, .tensor_count = 20};
    encl_plan plan;
    for (int32_t i = 0; i < 20; i++) {
        tensors[i] = (encl_tensor_plan){ENCL_COUNT_TOKENS, 64, i, i + 1};
    }
    assert_ok(encl_plan_create(&schedule, capacity, (uint64_t)1 << 30, &plan));
    assert_int_equal(plan.slab_count, 2);
    assert_int_equal(plan.arena_bytes, plan.unshared_bytes / 10);
    encl_plan_free(&plan);
}

static void the_smallest_free_slab_is_taken(void **state) {
    (void)state;
    encl_tensor_plan tensors[] = {
        {ENCL_COUNT_TOKENS, 300, 0, 1}, {ENCL_COUNT_TOKENS, 200, 1, 1}, {ENCL_COUNT_TOKENS, 100, 2, 2}};
    const encl_schedule schedule = {.tensors = tensors, .tensor_count = 3};
    encl_plan plan;
    assert_ok(encl_plan_create(&schedule, capacity, (uint64_t)1 << 30, &plan));
    assert_int_equal(plan.slab_count, 2);
    assert_int_equal(plan.slab_of[2], plan.slab_of[1]);
    encl_plan_free(&plan);
}

static void a_tensor_may_be_too_large(void **state) {
    (void)state;
    encl_tensor_plan tensor = {ENCL_COUNT_TOKENS, 64, 0, 9};
    const encl_schedule schedule = {.tensors = &tensor, .tensor_count = 1};
    const uint64_t bytes = (500 + ENCL_ROW_PADDING) * 64 * 4;
    encl_plan plan;
    assert_ok(encl_plan_create(&schedule, capacity, bytes, &plan));
    check_plan(&schedule, &plan, bytes);
    encl_plan_free(&plan);
    assert_int_equal(encl_plan_create(&schedule, capacity, bytes - 1, &plan), ENCL_DEVICE_MEMORY);
    assert_non_null(strstr(encl_status_detail(), "132096 bytes"));
    assert_null(plan.slab_of);
    assert_int_equal(plan.slab_count, 0);
}

static void arena_on(const encl_device *device) {
    static fixture_weights weights;
    const fixture_shape shape = {
        .layers = 4, .hidden = 32, .heads = 2, .intermediate = 128, .vocabulary = 90, .positions = 80};
    const encl_executable_options options = {.capacity = {.tokens = 256}};
    encl_graph *graph = NULL;
    encl_executable *executable = NULL;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    assert_ok(encl_graph_output(graph, fixture_encoder(&weights, graph, &shape)));
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    const encl_executable_info *info = encl_executable_get_info(executable);
    assert_in_range(info->arena_slabs, 2, 8);
    // Four layers' worth of tensors in the room of hardly more than one.
    assert_true(info->arena_bytes > 0 && info->arena_bytes < info->unshared_bytes / 3);
    encl_executable_destroy(executable);
    encl_graph_destroy(graph);
}

static void an_encoder_shares_memory(void **state) {
    (void)state;
    encl_test_on_devices(arena_on);
}

// Several encoders' lives through the real lowering.
static void real_schedules_fit(void **state) {
    (void)state;
    static fixture_weights weights;
    static const encl_family families[] = {ENCL_FAMILY_PLAIN, ENCL_FAMILY_TILE};
    const fixture_shape shape = {
        .layers = 3, .hidden = 32, .heads = 2, .intermediate = 96, .vocabulary = 90, .positions = 80};
    for (size_t i = 0; i < 4; i++) {
        const encl_lowering lowering = {.family = families[i % 2], .library = i >= 2, .one_order = i < 2};
        encl_graph *graph = NULL;
        encl_schedule *schedule = NULL;
        encl_value value = 0;
        encl_plan plan;
        memset(&weights, 0, sizeof weights);
        assert_ok(encl_graph_create(&graph));
        const encl_value hidden = fixture_encoder(&weights, graph, &shape);
        assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_FIRST, &value));
        assert_ok(encl_graph_output(graph, value));
        assert_ok(encl_graph_select(graph, hidden, ENCL_SELECT_LISTED, &value));
        assert_ok(encl_graph_output(graph, fixture_linear(&weights, graph, value, 32, 50)));
        assert_ok(encl_schedule_create(graph, &lowering, &schedule));
        assert_ok(encl_plan_create(schedule, capacity, (uint64_t)1 << 30, &plan));
        check_plan(schedule, &plan, (uint64_t)1 << 30);
        encl_plan_free(&plan);
        encl_schedule_destroy(schedule);
        encl_graph_destroy(graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_that_live_at_once_stand_apart),
        cmocka_unit_test(a_chain_takes_two_slabs),
        cmocka_unit_test(the_smallest_free_slab_is_taken),
        cmocka_unit_test(a_tensor_may_be_too_large),
        cmocka_unit_test(real_schedules_fit),
        cmocka_unit_test(an_encoder_shares_memory),
    };
    return encl_test_main(tests);
}
