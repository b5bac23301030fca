// Reading, writing and copying device memory, by the size of the buffer. How a buffer is gone over is said in
// kernels/peak_memory.cl.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/measure/peak_session.h"

// How work is dealt out on a kind of device.
typedef struct memory_layout {
    size_t width, each, local; // of kernels/peak_memory.cl
    size_t groups, regions;
} memory_layout;

static memory_layout layout_of(const encl_device *device) {
    const size_t units = device->info.compute_units > 0 ? device->info.compute_units : 1;
    if (strcmp(encl_device_family(device), "tile") == 0) {
        // PoCL hands out 32 groups at a time at first: a processor's share is a region.
        return (memory_layout){16, 16, 1, 32 * units, units};
    }
    const size_t most = device->info.software ? 64 : 256;
    const size_t local = device->info.max_group < most ? (size_t)device->info.max_group : most;
    return (memory_layout){4, 4, local, (device->info.software ? 4 : 16) * units, 1};
}

static size_t chunk_vectors(const memory_layout *layout) {
    return layout->each * layout->local;
}

static size_t chunk_bytes(const memory_layout *layout) {
    return chunk_vectors(layout) * layout->width * sizeof(uint32_t);
}

// ---- Sizes ------------------------------------------------------------------------------------------------

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

size_t encl_peak_sizes(const encl_device *device, const encl_peak_options *options, uint64_t sizes[ENCL_PEAK_SIZES]) {
    const memory_layout layout = layout_of(device);
    const uint64_t limit = options->most_bytes > 0 ? options->most_bytes : (uint64_t)1 << 30;
    const uint64_t most = lesser(limit, lesser(device->info.global_memory / 16, device->info.max_allocation));
    uint64_t least = (uint64_t)16 << 10;
    uint64_t largest = least;
    size_t count = 0;
    while (least < 2 * layout.regions * chunk_bytes(&layout)) { // two halves to copy between
        least *= 2;
    }
    for (largest = least; largest * 2 <= most;) {
        largest *= 2;
    }
    // Beyond 64 MiB there are few caches' edges to be seen; the largest one is always there.
    for (uint64_t size = least; size < largest && count < ENCL_PEAK_SIZES - 1;) {
        sizes[count++] = size;
        size *= options->quick ? 8 : size < (uint64_t)64 << 20 ? 2 : 4;
    }
    sizes[count++] = largest;
    return count;
}

// ---- One way over a buffer --------------------------------------------------------------------------------

typedef enum memory_kind { MEMORY_WRITE, MEMORY_READ, MEMORY_COPY, MEMORY_KINDS } memory_kind;

static const struct {
    const char *figure, *entry;
    double moved; // bytes for each that is visited
} kinds[MEMORY_KINDS] = {
    [MEMORY_WRITE] = {"write", "peak_write", 1.0},
    [MEMORY_READ] = {"read", "peak_read", 1.0},
    [MEMORY_COPY] = {"copy", "peak_copy", 2.0},
};

typedef struct memory_test {
    encl_peak_session *session;
    memory_layout layout;
    char variant[48];
    encl_program *program;
    encl_entry entries[MEMORY_KINDS];
    encl_buffer buffer, out;
} memory_test;

// The numbers a kernel gets.
typedef struct memory_plan {
    uint32_t chunks; // of a region that are visited
    uint32_t groups; // of a region
    uint32_t passes, hop, step;
} memory_plan;

// Over the first `bytes` of the buffer, so that everything is visited about `rounds` times, and at least once.
static memory_plan plan_of(const memory_layout *layout, uint64_t bytes, uint64_t rounds) {
    const uint64_t chunks = bytes / layout->regions / chunk_bytes(layout);
    const uint64_t groups = layout->groups / layout->regions;
    const uint64_t passes = (chunks + groups - 1) / groups * rounds;
    const bool swept = layout->regions == 1; // side by side
    return (memory_plan){
        .chunks = (uint32_t)chunks,
        .groups = (uint32_t)groups,
        .passes = (uint32_t)passes,
        .hop = swept ? 1 : (uint32_t)passes,
        .step = (uint32_t)((swept ? groups : 1) % chunks),
    };
}

// What every lane of a vector holds: the place of the first that its work-item wrote into the chunk, and the tag.
// Vectors from `half` on hold what lies as much before them; 0: none.
static uint32_t lane_value(const memory_layout *layout, uint32_t tag, uint32_t vector, uint32_t half) {
    const uint32_t place = half > 0 && vector >= half ? vector - half : vector;
    const uint32_t chunk = (uint32_t)chunk_vectors(layout);
    return tag + place / chunk * chunk + place % chunk % (uint32_t)layout->local;
}

