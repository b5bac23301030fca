// encl bench kernels: every kernel that the device can run, on the shapes of a file.
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench/session.h"
#include "host/cli/bench/shapes.h"
#include "host/cli/options.h"
#include "runtime/base/memory.h"

enum { KEY_OP = ENCL_BENCH_KEYS_END, KEY_KERNEL, KEY_SHAPES };
static const char default_shapes[] = "base";

typedef struct settings {
    encl_bench_options bench;
    const char *op, *kernel; // NULL: all
    const char *shapes;
} settings;

static const struct argp_option options[] = {
    {"op", KEY_OP, "NAME", 0, "Only this operator: linear, attention, …; '?' lists all", 0},
    {"kernel", KEY_KERNEL, "NAME", 0, "Only this kernel, also one of another family than the device's; '?' lists all",
     0},
    {"shapes", KEY_SHAPES, "NAME|FILE", 0, "The shapes: base (default), large, minilm, or a file of your own", 0},
    ENCL_BENCH_OPTION_HOT,
    ENCL_BENCH_OPTIONS,
    {0},
};

static encl_status check_operator(const char *name) {
    encl_string list = {0};
    encl_status status = ENCL_OK;
    for (int i = 0; i < ENCL_OPERATOR_COUNT; i++) {
        if (strcmp(encl_operator_name((encl_operator)i), name) == 0) {
            goto cleanup;
        }
        ENCL_TRY(encl_string_list(&list, encl_operator_name((encl_operator)i)));
    }
    status = encl_fail(ENCL_INVALID, "--op: found '%s', expected one of %s", name, list.text);
cleanup:
    encl_string_free(&list);
    return status;
}

static encl_status check_kernel(const char *name) {
    encl_string list = {0};
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < encl_kernel_row_count; i++) {
        if (strcmp(encl_kernel_rows[i].name, name) == 0) {
            goto cleanup;
        }
        ENCL_TRY(encl_string_list(&list, encl_kernel_rows[i].name));
    }
    status = encl_fail(ENCL_INVALID, "--kernel: found '%s', expected one of %s", name, list.text);
cleanup:
    encl_string_free(&list);
    return status;
}

static encl_status take_option(void *taken, int key, const char *value) {
    settings *chosen = taken;
    switch (key) {
    case KEY_OP:
        chosen->op = value;
        return check_operator(value);
    case KEY_KERNEL:
        chosen->kernel = value;
        return check_kernel(value);
    case KEY_SHAPES:
        chosen->shapes = value;
        return ENCL_OK;
    default:
        return encl_bench_option(&chosen->bench, key, value);
    }
}

static encl_status check(const encl_call *call) {
    const settings *chosen = call->settings;
    return encl_bench_options_check(&chosen->bench);
}

// ---- Cases ------------------------------------------------------------------------------------------------

// A row of the table to come.
typedef struct trial_case {
    size_t device;
    const encl_bench_shape *shape;
    const encl_kernel_row *row;
} trial_case;

typedef struct trial_cases {
    trial_case *cases;
    size_t count, capacity;
} trial_cases;

static bool is_wanted(const settings *chosen, const encl_kernel_row *row, const encl_bench_shape *shape,
                      encl_family family) {
    if (row->op != shape->op || (chosen->op != NULL && strcmp(chosen->op, encl_operator_name(row->op)) != 0)) {
        return false;
    }
    return chosen->kernel != NULL ? strcmp(chosen->kernel, row->name) == 0
                                  : row->family == family || row->family == ENCL_FAMILY_PLAIN;
}

static encl_status list_cases(const settings *chosen, const encl_bench_session *session,
                              const encl_bench_shapes *shapes, trial_cases *list) {
    encl_status status = ENCL_OK;
    for (size_t d = 0; d < session->device_count; d++) {
        for (size_t s = 0; s < shapes->count; s++) {
            for (size_t i = 0; i < encl_kernel_row_count; i++) {
                const encl_kernel_row *row = &encl_kernel_rows[i];
                if (is_wanted(chosen, row, &shapes->shapes[s], session->families[d]) &&
                    (chosen->kernel != NULL || encl_kernel_is_possible(row, session->devices[d]))) {
                    ENCL_TRY(
                        encl_reserve((void **)&list->cases, &list->capacity, list->count + 1, sizeof *list->cases));
                    list->cases[list->count++] = (trial_case){d, &shapes->shapes[s], row};
                }
            }
        }
    }
    if (list->count == 0) {
        status = encl_fail(ENCL_INVALID, "%s: found no case of %s %s, expected one",
                           chosen->shapes != NULL ? chosen->shapes : default_shapes,
                           chosen->kernel != NULL ? "the kernel" : "the operator",
                           chosen->kernel != NULL ? chosen->kernel : chosen->op);
    }
cleanup:
    return status;
}

