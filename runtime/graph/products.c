// Steps whose matrix product is the library's.
#include "runtime/graph/executable.h"

encl_library_product encl_step_product(const encl_executable *e, const encl_step *step, size_t part, size_t rows) {
    const encl_weight_part *p = &e->weights[step->operands[1].index].parts[part];
    return (encl_library_product){.rows = rows,
                                  .columns = (size_t)p->rows,
                                  .depth = (size_t)step->shape.depth,
                                  .x = e->tensors[step->operands[0].index],
                                  .weight = p->buffer,
                                  .out = e->tensors[step->operands[4].index],
                                  .out_stride = (size_t)step->shape.out_stride,
                                  .first_column = (size_t)p->first_row};
}

// Small integers: their sums are exact in any order, so that what comes must be equal.
static float small_integer(size_t i) {
    return (float)(i * 7 % 5) - 2.0f;
}

encl_status encl_products_check(const encl_device *device) {
    enum { ROWS = 7, COLUMNS = 12, DEPTH = 9, X = ROWS * DEPTH, WEIGHT = COLUMNS * DEPTH, OUT = ROWS * COLUMNS };
    encl_status status = ENCL_OK;
    const encl_queue queue = encl_device_queue(device);
    encl_library_product product = {.rows = ROWS, .columns = COLUMNS, .depth = DEPTH, .out_stride = COLUMNS};
    encl_buffer scratch = NULL;
    encl_command read = NULL;
    size_t scratch_bytes = 0;
    float values[WEIGHT > X ? WEIGHT : X];
    float found[OUT] = {0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        values[i] = small_integer(i);
    }
    ENCL_TRY(encl_buffer_create(device, X * sizeof(float), &product.x));
    ENCL_TRY(encl_buffer_create(device, WEIGHT * sizeof(float), &product.weight));
    ENCL_TRY(encl_buffer_create(device, sizeof found, &product.out));
    ENCL_TRY(encl_library_scratch(device, &product, &scratch_bytes));
    ENCL_TRY(encl_buffer_create(device, scratch_bytes, &scratch));
    ENCL_TRY(encl_queue_write(queue, product.x, 0, X * sizeof(float), values, NULL));
    ENCL_TRY(encl_queue_write(queue, product.weight, 0, WEIGHT * sizeof(float), values, NULL));
    ENCL_TRY(encl_library_enqueue(queue, &product, scratch));
    ENCL_TRY(encl_queue_read(queue, product.out, 0, sizeof found, found, &read));
    ENCL_TRY(encl_command_wait(read));
    for (size_t i = 0; i < OUT && status == ENCL_OK; i++) {
        float expected = 0;
        for (size_t k = 0; k < DEPTH; k++) {
            expected += values[i / COLUMNS * DEPTH + k] * values[i % COLUMNS * DEPTH + k];
        }
        if (!(found[i] == expected)) {
            status = encl_fail(ENCL_BUILD, "its self-check failed (element %zu: found %g, expected %g)", i,
                               (double)found[i], (double)expected);
        }
    }
cleanup:
    if (status != ENCL_OK) {
        (void)encl_queue_drain(queue); // what was enqueued still uses these arrays
    }
    encl_command_release(read);
    encl_buffer_release(scratch);
    encl_buffer_release(product.x);
    encl_buffer_release(product.weight);
    encl_buffer_release(product.out);
    return status;
}

// A product takes most scratch where its rows are many but no multiple of CLBlast's tile: whole tiles need no copies.
encl_status encl_products_scratch(encl_executable *e) {
    encl_status status = ENCL_OK;
    e->scratch_bytes = 0;
    for (size_t i = 0; i < e->schedule->step_count; i++) {
        const encl_step *step = &e->schedule->steps[i];
        const size_t most = (size_t)e->capacity[step->count];
        const size_t rows[] = {1, most > 1 ? most - 1 : 1, most};
        for (size_t r = 0; step->library && r < sizeof rows / sizeof rows[0]; r++) {
            const encl_library_product product = {.rows = rows[r],
                                                  .columns = (size_t)step->shape.columns,
                                                  .depth = (size_t)step->shape.depth,
                                                  .out_stride = (size_t)step->shape.out_stride};
            size_t bytes = 0;
            ENCL_TRY(encl_library_scratch(e->device, &product, &bytes));
            e->scratch_bytes = bytes > e->scratch_bytes ? bytes : e->scratch_bytes;
        }
    }
cleanup:
    return status;
}

encl_status encl_products_warm(encl_executable *e) {
    encl_status status = ENCL_OK;
    const bool cpu = encl_device_get_info(e->device)->type == ENCL_DEVICE_CPU;
    const size_t largest = cpu ? 64 : 2048;
    if (e->scratch_bytes > 0) {
        ENCL_TRY(encl_buffer_create(e->device, e->scratch_bytes, &e->scratch));
        e->info.arena_bytes += e->scratch_bytes;
    }
    for (size_t i = 0; i < e->schedule->step_count; i++) {
        const encl_step *step = &e->schedule->steps[i];
        const size_t most = (size_t)e->capacity[step->count];
        for (size_t r = 0; step->library && r < 2; r++) {
            const encl_library_product product =
                encl_step_product(e, step, 0, r == 0 ? 1 : (most < largest ? most : largest));
            ENCL_TRY(encl_library_enqueue(encl_device_queue(e->device), &product, e->scratch));
        }
    }
    ENCL_TRY(encl_queue_finish(encl_device_queue(e->device)));
cleanup:
    return status;
}
