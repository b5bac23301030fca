// A lost device that two executables use: the first to notice cannot drop the context, so it fails and names the
// device. The second is alone then and can. After that, both work again.
#include <math.h>
#include <string.h>

#include "host/encl_model.h"
#include "runner.h"

static const char *const texts[] = {"a b", "hello world"};

static encl_status embed(encl_embedder *embedder, float *values) {
    return encl_embedder_embed(embedder, texts, 2, values);
}

static void test_second_user(void **state) {
    (void)state;
    const encl_device *device = NULL;
    size_t count = 0;
    encl_model *model = NULL;
    encl_embedder *first = NULL;
    encl_embedder *second = NULL;
    float expected[64];
    float found[64];
    fault_need_layer();
    // The loader reads this at the first OpenCL call of this process.
    setenv("OPENCL_LAYERS", ENCL_FAULT_LAYER, 1);
    setenv("ENCL_FAULT_LOST", "clSetEventCallback:2:-36:until-context", 1);
    encl_log_set_level(ENCL_LOG_ERROR);
    assert_ok(encl_device_select("auto", &device, 1, &count));
    assert_ok(encl_model_open("tests/fixtures/tiny-bert", &model));
    assert_ok(encl_embedder_create(model, device, NULL, &first));
    assert_ok(encl_embedder_create(model, device, NULL, &second));
    assert_int_equal(encl_embedder_width(first), 32);
    assert_ok(embed(first, expected));

    assert_int_equal(embed(first, found), ENCL_DEVICE);
    assert_non_null(strstr(encl_status_detail(), "device 0 ("));
    assert_non_null(strstr(encl_status_detail(), "CL_INVALID_COMMAND_QUEUE (-36)"));
    encl_embedder *const both[] = {second, first};
    for (size_t user = 0; user < 2; user++) {
        assert_ok(embed(both[user], found));
        for (size_t i = 0; i < 64; i++) {
            assert_true(fabsf(found[i] - expected[i]) <= 1e-5f);
        }
    }
    encl_embedder_destroy(second);
    encl_embedder_destroy(first);
    encl_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_second_user)};
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
