// The largest of a row, found in parts on the device and merged on the host, against a plain search of the row itself.
#include "fixture.h"

#include <stdlib.h>

#include "runtime/op/operator.h"

enum { MOST = ENCL_TOP_K_MOST, VOCABULARY = 50, HIDDEN = 16, LISTED = 4 };

typedef struct merged {
    int32_t indices[MOST];
    float values[MOST];
    double log_sum_exp;
} merged;

// ---- The merge alone ----------------------------------------------------------------------------------------

static void segments_become_one_list(void **state) {
    (void)state;
    static const float row[] = {9, 7, 5, 100, 20, 300, 3, 9, 8, 6, 600, 700, 900, 4};
    static const int32_t indices[] = {100, 600, 700};
    static const float values[] = {9, 9, 8};
    merged m;
    assert_ok(encl_top_k_merge(row, 14, 3, m.indices, m.values, &m.log_sum_exp));
    assert_memory_equal(m.indices, indices, sizeof indices);
    assert_memory_equal(m.values, values, sizeof values);
    assert_true(fabs(m.log_sum_exp - (9 + log(7))) < 1e-12);
    assert_ok(encl_top_k_merge(row, 14, 3, m.indices, m.values, NULL));
}

static void places_that_are_left_say_so(void **state) {
    (void)state;
    static const float row[] = {2, -INFINITY, 3, -1, 1, -INFINITY, -INFINITY, -1, -1, 0};
    static const float empty[] = {-INFINITY, -INFINITY, -1, -1, 0};
    merged m;
    assert_ok(encl_top_k_merge(row, 10, 2, m.indices, m.values, &m.log_sum_exp));
    assert_int_equal(m.indices[0], 3);
    assert_int_equal(m.indices[1], -1);
    assert_true(isinf(m.values[1]) && m.values[1] < 0);
    assert_true(m.log_sum_exp == 2);
    assert_ok(encl_top_k_merge(empty, 5, 2, m.indices, m.values, &m.log_sum_exp));
    assert_int_equal(m.indices[0], -1);
    assert_true(isinf(m.log_sum_exp) && m.log_sum_exp < 0);
}

static void what_is_not_finite_shows_in_the_sum(void **state) {
    (void)state;
    static const float nan_beside[] = {2, 3, NAN, 1, 600, 1};
    static const float only_nan[] = {2, 3, 1, -INFINITY, -1, NAN};
    static const float infinite[] = {INFINITY, 3, NAN, 1, 600, 1};
    static const float *const rows[] = {nan_beside, only_nan, infinite};
    merged m;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(encl_top_k_merge(rows[i], 6, 1, m.indices, m.values, &m.log_sum_exp));
        assert_int_equal(m.indices[0], 3);
        assert_true(isnan(m.log_sum_exp));
    }
}

static void rows_of_another_k_are_refused(void **state) {
    (void)state;
    static const float row[2 * MOST + 3] = {0};
    merged m;
    assert_int_equal(encl_top_k_merge(row, 6, 2, m.indices, m.values, NULL), ENCL_INVALID);
    assert_non_null(strstr(encl_status_detail(), "6 columns is none of a top 2"));
    assert_int_equal(encl_top_k_merge(row, 0, 2, m.indices, m.values, NULL), ENCL_INVALID);
    assert_int_equal(encl_top_k_merge(row, -5, 2, m.indices, m.values, NULL), ENCL_INVALID);
    assert_int_equal(encl_top_k_merge(row, 1, 0, m.indices, m.values, NULL), ENCL_INVALID);
    assert_int_equal(encl_top_k_merge(row, 1, -1, m.indices, m.values, NULL), ENCL_INVALID);
    assert_int_equal(encl_top_k_merge(row, 2 * MOST + 3, MOST + 1, m.indices, m.values, NULL), ENCL_INVALID);
}

// ---- On devices ---------------------------------------------------------------------------------------------

static fixture_weights weights;
static fixture_batch batch;