// What the runtime would take for the shape, unless the library makes the product.
static bool is_picked(const encl_bench_session *session, const trial_case *c) {
    const encl_globals *globals = session->call->globals;
    encl_shape shape = c->shape->check.shape;
    const encl_family family = session->families[c->device];
    const encl_device_info *info = encl_device_get_info(session->devices[c->device]);
    const bool keeps = encl_kernel_keeps_bits(globals->same_bits, info->type);
    const encl_kernel_row *rows[16];
    bool impossible[ENCL_KERNEL_ROWS_MOST] = {false};
    encl_kernel_mark_impossible(session->devices[c->device], impossible);
    encl_kernel_take_format(c->row, &shape);
    if (c->row->op == ENCL_OP_LINEAR && shape.precision == ENCL_PRECISION_FP32 &&
        encl_kernel_prefers_library(globals->gemm, family, keeps)) {
        return false;
    }
    const size_t count = encl_kernel_choose_rows(c->row->op, &shape, family, info->native_float_width, impossible,
                                                 keeps, rows, sizeof rows / sizeof rows[0]);
    return count > 0 && rows[encl_kernel_choose_height(rows, count, shape.rows)] == c->row;
}

// ---- One case ---------------------------------------------------------------------------------------------

static void write_launch(encl_bench *bench, const encl_trial *trial) {
    char text[64];
    snprintf(text, sizeof text, "%zux%zu", trial->launch.local[0], trial->launch.local[1]);
    encl_bench_text(bench, "lws", text);
    snprintf(text, sizeof text, "%zux%zu", trial->launch.global[0], trial->launch.global[1]);
    encl_bench_text(bench, "gws", text);
    encl_bench_number(bench, "lmem_bytes", (double)trial->local_bytes);
    encl_bench_number(bench, "pmem_bytes", (double)trial->private_bytes);
}

static encl_status measure(encl_bench_session *session, const trial_case *c) {
    const encl_device *device = session->devices[c->device];
    const encl_trial_options how = {.sampling = encl_bench_sampling(session->options), .hot = session->options->hot};
    encl_trial trial;
    const encl_status status = encl_trial_run(device, c->row, &c->shape->check, &how, &trial);
    if (status == ENCL_OK) {
        encl_bench_trial(session, c->device, &trial);
        write_launch(session->bench, &trial);
    }
    encl_trial_free(&trial);
    return status;
}

static encl_status run_case(encl_bench_session *session, const trial_case *c, size_t place) {
    encl_status status = ENCL_OK;
    encl_string id = {0};
    ENCL_TRY(encl_string_format(&id, "%s %s%s", c->row->name, c->shape->text, session->options->hot ? " hot" : ""));
    ENCL_TRY(encl_bench_row(session->bench, session->devices[c->device], id.text));
    encl_bench_place(session->bench, place);
    encl_bench_text(session->bench, "op", encl_operator_name(c->row->op));
    encl_bench_text(session->bench, "kernel", c->row->name);
    encl_bench_text(session->bench, "variant", c->row->options);
    encl_bench_text(session->bench, "family", encl_family_name(c->row->family));
    encl_bench_text(session->bench, "dtype", encl_bench_dtype(c->row->format.precision));
    encl_bench_text(session->bench, "shape", c->shape->text);
    encl_bench_text(session->bench, "picked", is_picked(session, c) ? "yes" : "no");
    ENCL_TRY(encl_bench_session_row_end(session, measure(session, c)));
cleanup:
    encl_string_free(&id);
    return status;
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    const settings *chosen = call->settings;
    encl_bench_session session = {0};
    encl_bench_shapes shapes = {0};
    trial_cases list = {0};
    size_t *order = NULL;
    ENCL_TRY(encl_bench_shapes_read(chosen->shapes != NULL ? chosen->shapes : default_shapes, &shapes));
    ENCL_TRY(encl_bench_session_open(&chosen->bench, call, ENCL_BENCH_KERNELS, &session));
    status = list_cases(chosen, &session, &shapes, &list);
    status = status == ENCL_OK ? encl_bench_order(list.count, encl_bench_seed(&chosen->bench), &order) : status;
    encl_bench_expect(session.bench, list.count);
    for (size_t i = 0; i < list.count && status == ENCL_OK; i++) {
        status = run_case(&session, &list.cases[order[i]], order[i]);
    }
    status = encl_bench_session_close(&session, status);
cleanup:
    encl_bench_shapes_free(&shapes);
    free(list.cases);
    free(order);
    return status;
}

const encl_command encl_command_bench_kernels = {
    .name = "bench kernels",
    .summary = "Time every kernel, and check what it computes",
    .arguments = "",
    .text = "Time every kernel that the device can run on the shapes of a file, and hold what it wrote while it was "
            "timed against the reference. Exits with 1 where a kernel is wrong."
            "\vExample:\n  encl bench kernels --op linear",
    .options = options,
    .settings_bytes = sizeof(settings),
    .option = take_option,
    .check = check,
    .run = run,
};
