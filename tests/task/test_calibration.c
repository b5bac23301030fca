// Calibration: what keeps the rule, which layers must stay in float32, and what is remembered of the choice.
#include "task/fixture.h"

#include "../device/fixture.h"
#include "host/model/model.h"

static const encl_precision low[] = {ENCL_PRECISION_BF16, ENCL_PRECISION_INT8};
enum { LOW = sizeof low / sizeof low[0] };

// Runs over the texts, counted by the function that is asked before each.
static int runs;
static encl_status count_run(void *context) {
    (void)context;
    runs++;
    return ENCL_OK;
}

static void check_calibration(const encl_calibration *c, int32_t layers) {
    int32_t exact = 0;
    assert_int_equal(c->exact_layer_count, layers + 1);
    assert_false(c->exact_layers[0]);
    for (int32_t i = 1; i <= layers; i++) {
        exact += c->exact_layers[i];
    }
    assert_int_equal(c->exact, exact);
    assert_true(c->worst >= encl_precision_rule(c->precision) && c->worst <= c->mean && c->mean <= 1 + 1e-12);
    assert_true(c->all_worst <= c->all_mean && c->all_mean <= 1 + 1e-12);
    // Layers stay in float32 only where they must.
    assert_int_equal(exact > 0, c->all_worst < encl_precision_rule(c->precision));
    assert_true(c->tokens > 0 && c->text_ns > 0 && c->float32_ns > 0);
}

// ---- Layers -----------------------------------------------------------------------------------------------

static void good_layers_on(const encl_device *device) {
    encl_model *model = open_fixture("tiny-bert");
    for (size_t i = 0; i < LOW; i++) {
        const encl_calibrate_options options = {.check = count_run};
        encl_calibration found;
        runs = 0;
        assert_ok(encl_model_calibrate(model, device, low[i], &options, &found));
        check_calibration(&found, 2);
        assert_int_equal(found.precision, low[i]);
        assert_int_equal(found.exact, 0);
        assert_int_equal(runs, 2);
        assert_true(found.tokens > 500); // of the texts that are built in
        encl_calibration_free(&found);
    }
    encl_model_close(model);
}

static void a_good_model_keeps_the_rule(void **state) {
    (void)state;
    encl_test_on_devices(good_layers_on);
}

static void float32_is_itself_on(const encl_device *device) {
    encl_model *model = open_fixture("tiny-bert");
    encl_calibration found;
    assert_ok(encl_model_calibrate(model, device, ENCL_PRECISION_FP32, NULL, &found));
    assert_int_equal(found.exact, 0);
    assert_true(found.worst == 1 && found.all_worst == 1);
    encl_calibration_free(&found);
    encl_model_close(model);
}

static void float32_is_itself(void **state) {
    (void)state;
    encl_test_on_devices(float32_is_itself_on);
}

// A weight whose every row has one number that dwarfs the others, which an integer scale cannot hold beside it.
typedef struct outlier {
    encl_weight weight;
} outlier;

static encl_status read_outlier(void *context, int64_t row, int64_t count, float *destination) {
    const outlier *o = context;
    const encl_status status = o->weight.read(o->weight.context, row, count, destination);
    for (int64_t i = 0; i < count && status == ENCL_OK; i++) {
        destination[i * o->weight.columns + (row + i) % o->weight.columns] = 0;
        destination[i * o->weight.columns] += (row + i) % 2 == 0 ? 14.0f : -14.0f;
    }
    return status;
}

// The activation that meets them is nearly constant, so that LayerNorm takes most of it away again.
static void bad_layer_on(const encl_device *device) {
    enum { DOWN = 12 };
    encl_model *model = open_fixture("tiny-bert");
    encl_calibration found;
    encl_weight *down = &model->bert.layers[1][DOWN];
    outlier spoilt = {*down};
    assert_non_null(strstr(down->name, "output.dense.weight"));
    *down = (encl_weight){down->name, down->rows, down->columns, read_outlier, &spoilt, NULL};
    assert_ok(encl_model_calibrate(model, device, ENCL_PRECISION_INT8, NULL, &found));
    print_message("    worst cosine %.5f, with %d layers in float32 %.5f\n", found.all_worst, (int)found.exact,
                  found.worst);
    check_calibration(&found, 2);
    assert_int_equal(found.exact, 1);
    assert_true(found.exact_layers[2]);
    encl_calibration_free(&found);
    encl_model_close(model);
}

static void a_bad_layer_stays_in_float32(void **state) {
    (void)state;
    encl_test_on_devices(bad_layer_on);
}

// ---- Texts ------------------------------------------------------------------------------------------------

static void own_texts_on(const encl_device *device) {
    const encl_text texts[] = {make_text("hello world", NULL), make_text("a", "b"), make_text("", NULL)};
    encl_text_list list = {.texts = texts, .count = sizeof texts / sizeof texts[0]};
    encl_calibrate_options options = {.next = encl_text_list_next, .context = &list};
    encl_model *model = open_fixture("tiny-bert");
    encl_calibration found;
    assert_ok(encl_model_calibrate(model, device, ENCL_PRECISION_BF16, &options, &found));
    check_calibration(&found, 2);
    assert_in_range(found.tokens, 3 * 2 + 1, 30);
    encl_calibration_free(&found);
    list = (encl_text_list){0};
    assert_int_equal(encl_model_calibrate(model, device, ENCL_PRECISION_BF16, &options, &found), ENCL_INVALID);
    assert_detail("found no text");
    assert_null(found.exact_layers);
    encl_model_close(model);
}