static void make_batch(void) {
    memset(&batch, 0, sizeof batch);
    fixture_add(&batch, 1, 3, VOCABULARY);
    fixture_add(&batch, 2, 9, VOCABULARY);
    batch.selected = LISTED;
    memcpy(batch.rows, (const int32_t[LISTED]){0, 2, 7, 11}, LISTED * sizeof(int32_t));
}

// Listed rows through a product of `columns`: output 0 is the top k, output 1 the whole rows. A spread of 3e38 makes
// sums overflow.
static encl_executable *open_top_k(const encl_device *device, int32_t columns, int32_t k, float spread, bool whole) {
    static const fixture_shape shape = {.hidden = HIDDEN, .vocabulary = VOCABULARY, .positions = 20};
    const encl_executable_options options = {.capacity = {.tokens = 32, .sequences = 4, .selected = 8}};
    encl_executable *executable = NULL;
    encl_graph *graph = NULL;
    encl_value x = 0;
    encl_value top = 0;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    x = fixture_embed(&weights, graph, &shape);
    assert_ok(encl_graph_select(graph, x, ENCL_SELECT_LISTED, &x));
    const encl_weight weight = fixture_weight(&weights, columns, HIDDEN, 0, spread);
    assert_ok(encl_graph_linear(graph, x, &weight, NULL, &x));
    assert_ok(encl_graph_top_k(graph, x, k, &top));
    assert_ok(encl_graph_output(graph, top));
    if (whole) {
        assert_ok(encl_graph_output(graph, x));
    }
    assert_ok(encl_executable_create(device, graph, &options, &executable));
    encl_graph_destroy(graph);
    return executable;
}

static void check_row(const float *row, int32_t columns, int32_t k, const merged *found) {
    double sum = 0;
    double highest = -INFINITY;
    bool *taken = calloc((size_t)columns, sizeof *taken);
    assert_non_null(taken);
    for (int32_t i = 0; i < k; i++) {
        int32_t best = -1;
        for (int32_t c = 0; c < columns; c++) {
            best = !taken[c] && (best < 0 || row[c] > row[best]) ? c : best;
        }
        assert_int_equal(found->indices[i], best);
        if (best < 0) {
            assert_true(isinf(found->values[i]) && found->values[i] < 0);
            continue;
        }
        taken[best] = true;
        assert_true(found->values[i] == row[best]);
    }
    for (int32_t c = 0; c < columns; c++) {
        highest = fmax(highest, (double)row[c]);
    }
    for (int32_t c = 0; c < columns; c++) {
        sum += exp((double)row[c] - highest);
    }
    assert_true(fabs(found->log_sum_exp - (highest + log(sum))) < 2e-6);
    free(taken);
}

static void rows_on(const encl_device *device) {
    static const struct {
        int32_t columns, k;
    } cases[] = {{1, 1}, {3, 5}, {512, 5}, {513, 5}, {1300, 1}, {1300, 64}, {5000, 10}};
    make_batch();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int32_t columns = cases[i].columns;
        const int32_t k = cases[i].k;
        const int32_t width = (columns + 511) / 512 * (2 * k + 1);
        encl_executable *executable = open_top_k(device, columns, k, 1, true);
        encl_event *event = fixture_run(executable, &batch, false);
        const float *top = fixture_output(event, 0, LISTED, width);
        const float *whole = fixture_output(event, 1, LISTED, columns);
        for (int32_t r = 0; r < LISTED; r++) {
            merged m;
            assert_ok(encl_top_k_merge(top + r * width, width, k, m.indices, m.values, &m.log_sum_exp));
            check_row(whole + r * columns, columns, k, &m);
        }
        encl_event_release(event);
        encl_executable_destroy(executable);
    }
}

static void the_largest_are_found(void **state) {
    (void)state;
    encl_test_on_devices(rows_on);
}