// The sum over all lanes of a chunk's vectors, modulo 2^32.
static uint32_t chunk_sum(const memory_layout *layout, uint32_t tag, uint32_t first_vector, uint32_t half) {
    const uint32_t items = (uint32_t)layout->local;
    const uint32_t first = lane_value(layout, tag, first_vector, half);
    return (uint32_t)(layout->width * layout->each) * (items * first + items * (items - 1) / 2);
}

// What peak_read finds in all, visit by visit.
static uint32_t expected_sum(const memory_layout *layout, const memory_plan *plan, uint32_t tag, uint32_t half) {
    uint32_t sum = 0;
    for (uint32_t group = 0; group < layout->groups; group++) {
        const uint32_t region = group / plan->groups;
        uint32_t chunk = (uint32_t)((uint64_t)(group % plan->groups) * plan->hop % plan->chunks);
        for (uint32_t pass = 0; pass < plan->passes; pass++) {
            const uint32_t at = (region * plan->chunks + chunk) * (uint32_t)chunk_vectors(layout);
            sum += chunk_sum(layout, tag, at, half);
            chunk = (chunk + plan->step) % plan->chunks;
        }
    }
    return sum;
}

// more: what a kernel takes behind the plan: the tag, the shift; none for reading.
static encl_status set_arguments(const memory_test *test, memory_kind kind, const memory_plan *plan, uint32_t more) {
    encl_argument arguments[8];
    size_t count = 0;
    arguments[count++] = (encl_argument){&test->buffer, sizeof test->buffer};
    if (kind == MEMORY_READ) {
        arguments[count++] = (encl_argument){&test->out, sizeof test->out};
    }
    const uint32_t *const numbers[] = {&plan->chunks, &plan->groups, &plan->passes, &plan->hop, &plan->step};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        arguments[count++] = (encl_argument){numbers[i], sizeof *numbers[i]};
    }
    if (kind != MEMORY_READ) {
        arguments[count++] = (encl_argument){&more, sizeof more};
    }
    return encl_entry_arguments(test->entries[kind], arguments, count);
}

static encl_peak_launch launch_of(const memory_test *test, memory_kind kind) {
    const memory_layout *layout = &test->layout;
    return (encl_peak_launch){test->session, test->entries[kind], layout->groups * layout->local, layout->local, 1};
}

// ---- Checks -----------------------------------------------------------------------------------------------

// Adds up what peak_read left.
static encl_status read_sum(const memory_test *test, uint32_t *sum) {
    encl_status status = ENCL_OK;
    encl_queue queue = encl_device_queue(test->session->device);
    const size_t count = test->layout.groups * test->layout.local * test->layout.width;
    uint32_t *out = NULL;
    *sum = 0;
    ENCL_TRY(encl_allocate(count, sizeof *out, (void **)&out));
    ENCL_TRY(encl_queue_read(queue, test->out, 0, count * sizeof *out, out, NULL));
    ENCL_TRY(encl_queue_finish(queue));
    for (size_t i = 0; i < count; i++) {
        *sum += out[i];
    }

cleanup:
    free(out);
    return status;
}

static encl_status check_sum(const memory_test *test, memory_kind kind, const memory_plan *plan, uint32_t tag,
                             uint32_t half) {
    uint32_t found = 0;
    const encl_status status = read_sum(test, &found);
    const uint32_t expected = expected_sum(&test->layout, plan, tag, half);
    if (status == ENCL_OK && found != expected) {
        return encl_fail(ENCL_DEVICE, "%s: the sum of what is in the buffer is 0x%08x, expected 0x%08x",
                         kinds[kind].entry, (unsigned)found, (unsigned)expected);
    }
    return status;
}