static void own_texts_are_used(void **state) {
    (void)state;
    encl_test_on_devices(own_texts_on);
}

// ---- The choice -------------------------------------------------------------------------------------------

static int entries;
static int break_entry(const char *path, const struct stat *state, int type, struct FTW *place) {
    (void)state;
    (void)place;
    if (type == FTW_F && strstr(path, "/precisions/") != NULL) {
        entries++;
        return truncate(path, 20);
    }
    return 0;
}

static void remembered_on(const encl_device *device) {
    char folder[FIXTURE_PATH];
    const encl_calibrate_options options = {.check = count_run};
    encl_model *model = open_fixture("tiny-bert");
    encl_model *other = open_fixture("tiny-bert-odd");
    encl_calibration found;
    encl_calibration again;
    fixture_folder(folder);
    assert_int_equal(setenv("ENCL_CACHE_DIR", folder, 1), 0);
    for (int turn = 0; turn < 2; turn++) {
        runs = 0;
        assert_ok(encl_model_choose_precision(model, device, &options, &found));
        assert_true(runs > 0);
        assert_true(found.precision == ENCL_PRECISION_FP32 || found.text_ns < found.float32_ns);
        check_calibration(&found, 2);
        runs = 0;
        assert_ok(encl_model_choose_precision(model, device, &options, &again));
        assert_int_equal(runs, 0);
        assert_int_equal(found.precision, again.precision);
        assert_memory_equal(found.exact_layers, again.exact_layers, found.exact_layer_count);
        assert_true(found.worst == again.worst && found.all_mean == again.all_mean);
        assert_true(found.exact == again.exact && found.text_ns == again.text_ns && found.tokens == again.tokens);
        encl_calibration_free(&again);
        encl_calibration_free(&found);
        // A damaged entry is none.
        entries = 0;
        assert_int_equal(nftw(folder, break_entry, 16, FTW_PHYS), 0);
        assert_int_equal(entries, 1);
    }
    // What is remembered is another model's.
    runs = 0;
    assert_ok(encl_model_choose_precision(other, device, &options, &found));
    assert_true(runs > 0);
    encl_calibration_free(&found);
    encl_model_close(model);
    encl_model_close(other);
    fixture_remove(folder);
}

static void a_choice_is_remembered(void **state) {
    (void)state;
    encl_test_on_devices(remembered_on);
}

static encl_status stop(void *context) {
    (void)context;
    return encl_fail(ENCL_INTERRUPTED, "enough");
}

static void interrupted_on(const encl_device *device) {
    const encl_calibrate_options options = {.check = stop};
    encl_model *model = open_fixture("tiny-bert");
    encl_calibration found;
    assert_int_equal(encl_model_calibrate(model, device, ENCL_PRECISION_INT8, &options, &found), ENCL_INTERRUPTED);
    assert_null(found.exact_layers);
    encl_model_close(model);
}

static void the_caller_may_stop_it(void **state) {
    (void)state;
    encl_test_on_devices(interrupted_on);
}

// ---- Names of models --------------------------------------------------------------------------------------

static void models_have_names(void **state) {
    (void)state;
    static const char *const fixtures[] = {"tiny-bert", "tiny-bert-odd", "tiny-bert-f16", "tiny-ner", "tiny-tf1"};
    enum { COUNT = sizeof fixtures / sizeof fixtures[0] };
    char names[COUNT][ENCL_HASH_TEXT];
    for (size_t i = 0; i < COUNT; i++) {
        char again[ENCL_HASH_TEXT];
        encl_model *model = open_fixture(fixtures[i]);
        assert_ok(encl_model_identity(model, names[i]));
        encl_model_close(model);
        model = open_fixture(fixtures[i]);
        assert_ok(encl_model_identity(model, again));
        assert_string_equal(names[i], again);
        encl_model_close(model);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(names[i], names[j]);
        }
    }
    char seeded[2][ENCL_HASH_TEXT];
    for (uint64_t seed = 0; seed < 2; seed++) {
        encl_model *model = NULL;
        assert_ok(encl_model_open_shape("rbt3", seed, &model));
        assert_ok(encl_model_identity(model, seeded[seed]));
        encl_model_close(model);
    }
    assert_string_not_equal(seeded[0], seeded[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_model_keeps_the_rule),  cmocka_unit_test(float32_is_itself),
        cmocka_unit_test(a_bad_layer_stays_in_float32), cmocka_unit_test(own_texts_are_used),
        cmocka_unit_test(the_caller_may_stop_it),       cmocka_unit_test(models_have_names),
        cmocka_unit_test(a_choice_is_remembered), // last: it moves the cache
    };
    return encl_test_main(tests);
}