// A row alone and among others: bit for bit on CPU devices.
static void company_on(const encl_device *device) {
    enum { COLUMNS = 1300, K = 5, WIDTH = 3 * (2 * K + 1) };
    static float together[LISTED * WIDTH];
    make_batch();
    encl_executable *executable = open_top_k(device, COLUMNS, K, 1, false);
    if (encl_executable_get_info(executable)->same_bits) {
        encl_event *event = fixture_run(executable, &batch, false);
        memcpy(together, fixture_output(event, 0, LISTED, WIDTH), sizeof together);
        encl_event_release(event);
        for (int32_t r = 0; r < LISTED; r++) {
            make_batch();
            batch.rows[0] = batch.rows[r];
            batch.selected = 1;
            event = fixture_run(executable, &batch, false);
            assert_true(fixture_same_bits(fixture_output(event, 0, 1, WIDTH), together + r * WIDTH, WIDTH));
            encl_event_release(event);
        }
    }
    encl_executable_destroy(executable);
}

static void company_does_not_matter(void **state) {
    (void)state;
    encl_test_on_devices(company_on);
}

// Products that overflow make infinities and NaN: the run ends, every index is a column, and the sum tells.
static void overflow_on(const encl_device *device) {
    enum { COLUMNS = 1300, K = 5, WIDTH = 3 * (2 * K + 1) };
    int32_t told = 0;
    make_batch();
    encl_executable *executable = open_top_k(device, COLUMNS, K, 3e38f, false);
    encl_event *event = fixture_run(executable, &batch, false);
    const float *top = fixture_output(event, 0, LISTED, WIDTH);
    for (int32_t r = 0; r < LISTED; r++) {
        merged m;
        assert_ok(encl_top_k_merge(top + (ptrdiff_t)r * WIDTH, WIDTH, K, m.indices, m.values, &m.log_sum_exp));
        told += isnan(m.log_sum_exp);
        for (int32_t i = 0; i < K; i++) {
            assert_in_range(m.indices[i] + 1, 0, COLUMNS);
            assert_true(m.values[i] == m.values[i]);
        }
    }
    assert_int_equal(told, LISTED);
    encl_event_release(event);
    encl_executable_destroy(executable);
}

static void rows_that_are_not_finite_are_told(void **state) {
    (void)state;
    encl_test_on_devices(overflow_on);
}

static void wrong_nodes_are_refused(void **state) {
    (void)state;
    static const fixture_shape shape = {.hidden = HIDDEN, .vocabulary = VOCABULARY, .positions = 20};
    static const int32_t wrong[] = {0, -1, MOST + 1, INT32_MIN, INT32_MAX};
    encl_graph *graph = NULL;
    encl_value value = 99;
    memset(&weights, 0, sizeof weights);
    assert_ok(encl_graph_create(&graph));
    encl_value x = fixture_embed(&weights, graph, &shape);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        value = 99;
        assert_int_equal(encl_graph_top_k(graph, x, wrong[i], &value), ENCL_INVALID);
        assert_int_equal(value, 0);
    }
    assert_int_equal(encl_graph_top_k(graph, 77, 1, &value), ENCL_INVALID);
    const encl_weight wide = fixture_weight(&weights, ENCL_TOP_K_COLUMNS + 1, HIDDEN, 0, 1);
    assert_ok(encl_graph_linear(graph, x, &wide, NULL, &x));
    assert_int_equal(encl_graph_top_k(graph, x, 1, &value), ENCL_INVALID);
    assert_non_null(strstr(encl_status_detail(), "1 of 16777217 columns"));
    encl_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_become_one_list),
        cmocka_unit_test(places_that_are_left_say_so),
        cmocka_unit_test(what_is_not_finite_shows_in_the_sum),
        cmocka_unit_test(rows_of_another_k_are_refused),
        cmocka_unit_test(the_largest_are_found),
        cmocka_unit_test(company_does_not_matter),
        cmocka_unit_test(rows_that_are_not_finite_are_told),
        cmocka_unit_test(wrong_nodes_are_refused),
    };
    return encl_test_main(tests);
}