// The host looks at the end of what was written, word by word: sums do not see what changed places.
static encl_status check_end(const memory_test *test, memory_kind kind, uint64_t bytes, uint32_t tag, uint32_t half) {
    enum { LOOKED_AT = 4096 };
    encl_status status = ENCL_OK;
    encl_queue queue = encl_device_queue(test->session->device);
    uint32_t words[LOOKED_AT];
    const size_t size = (size_t)lesser(bytes, sizeof words);
    const size_t offset = (size_t)bytes - size;
    ENCL_TRY(encl_queue_read(queue, test->buffer, offset, size, words, NULL));
    ENCL_TRY(encl_queue_finish(queue));
    for (size_t i = 0; i < size / sizeof words[0]; i++) {
        const size_t vector = (offset / sizeof words[0] + i) / test->layout.width;
        const uint32_t expected = lane_value(&test->layout, tag, (uint32_t)vector, half);
        if (words[i] != expected) {
            status = encl_fail(ENCL_DEVICE, "%s: word %zu of the buffer is 0x%08x, expected 0x%08x", kinds[kind].entry,
                               offset / sizeof words[0] + i, (unsigned)words[i], (unsigned)expected);
            break;
        }
    }

cleanup:
    return status;
}

// Reads all of the buffer once, and compares.
static encl_status check_contents(const memory_test *test, memory_kind kind, uint64_t bytes, uint32_t tag,
                                  uint32_t half) {
    encl_status status = ENCL_OK;
    const memory_plan plan = plan_of(&test->layout, bytes, 1);
    const encl_peak_launch launch = launch_of(test, MEMORY_READ);
    int64_t ns = 0;
    ENCL_TRY(set_arguments(test, MEMORY_READ, &plan, 0));
    ENCL_TRY(encl_peak_time(&launch, &ns));
    ENCL_TRY(check_sum(test, kind, &plan, tag, half));
    ENCL_TRY(check_end(test, kind, bytes, tag, half));

cleanup:
    return status;
}

// ---- Measuring --------------------------------------------------------------------------------------------

// The buffer's bytes that are used: the same in every region, and two halves.
static uint64_t used_bytes(const memory_layout *layout, uint64_t size) {
    const uint64_t part = 2 * layout->regions * chunk_bytes(layout);
    return size / part * part;
}

// More rounds until a launch is long enough.
static encl_status grow(const memory_test *test, memory_kind kind, uint64_t bytes, uint32_t more,
                        encl_peak_launch *launch, memory_plan *plan) {
    enum { ATTEMPTS = 12 };
    encl_status status = ENCL_OK;
    uint64_t rounds = 1;
    int64_t ns = 0;
    *launch = launch_of(test, kind);
    *plan = plan_of(&test->layout, bytes, rounds);
    ENCL_TRY(set_arguments(test, kind, plan, more));
    for (int i = 0; i < ATTEMPTS; i++) {
        ENCL_TRY(encl_peak_time_twice(launch, &ns));
        const double growth = encl_peak_growth(test->session, ns);
        if (growth <= 1.0) {
            break;
        }
        rounds = (uint64_t)ceil((double)rounds * growth);
        *plan = plan_of(&test->layout, bytes, rounds);
        ENCL_TRY(set_arguments(test, kind, plan, more));
    }
    ENCL_TRY(encl_peak_settle(launch));

cleanup:
    return status;
}

static encl_status measure_kind(memory_test *test, memory_kind kind, uint64_t size, double *gbs) {
    encl_status status = ENCL_OK;
    encl_samples samples = {0};
    const memory_layout *layout = &test->layout;
    const uint64_t used = used_bytes(layout, size);
    const uint64_t bytes = kind == MEMORY_COPY ? used / 2 : used; // that are visited
    const uint32_t tag = 0x01234567u + (uint32_t)(size >> 10); // of this size, so that what is left from others shows
    const uint32_t half = (uint32_t)(used / 2 / layout->width / sizeof(uint32_t));
    encl_peak_launch launch;
    memory_plan plan;
    encl_peak_figure figure = {.name = kinds[kind].figure,
                               .kernel = kinds[kind].entry,
                               .variant = test->variant,
                               .bytes = size,
                               .value = NAN,
                               .unit = "GB/s",
                               .timer = "",
                               .samples = &samples};
    ENCL_TRY(grow(test, kind, bytes, kind == MEMORY_COPY ? half : tag, &launch, &plan));
    ENCL_TRY(encl_peak_sample_launch(&launch, &samples));
    ENCL_TRY(kind == MEMORY_READ ? check_sum(test, kind, &plan, tag, 0)
                                 : check_contents(test, kind, used, tag, kind == MEMORY_COPY ? half : 0));
    figure.moved_bytes = (double)layout->groups * plan.passes * (double)chunk_bytes(layout) * kinds[kind].moved;
    ENCL_TRY(encl_peak_rate(&samples, figure.moved_bytes, &figure.value));
    figure.timer = encl_peak_timer(test->session);
    figure.inner = launch.inner;
    *gbs = figure.value;

cleanup:
    status = encl_peak_tell(test->session, &figure, status);
    encl_samples_free(&samples);
    return status;
}

