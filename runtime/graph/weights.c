#include "runtime/graph/weights.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/float_bits.h"
#include "runtime/device/device.h"

// Chunks in flight: while the device takes one, the host reads the next. They are small enough to stay in the caches
// of a CPU device until they are laid out, and are checked in pieces that do not leave the core's own.
enum { SLOTS = 2 };
static const size_t chunk_bytes = (size_t)1 << 20;
static const size_t piece_bytes = (size_t)128 << 10;
// What is not larger than this is always copied.
static const size_t table_bytes = (size_t)128 << 10;
// PoCL compiles a kernel once more for grids of 65,536 and beyond.
static const int64_t most_rows = 32768;

// A chunk's memory. A CPU device and the host take turns with it. For others it is written from memory of the driver's
// that stays with the host, which is copied fastest: NVIDIA's driver lets the host into a buffer again while it still
// copies what was there before.
typedef struct slot {
    encl_buffer staging; // what the device lays out
    encl_buffer pinned;  // the driver's memory for `host`; NULL where that is the staging itself
    float *host;         // where the host writes; NULL while it is the device's
    encl_command ready;  // from when on the host may; NULL: it knows
} slot;

typedef struct upload {
    const encl_device *device;
    const encl_graph *graph;
    const encl_kernel_set *kernels;
    encl_queue queue;
    bool in_place; // the host writes where the device reads
    size_t chunk_floats;
    slot slots[SLOTS];
    size_t next;
} upload;

// Asks for the slot's memory, once the device is done with it.
static encl_status ask_slot(const upload *u, slot *s) {
    return encl_queue_map(u->queue, u->in_place ? s->staging : s->pinned, u->chunk_floats * sizeof(float),
                          (void **)&s->host, &s->ready);
}

static encl_status make_slot(const upload *u, slot *s) {
    encl_status status = ENCL_OK;
    const size_t bytes = u->chunk_floats * sizeof(float);
    if (u->in_place) {
        ENCL_TRY(encl_buffer_create_shared(u->device, bytes, &s->staging));
    } else {
        ENCL_TRY(encl_buffer_create(u->device, bytes, &s->staging));
        ENCL_TRY(encl_buffer_create_shared(u->device, bytes, &s->pinned));
    }
    ENCL_TRY(ask_slot(u, s));
cleanup:
    return status;
}

static encl_status wait_slot(slot *s) {
    encl_status status = ENCL_OK;
    if (s->ready != NULL) {
        ENCL_TRY(encl_command_wait(s->ready));
    }
cleanup:
    encl_command_release(s->ready);
    s->ready = NULL;
    return status;
}

// Hands the first floats of the slot to the device.
static encl_status give_slot(const upload *u, slot *s, size_t floats) {
    float *host = s->host;
    if (!u->in_place) {
        return encl_queue_write(u->queue, s->staging, 0, floats * sizeof(float), host, &s->ready);
    }
    s->host = NULL;
    return encl_queue_unmap(u->queue, s->staging, host);
}

static int64_t width_of(int64_t columns) {
    return columns == 0 ? 1 : columns;
}

// An exponent of all ones is an infinity or a NaN.
static encl_status check_finite(const encl_weight *weight, int64_t row, const float *values, size_t count) {
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found |= (encl_float_bits(values[i]) & 0x7f800000u) == 0x7f800000u;
    }
    for (size_t i = 0; found != 0 && i < count; i++) {
        if ((encl_float_bits(values[i]) & 0x7f800000u) == 0x7f800000u) {
            const size_t width = (size_t)width_of(weight->columns);
            return encl_fail(ENCL_NOT_FINITE, "weight %s: row %lld, column %zu is %g, expected a finite number",
                             weight->name, (long long)(row + (int64_t)(i / width)), i % width, (double)values[i]);
        }
    }
    return ENCL_OK;
}

