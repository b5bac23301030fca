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