static void close_test(memory_test *test) {
    for (memory_kind kind = MEMORY_WRITE; kind < MEMORY_KINDS; kind++) {
        encl_entry_release(test->entries[kind]);
    }
    encl_program_destroy(test->program);
    encl_buffer_release(test->buffer);
    encl_buffer_release(test->out);
}

// Launches everything once, which may compile, so that the program can be kept.
static encl_status launch_all(const memory_test *test, uint64_t bytes) {
    encl_status status = ENCL_OK;
    const memory_plan plan = plan_of(&test->layout, bytes, 1);
    for (memory_kind kind = MEMORY_WRITE; kind < MEMORY_KINDS && status == ENCL_OK; kind++) {
        const encl_peak_launch launch = launch_of(test, kind);
        int64_t ns = 0;
        status = set_arguments(test, kind, &plan, 0);
        if (status == ENCL_OK) {
            status = encl_peak_time(&launch, &ns);
        }
    }
    return status;
}

static encl_status open_test(memory_test *test, uint64_t least_bytes, uint64_t most_bytes) {
    encl_status status = ENCL_OK;
    const encl_device *device = test->session->device;
    const memory_layout *layout = &test->layout;
    const size_t out_bytes = layout->groups * layout->local * layout->width * sizeof(uint32_t);
    char options[64];
    snprintf(options, sizeof options, "-DWIDTH=%zu -DEACH=%zu -DLOCAL=%zu", layout->width, layout->each, layout->local);
    snprintf(test->variant, sizeof test->variant, "uint%zu x %zu", layout->width, layout->each);
    ENCL_TRY(encl_program_build(device, "peak_memory.cl", options, &test->program));
    for (memory_kind kind = MEMORY_WRITE; kind < MEMORY_KINDS; kind++) {
        ENCL_TRY(encl_program_kernel(test->program, kinds[kind].entry, &test->entries[kind]));
    }
    ENCL_TRY(encl_buffer_create(device, (size_t)most_bytes, &test->buffer));
    ENCL_TRY(encl_buffer_create(device, out_bytes, &test->out));
    ENCL_TRY(launch_all(test, used_bytes(layout, least_bytes) / 2));
    encl_program_keep(test->program);

cleanup:
    return status;
}

// Where the device gives no buffer, all its figures fail alike.
static encl_status tell_failure(encl_peak_session *session, encl_status status) {
    encl_status ending = ENCL_OK;
    for (memory_kind kind = MEMORY_WRITE; kind < MEMORY_KINDS && ending == ENCL_OK; kind++) {
        encl_peak_figure figure = {
            .name = kinds[kind].figure, .kernel = kinds[kind].entry, .variant = "", .unit = "GB/s", .timer = ""};
        ending = encl_peak_tell(session, &figure, status);
    }
    return ending;
}

encl_status encl_peak_measure_memory(encl_peak_session *session) {
    encl_status status = ENCL_OK;
    encl_peaks *peaks = session->peaks;
    uint64_t sizes[ENCL_PEAK_SIZES];
    const size_t count = encl_peak_sizes(session->device, session->options, sizes);
    memory_test test = {.session = session, .layout = layout_of(session->device)};
    status = open_test(&test, sizes[0], sizes[count - 1]);
    if (status != ENCL_OK) {
        status = tell_failure(session, status);
        goto cleanup;
    }
    for (size_t i = 0; i < count; i++) {
        encl_peak_bandwidth *bandwidth = &peaks->bandwidth[i];
        *bandwidth = (encl_peak_bandwidth){sizes[i], NAN, NAN, NAN};
        peaks->bandwidth_count = i + 1;
        ENCL_TRY(measure_kind(&test, MEMORY_WRITE, sizes[i], &bandwidth->write_gbs));
        ENCL_TRY(measure_kind(&test, MEMORY_READ, sizes[i], &bandwidth->read_gbs));
        ENCL_TRY(measure_kind(&test, MEMORY_COPY, sizes[i], &bandwidth->copy_gbs));
        peaks->memory_gbs = fmax(bandwidth->read_gbs, bandwidth->copy_gbs); // of the last; NAN where neither is known
    }

cleanup:
    close_test(&test);
    return status;
}