// Reads rows of a weight, or zeroes where nothing is its source, and checks them while they are in the cache.
static encl_status fill(const encl_weight *source, int64_t first, int64_t count, size_t width, float *floats) {
    encl_status status = ENCL_OK;
    const int64_t most = (int64_t)(piece_bytes / sizeof(float) / width);
    if (source == NULL) {
        memset(floats, 0, (size_t)count * width * sizeof(float));
        return ENCL_OK;
    }
    for (int64_t done = 0; done < count;) {
        const int64_t left = count - done;
        const int64_t rows = most < 1 ? 1 : left < most ? left : most;
        float *piece = floats + (size_t)done * width;
        ENCL_TRY(source->read(source->context, first + done, rows, piece));
        ENCL_TRY(check_finite(source, first + done, piece, (size_t)rows * width));
        done += rows;
    }
cleanup:
    return status;
}

// Has the device lay out the rows of a chunk.
static encl_status place_chunk(const upload *u, const encl_weight_plan *plan, const encl_weight_part *part, int64_t row,
                               int64_t count, const slot *s) {
    const size_t width = (size_t)width_of(plan->columns);
    const size_t in_part = (size_t)(row - part->first_row);
    if (plan->layout == ENCL_LAYOUT_ROWS) {
        return encl_queue_copy(u->queue, s->staging, part->buffer, in_part * width * sizeof(float),
                               (size_t)count * width * sizeof(float));
    }
    const encl_product_format *format = &plan->format;
    const encl_shape shape = {.rows = (int32_t)count,
                              .depth = (int32_t)width,
                              .first_column = (int32_t)in_part,
                              .precision = format->precision,
                              .levels = format->levels,
                              .limit = format->limit,
                              .short_words = format->short_words};
    const encl_buffer buffers[] = {s->staging, part->buffer};
    return encl_kernel_enqueue(encl_kernels_find(u->kernels, plan->pack, &shape), u->queue, &shape, buffers, NULL);
}

static encl_status upload_chunk(upload *u, const encl_weight_plan *plan, const encl_weight_part *part,
                                const encl_weight *source, int64_t source_row, int64_t row, int64_t count) {
    encl_status status = ENCL_OK;
    slot *s = &u->slots[u->next];
    u->next = (u->next + 1) % SLOTS;
    const size_t width = (size_t)width_of(plan->columns);
    ENCL_TRY(wait_slot(s));
    ENCL_TRY(fill(source, source_row, count, width, s->host));
    ENCL_TRY(give_slot(u, s, (size_t)count * width));
    ENCL_TRY(place_chunk(u, plan, part, row, count, s));
    if (u->in_place) {
        ENCL_TRY(ask_slot(u, s));
    }
    ENCL_TRY(encl_queue_flush(u->queue));
cleanup:
    return status;
}

// Rows that lie together on the device.
static int64_t rows_of_unit(const encl_weight_plan *plan) {
    return plan->layout == ENCL_LAYOUT_PANELS ? ENCL_PANEL : 1;
}

uint64_t encl_weight_bytes(const encl_weight_plan *plan, int64_t rows) {
    const int64_t width = width_of(plan->columns);
    const int64_t words = plan->layout == ENCL_LAYOUT_PANELS
                              ? (rows + ENCL_PANEL - 1) / ENCL_PANEL * encl_panel_words(plan->format.precision, width)
                              : rows * width;
    return (uint64_t)words * 4;
}

// The parts of a weight, without buffers: one where it fits the largest allocation, else as many as needed.
static encl_status split(const encl_device *device, const encl_weight_plan *plan, encl_device_weight *weight) {
    encl_status status = ENCL_OK;
    const uint64_t most = encl_device_get_info(device)->max_allocation;
    const int64_t unit = rows_of_unit(plan);
    const uint64_t unit_bytes = encl_weight_bytes(plan, unit);
    int64_t rows = (int64_t)(most / unit_bytes) * unit;
    rows = rows < plan->rows ? rows : plan->rows;
    if (rows < 1 || (plan->rows + rows - 1) / rows > plan->parts) {
        return encl_fail(ENCL_DEVICE_MEMORY,
                         "a weight of %lld rows of %llu bytes does not fit %d buffers of at most %llu bytes",
                         (long long)plan->rows, (unsigned long long)(unit_bytes / (uint64_t)unit), (int)plan->parts,
                         (unsigned long long)most);
    }
    const size_t count = (size_t)((plan->rows + rows - 1) / rows);
    ENCL_TRY(encl_allocate(count, sizeof *weight->parts, (void **)&weight->parts));
    weight->part_rows = rows;
    weight->part_count = count;
    for (size_t i = 0; i < count; i++) {
        encl_weight_part *part = &weight->parts[i];
        part->first_row = (int64_t)i * rows;
        part->rows = plan->rows - part->first_row < rows ? plan->rows - part->first_row : rows;
    }
cleanup:
    return status;
}

