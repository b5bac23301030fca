// CLBlast's products, and that nothing of them outlives their device's users.
#include "test.h"

#include <unistd.h>

#include "runtime/op/library.h"

enum { ROWS = 3, COLUMNS = 4, DEPTH = 5 };

static cl_uint references(cl_context context) {
    cl_uint count = 0;
    assert_int_equal(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL), CL_SUCCESS);
    return count;
}

// Drivers let go of a context on threads of their own, after what they have run for it.
static void wait_for_last_reference(cl_context context) {
    for (int i = 0; i < 10000 && references(context) > 1; i++) {
        usleep(1000);
    }
    assert_int_equal(references(context), 1);
}

static void multiply(const encl_device *device) {
    float x[ROWS * DEPTH];
    float weight[COLUMNS * DEPTH];
    float out[ROWS * COLUMNS] = {0};
    const encl_queue queue = encl_device_queue(device);
    encl_library_product product = {.rows = ROWS, .columns = COLUMNS, .depth = DEPTH, .out_stride = COLUMNS};
    encl_buffer scratch = NULL;
    encl_command read = NULL;
    size_t bytes = 0;
    for (int i = 0; i < COLUMNS * DEPTH; i++) {
        weight[i] = (float)(i % 7 - 3);
    }
    for (int i = 0; i < ROWS * DEPTH; i++) {
        x[i] = (float)(i % 4 - 1);
    }
    assert_ok(encl_buffer_create(device, sizeof x, &product.x));
    assert_ok(encl_buffer_create(device, sizeof weight, &product.weight));
    assert_ok(encl_buffer_create(device, sizeof out, &product.out));
    assert_ok(encl_library_scratch(device, &product, &bytes));
    assert_ok(encl_buffer_create(device, bytes, &scratch));
    assert_ok(encl_queue_write(queue, product.x, 0, sizeof x, x, NULL));
    assert_ok(encl_queue_write(queue, product.weight, 0, sizeof weight, weight, NULL));
    assert_ok(encl_library_enqueue(queue, &product, scratch));
    assert_ok(encl_queue_read(queue, product.out, 0, sizeof out, out, &read));
    assert_ok(encl_command_wait(read));
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        float expected = 0;
        for (int k = 0; k < DEPTH; k++) {
            expected += x[i / COLUMNS * DEPTH + k] * weight[i % COLUMNS * DEPTH + k];
        }
        assert_true(out[i] == expected); // small integers: exact in any order
    }
    assert_ok(encl_queue_finish(queue));
    encl_command_release(read);
    encl_buffer_release(scratch);
    encl_buffer_release(product.x);
    encl_buffer_release(product.weight);
    encl_buffer_release(product.out);
}

static void contexts_end_on(const encl_device *device) {
    for (int i = 0; i < 2; i++) {
        assert_ok(encl_device_acquire(device));
        const cl_context context = encl_device_context(device);
        assert_int_equal(clRetainContext(context), CL_SUCCESS);
        multiply(device);
        encl_device_release(device);
        wait_for_last_reference(context); // this test's own
        assert_int_equal(clReleaseContext(context), CL_SUCCESS);
    }
}

static void contexts_end_with_their_users(void **state) {
    (void)state;
    encl_test_on_devices(contexts_end_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_end_with_their_users),
    };
    return encl_test_main(tests);
}
