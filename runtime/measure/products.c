#include "runtime/measure/products.h"

#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/measure/launches.h"
#include "runtime/op/library.h"

enum { SEED = 7 };

encl_check_case encl_product_case(const encl_product *product) {
    return (encl_check_case){.shape = {.rows = product->m, .columns = product->n, .depth = product->k}, .seed = SEED};
}

// ---- The library ------------------------------------------------------------------------------------------

typedef struct subject {
    const encl_product *product;
    const encl_buffer_sets *sets;
    encl_buffer scratch;
} subject;

static encl_library_product on_set(const encl_product *product, const encl_check_buffers *set) {
    return (encl_library_product){.rows = (size_t)product->m,
                                  .columns = (size_t)product->n,
                                  .depth = (size_t)product->k,
                                  .x = set->at[0],
                                  .weight = set->at[1],
                                  .out = set->at[4],
                                  .out_stride = (size_t)product->n};
}

static encl_status launch(void *context, encl_queue queue, size_t index, encl_command *command) {
    const subject *s = context;
    const encl_library_product product = on_set(s->product, &s->sets->sets[index % s->sets->count]);
    if (command != NULL) {
        *command = NULL;
        return encl_fail(ENCL_INTERNAL, "CLBlast: its events cover only its last kernel, expected markers");
    }
    return encl_library_enqueue(queue, &product, s->scratch);
}

// Any row of LINEAR says what a product's inputs are.
static const encl_kernel_row *row_of_linear(void) {
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (encl_kernel_rows[i].op == ENCL_OP_LINEAR) {
            return &encl_kernel_rows[i];
        }
    }
    return NULL;
}

encl_status encl_product_run(const encl_device *device, const encl_product *product, const encl_trial_options *options,
                             encl_trial *trial) {
    encl_status status = ENCL_OK;
    const encl_check_case check = encl_product_case(product);
    encl_check_inputs inputs = {0};
    encl_buffer_sets sets = {0};
    size_t scratch_bytes = 0;
    subject s = {product, &sets, NULL};
    const encl_launches launches = {
        .device = device, .launch = launch, .context = &s, .marked = true, .wall = options->wall};
    *trial = (encl_trial){0};
    ENCL_TRY(encl_check_inputs_make(row_of_linear(), &check, &inputs));
    memset(inputs.operands[2].host, 0, inputs.operands[2].words * 4); // no bias
    ENCL_TRY(encl_buffer_sets_create(device, &inputs, true, options->hot, &sets));
    const encl_library_product first = on_set(product, &sets.sets[0]);
    ENCL_TRY(encl_library_scratch(device, &first, &scratch_bytes));
    if (scratch_bytes > 0) {
        ENCL_TRY(encl_buffer_create(device, scratch_bytes, &s.scratch));
    }
    ENCL_TRY(encl_launches_try(&launches, &options->sampling, &inputs, &sets, trial));
cleanup:
    encl_buffer_release(s.scratch);
    encl_buffer_sets_free(&sets);
    encl_check_inputs_free(&inputs);
    if (status != ENCL_OK) {
        encl_trial_free(trial);
    }
    return status;
}

// ---- Its parameters ---------------------------------------------------------------------------------------

// The first launch compiles; then a few say how fast it is.
static encl_trial_options short_trial(const encl_sampling *sampling) {
    encl_trial_options options = {.sampling = *sampling, .marked = true};
    options.sampling.warm_count = 1;
    options.sampling.warm_ns = 0;
    options.sampling.warm_most_ns = 1;
    options.sampling.least_count = 1;
    options.sampling.least_ns = 0;
    options.sampling.most_ns = (int64_t)500 * 1000 * 1000;
    options.sampling.most_count = 5;
    return options;
}

static bool ends_tuning(encl_status status) {
    return status == ENCL_INTERRUPTED || status == ENCL_OUT_OF_MEMORY;
}

encl_status encl_product_tune(const encl_device *device, const encl_product *product, const encl_sampling *sampling,
                              double seconds, const char **best) {
    const encl_trial_options options = short_trial(sampling);
    const encl_library_tuning *tunings = NULL;
    const size_t count = encl_library_tunings(device, &tunings);
    const int64_t end = encl_clock_ns() + (int64_t)(seconds * 1e9);
    size_t fastest = count; // none yet
    size_t last = count;    // that was set
    double best_ns = 0;
    *best = NULL;
    for (size_t i = 0; i < count && (i == 0 || encl_clock_ns() < end); i++) {
        encl_trial trial = {0};
        encl_status status = encl_library_tune(device, &tunings[i]);
        last = i;
        status = status == ENCL_OK ? encl_product_run(device, product, &options, &trial) : status;
        if (ends_tuning(status)) {
            return status;
        }
        if (status != ENCL_OK) {
            encl_info("CLBlast with %s: %s", tunings[i].name, encl_status_detail());
        } else if (!trial.check.passed) {
            encl_warn("CLBlast with %s computes wrong numbers on %s (%s)", tunings[i].name,
                      encl_device_get_info(device)->name, trial.check.reason);
        } else if (fastest == count || trial.times.samples.statistics.p50 < best_ns) {
            fastest = i;
            best_ns = trial.times.samples.statistics.p50;
        }
        encl_trial_free(&trial);
    }
    if (fastest == count) {
        return ENCL_OK;
    }
    *best = tunings[fastest].text;
    return fastest != last ? encl_library_tune(device, &tunings[fastest]) : ENCL_OK;
}

// ---- The choice -------------------------------------------------------------------------------------------

encl_product_choice encl_product_choose(const encl_device *device, encl_gemm gemm, encl_same_bits same_bits,
                                        const encl_product *product) {
    const encl_check_case check = encl_product_case(product);
    encl_family family = ENCL_FAMILY_PLAIN;
    encl_product_choice choice = {0};
    (void)encl_family_parse(encl_device_family(device), &family);
    const bool keeps = encl_kernel_keeps_bits(same_bits, encl_device_get_info(device)->type);
    choice.library = encl_kernel_prefers_library(gemm, family, keeps);
    if (!choice.library) {
        const encl_kernel_row *rows[16];
        const uint32_t width = encl_device_get_info(device)->native_float_width;
        const size_t count = encl_kernel_choose_rows(ENCL_OP_LINEAR, &check.shape, family, width, NULL, keeps, rows,
                                                     sizeof rows / sizeof rows[0]);
        choice.row = count > 0 ? rows[encl_kernel_choose_height(rows, count, product->m)] : NULL;
    }
    return choice;
}