encl_status encl_weight_take(const encl_device *device, const encl_weight_plan *plan, const void *data,
                             encl_device_weight *weight) {
    encl_status status = ENCL_OK;
    const bool in_place = encl_device_in_host_memory(device);
    ENCL_TRY(split(device, plan, weight));
    for (size_t i = 0; i < weight->part_count; i++) {
        encl_weight_part *part = &weight->parts[i];
        const uint64_t bytes = encl_weight_bytes(plan, part->rows);
        const uint8_t *from = (const uint8_t *)data + encl_weight_bytes(plan, part->first_row);
        if (in_place) {
            ENCL_TRY(encl_buffer_over(device, from, bytes, &part->buffer));
        } else {
            ENCL_TRY(encl_buffer_create(device, bytes, &part->buffer));
            ENCL_TRY(encl_queue_write(encl_device_queue(device), part->buffer, 0, bytes, from, NULL));
        }
    }
cleanup:
    return status;
}

static encl_status make_buffers(const upload *u, const encl_weight_plan *plan, encl_device_weight *weight) {
    encl_status status = ENCL_OK;
    const int64_t unit = rows_of_unit(plan);
    const uint64_t unit_bytes = encl_weight_bytes(plan, unit);
    ENCL_TRY(split(u->device, plan, weight));
    for (size_t i = 0; i < weight->part_count; i++) {
        encl_weight_part *part = &weight->parts[i];
        const uint64_t bytes = encl_weight_bytes(plan, part->rows);
        ENCL_TRY(encl_buffer_create(u->device, bytes, &part->buffer));
        ENCL_TRY(encl_buffer_prefer_large_pages(u->device, u->queue, part->buffer, bytes));
        if (part->rows % unit != 0) {
            ENCL_TRY(encl_queue_zero(u->queue, part->buffer, bytes - unit_bytes, unit_bytes));
        }
    }
cleanup:
    return status;
}

// Rows in the next chunk of a weight: to the end of the source, of the part, or of what a chunk holds; of a weight in
// panels to the end of one, if there is one, so that the next chunk begins a panel.
static int64_t chunk_rows(const upload *u, const encl_weight_plan *plan, const encl_weight_part *part, int64_t row,
                          int64_t left) {
    int64_t count = (int64_t)u->chunk_floats / width_of(plan->columns);
    count = count < most_rows ? count : most_rows;
    count = count < left ? count : left;
    count = count < part->first_row + part->rows - row ? count : part->first_row + part->rows - row;
    const int64_t whole = (row - part->first_row + count) / ENCL_PANEL * ENCL_PANEL - (row - part->first_row);
    return plan->layout == ENCL_LAYOUT_PANELS && whole > 0 ? whole : count;
}

static encl_status upload_rows(upload *u, const encl_weight_plan *plan, encl_device_weight *weight) {
    encl_status status = ENCL_OK;
    int64_t row = 0;
    ENCL_TRY(make_buffers(u, plan, weight));
    for (int32_t i = 0; i < plan->source_count; i++) {
        const encl_weight *source = plan->sources[i] < 0 ? NULL : &u->graph->weights[plan->sources[i]];
        const int64_t rows = source == NULL ? plan->rows / plan->source_count : source->rows;
        for (int64_t done = 0; done < rows;) {
            const encl_weight_part *part = &weight->parts[row / weight->part_rows];
            const int64_t count = chunk_rows(u, plan, part, row, rows - done);
            ENCL_TRY(upload_chunk(u, plan, part, source, done, row, count));
            done += count;
            row += count;
        }
    }
cleanup:
    return status;
}

// The source of a weight that can stay where it is, else NULL: it lies in the host's memory as it is to lie in the
// device's, and is large.
static const encl_weight *source_in_place(const upload *u, const encl_weight_plan *plan) {
    if (!u->in_place || !plan->unaligned || encl_weight_bytes(plan, plan->rows) <= table_bytes) {
        return NULL;
    }
    const encl_weight *source = &u->graph->weights[plan->sources[0]];
    return source->values != NULL ? source : NULL;
}

