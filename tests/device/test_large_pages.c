// Buffers under which large pages were asked for hold what is written into them, like any other.
#include "test.h"

#include <stdlib.h>

#include "runtime/device/command.h"

static void hold(const encl_device *device, size_t bytes) {
    const encl_queue queue = encl_device_queue(device);
    const size_t words = bytes / sizeof(uint32_t);
    uint32_t *written = calloc(words, sizeof *written);
    uint32_t *found = calloc(words, sizeof *found);
    encl_buffer buffer = NULL;
    encl_command command = NULL;
    assert_true(written != NULL && found != NULL);
    for (size_t i = 0; i < words; i++) {
        written[i] = (uint32_t)i * 2654435761u;
    }
    assert_ok(encl_buffer_create(device, bytes, &buffer));
    assert_ok(encl_buffer_prefer_large_pages(device, queue, buffer, bytes));
    assert_ok(encl_queue_write(queue, buffer, 0, bytes, written, NULL));
    assert_ok(encl_queue_read(queue, buffer, 0, bytes, found, &command));
    assert_ok(encl_queue_flush(queue));
    assert_ok(encl_command_wait(command));
    assert_memory_equal(found, written, bytes);
    encl_command_release(command);
    encl_buffer_release(buffer);
    free(written);
    free(found);
}

static void hold_all(const encl_device *device) {
    assert_ok(encl_device_acquire(device));
    hold(device, 4096);
    hold(device, ((size_t)9 << 20) + 4); // from somewhere in a page to somewhere in another
    encl_device_release(device);
}

static void test_contents(void **state) {
    (void)state;
    encl_test_on_devices(hold_all);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_contents)};
    return encl_test_main(tests);
}