// All rows are read once, since a number that is not finite is to be found here, too.
static encl_status check_rows(upload *u, const encl_weight *source) {
    encl_status status = ENCL_OK;
    slot *s = &u->slots[u->next];
    const size_t width = (size_t)width_of(source->columns);
    const int64_t most = (int64_t)(u->chunk_floats / width);
    ENCL_TRY(wait_slot(s));
    for (int64_t row = 0; row < source->rows; row += most) {
        const int64_t left = source->rows - row;
        ENCL_TRY(fill(source, row, left < most ? left : most, width, s->host));
    }
cleanup:
    return status;
}

static encl_status upload_weight(upload *u, const encl_weight_plan *plan, encl_device_weight *weight) {
    encl_status status = ENCL_OK;
    const encl_weight *source = source_in_place(u, plan);
    if (source == NULL) {
        return upload_rows(u, plan, weight);
    }
    ENCL_TRY(check_rows(u, source));
    ENCL_TRY(encl_weight_take(u->device, plan, source->values, weight));
cleanup:
    return status;
}

static encl_status start(upload *u, const encl_schedule *schedule) {
    encl_status status = ENCL_OK;
    size_t longest = 0;
    size_t total = 0;
    for (size_t i = 0; i < schedule->weight_count; i++) {
        const size_t width = (size_t)width_of(schedule->weights[i].columns);
        const size_t floats = width * (size_t)schedule->weights[i].rows;
        longest = width > longest ? width : longest;
        total = floats > total ? floats : total;
    }
    u->chunk_floats = chunk_bytes / sizeof(float);
    u->chunk_floats = u->chunk_floats < total ? u->chunk_floats : total;
    u->chunk_floats = u->chunk_floats > longest ? u->chunk_floats : longest;
    for (size_t i = 0; i < SLOTS; i++) {
        ENCL_TRY(make_slot(u, &u->slots[i]));
    }
cleanup:
    return status;
}

encl_status encl_weights_upload(const encl_device *device, const encl_graph *graph, const encl_schedule *schedule,
                                const encl_kernel_set *kernels, encl_device_weight **weights, uint64_t *bytes) {
    encl_status status = ENCL_OK;
    encl_device_weight *made = NULL;
    upload u = {.device = device,
                .graph = graph,
                .kernels = kernels,
                .queue = encl_device_queue(device),
                .in_place = encl_device_in_host_memory(device)};
    *weights = NULL;
    *bytes = 0;
    ENCL_TRY(encl_allocate(schedule->weight_count, sizeof *made, (void **)&made));
    ENCL_TRY(start(&u, schedule));
    for (size_t i = 0; i < schedule->weight_count; i++) {
        ENCL_TRY(upload_weight(&u, &schedule->weights[i], &made[i]));
        *bytes += encl_weight_bytes(&schedule->weights[i], schedule->weights[i].rows);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        ENCL_TRY(wait_slot(&u.slots[i]));
    }
    *weights = made;
    made = NULL;
cleanup:
    // The device may still read the chunks. clFinish alone does not wait for flushed commands on every driver.
    if (status != ENCL_OK) {
        (void)encl_queue_drain(u.queue);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        slot *s = &u.slots[i];
        encl_command_drain(s->ready);
        encl_command_release(s->ready);
        if (s->host != NULL) {
            (void)encl_queue_unmap(u.queue, u.in_place ? s->staging : s->pinned, s->host);
        }
    }
    (void)encl_queue_drain(u.queue);
    for (size_t i = 0; i < SLOTS; i++) {
        encl_buffer_release(u.slots[i].staging);
        encl_buffer_release(u.slots[i].pinned);
    }
    encl_weights_free(made, schedule->weight_count);
    return status;
}

void encl_weights_free(encl_device_weight *weights, size_t count) {
    for (size_t i = 0; weights != NULL && i < count; i++) {
        for (size_t j = 0; j < weights[i].part_count; j++) {
            encl_buffer_release(weights[i].parts[j].buffer);
        }
        free(weights[i].parts);
    }
    free(weights);
}
