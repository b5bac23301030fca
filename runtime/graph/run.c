// Runs: uploads, launches and read-backs of one batch, all enqueued at once; the driver's thread says when it is over.
#include "runtime/base/clock.h"
#include "runtime/graph/executable.h"

// Adds a profile record of a command whose enqueuing began at begin_ns and has just ended, and takes over the command
// (and the marker before a library's call, else NULL).
static encl_status record(encl_event *run, const encl_profile_record *what, int64_t begin_ns, encl_command begin,
                          encl_command command) {
    const int64_t end_ns = encl_clock_raw_ns();
    encl_status status = ENCL_OK;
    ENCL_TRY(encl_reserve((void **)&run->records, &run->record_capacity, run->record_count + 1, sizeof *run->records));
    ENCL_TRY(
        encl_reserve((void **)&run->commands, &run->command_capacity, run->record_count + 1, sizeof(encl_command)));
    ENCL_TRY(encl_reserve((void **)&run->begins, &run->begin_capacity, run->record_count + 1, sizeof(encl_command)));
    run->records[run->record_count] = *what;
    run->records[run->record_count].enqueue_begin_ns = begin_ns;
    run->records[run->record_count].enqueue_end_ns = end_ns;
    run->commands[run->record_count] = command;
    run->begins[run->record_count] = begin;
    run->record_count++;
    return ENCL_OK;
cleanup:
    encl_command_release(command);
    encl_command_release(begin);
    return status;
}

// The host's time where somebody will ask for it.
static int64_t profile_clock(const encl_event *run) {
    return run->profiled ? encl_clock_raw_ns() : 0;
}

static encl_status upload_inputs(encl_executable *e, encl_slot *slot, encl_queue queue) {
    encl_status status = ENCL_OK;
    encl_event *run = &slot->event;
    for (int i = 0; i < ENCL_INPUTS; i++) {
        const size_t bytes = encl_input_words((encl_input)i, run->counts) * 4;
        encl_command command = NULL;
        if (!e->schedule->inputs[i] || bytes == 0) {
            continue;
        }
        const int64_t begin_ns = profile_clock(run);
        ENCL_TRY(
            encl_queue_write(queue, slot->inputs[i], 0, bytes, slot->host_inputs[i], run->profiled ? &command : NULL));
        if (run->profiled) {
            const encl_profile_record what = {
                .op = "upload", .kernel = "write", .why = "", .fused = "", .bytes = (double)bytes};
            ENCL_TRY(record(run, &what, begin_ns, NULL, command));
        }
    }
cleanup:
    return status;
}

static encl_buffer operand_buffer(const encl_executable *e, const encl_slot *slot, const encl_operand *operand) {
    switch (operand->kind) {
    case ENCL_OPERAND_TENSOR:
        return e->tensors[operand->index];
    case ENCL_OPERAND_WEIGHT:
        return e->weights[operand->index].parts[0].buffer;
    case ENCL_OPERAND_INPUT:
        return slot->inputs[operand->index];
    default:
        return NULL;
    }
}

// What a product does beside multiplying.
static const char *fused_into(const encl_step *step) {
    static const char *const names[][2] = {
        [ENCL_ACTIVATION_NONE] = {"bias", "bias+residual"},
        [ENCL_ACTIVATION_GELU] = {"bias+gelu", "bias+gelu+residual"},
        [ENCL_ACTIVATION_GELU_TANH] = {"bias+gelu_tanh", "bias+gelu_tanh+residual"},
        [ENCL_ACTIVATION_RELU] = {"bias+relu", "bias+relu+residual"},
        [ENCL_ACTIVATION_SILU] = {"bias+silu", "bias+silu+residual"},
        [ENCL_ACTIVATION_TANH] = {"bias+tanh", "bias+tanh+residual"},
    };
    const bool epilogue = (step->op == ENCL_OP_LINEAR && !step->library) || step->op == ENCL_OP_EPILOGUE;
    return epilogue ? names[step->shape.activation][step->shape.residual ? 1 : 0] : "";
}

static encl_profile_record describe(const encl_event *run, const encl_step *step, const encl_shape *shape,
                                    const char *kernel, const char *why) {
    encl_profile_record what = {.layer = step->layer,
                                .op = encl_operator_name(step->op),
                                .kernel = kernel,
                                .why = why,
                                .fused = fused_into(step),
                                .rows = shape->rows - shape->first_row,
                                .columns = shape->columns,
                                .depth = shape->depth,
                                .precision = shape->precision};
    encl_operator_work work = {.tokens = (int32_t)run->counts[ENCL_COUNT_TOKENS]};
    if (step->op == ENCL_OP_ATTENTION) {
        work.pairs = run->keys[step->count - ENCL_COUNT_BLOCKS_ALL];
        what.columns = shape->heads * shape->head_size;
        what.rows = (int32_t)run->counts[step->count == ENCL_COUNT_BLOCKS_ALL     ? ENCL_COUNT_TOKENS
                                         : step->count == ENCL_COUNT_BLOCKS_FIRST ? ENCL_COUNT_SEQUENCES
                                                                                  : ENCL_COUNT_SELECTED];
        work.queries = what.rows;
    }
    encl_operator_cost(step->op, shape, &work, &what.flops, &what.bytes);
    return what;
}

// index: of the kernel row in the step's.
static encl_status launch(const encl_executable *e, encl_event *run, encl_queue queue, const encl_step *step,
                          size_t index, const encl_shape *shape, const encl_buffer *buffers) {
    encl_status status = ENCL_OK;
    const encl_kernel_row *row = step->rows[index];
    const encl_kernel *kernel = encl_kernels_find(&e->kernels, row, &step->shape);
    encl_command command = NULL;
    const int64_t begin_ns = profile_clock(run);
    ENCL_TRY(encl_kernel_enqueue(kernel, queue, shape, buffers, run->profiled ? &command : NULL));
    if (command != NULL) {
        const encl_profile_record what = describe(run, step, shape, row->name, step->why[index]);
        ENCL_TRY(record(run, &what, begin_ns, NULL, command));
    }
cleanup:
    return status;
}

static encl_status run_linear(const encl_executable *e, encl_event *run, encl_queue queue, const encl_step *step,
                              int32_t rows, encl_buffer *buffers) {
    encl_status status = ENCL_OK;
    const encl_device_weight *weight = &e->weights[step->operands[1].index];
    const size_t row = encl_kernel_choose_height(step->rows, step->row_count, rows);
    for (size_t part = 0; part < weight->part_count; part++) {
        encl_shape shape = step->shape;
        buffers[1] = weight->parts[part].buffer;
        shape.rows = rows;
        shape.columns = (int32_t)weight->parts[part].rows;
        shape.first_column = (int32_t)weight->parts[part].first_row;
        ENCL_TRY(launch(e, run, queue, step, row, &shape, buffers));
    }
cleanup:
    return status;
}

// CLBlast's own event covers only its last kernel: markers before and after are what the profile reads.
static encl_status run_library(const encl_executable *e, encl_event *run, encl_queue queue, const encl_step *step,
                               int32_t rows) {
    encl_status status = ENCL_OK;
    for (size_t part = 0; part < e->weights[step->operands[1].index].part_count; part++) {
        const encl_library_product product = encl_step_product(e, step, part, (size_t)rows);
        encl_command begin = NULL;
        encl_command end = NULL;
        const int64_t begin_ns = profile_clock(run);
        if (run->profiled) {
            ENCL_TRY(encl_queue_mark(queue, &begin));
        }
        status = encl_library_enqueue(queue, &product, e->scratch);
        if (status == ENCL_OK && run->profiled) {
            encl_shape shape = step->shape;
            shape.rows = rows;
            shape.columns = (int32_t)product.columns;
            const encl_profile_record what = describe(run, step, &shape, "clblast", step->why[0]);
            status = encl_queue_mark(queue, &end);
            if (status == ENCL_OK) {
                status = record(run, &what, begin_ns, begin, end);
                begin = NULL;
            }
        }
        encl_command_release(begin);
        ENCL_TRY(status);
    }
cleanup:
    return status;
}

static encl_status run_step(const encl_executable *e, encl_slot *slot, encl_queue queue, const encl_step *step) {
    encl_status status = ENCL_OK;
    encl_event *run = &slot->event;
    encl_shape shape = step->shape;
    encl_buffer buffers[ENCL_OPERATOR_BUFFERS];
    shape.rows = (int32_t)run->counts[step->count];
    if (shape.rows == 0) {
        return ENCL_OK;
    }
    if (step->library) {
        return run_library(e, run, queue, step, shape.rows);
    }
    for (size_t i = 0; i < encl_operator_buffers(step->op); i++) {
        buffers[i] = operand_buffer(e, slot, &step->operands[i]);
    }
    if (step->op == ENCL_OP_LINEAR) {
        return run_linear(e, run, queue, step, shape.rows, buffers);
    }
    if (step->op == ENCL_OP_EMBED) {
        const encl_device_weight *word = &e->weights[step->operands[0].index];
        shape.part_rows = (int32_t)word->part_rows;
        for (size_t i = 0; i < ENCL_WORD_PARTS; i++) {
            buffers[i] = word->parts[i < word->part_count ? i : 0].buffer;
        }
    }
    ENCL_TRY(launch(e, run, queue, step, 0, &shape, buffers));
cleanup:
    return status;
}

// The run is over with its last read-back, or with a marker where nothing is read.
static encl_status download_outputs(encl_executable *e, encl_slot *slot, encl_queue queue) {
    encl_status status = ENCL_OK;
    encl_event *run = &slot->event;
    for (size_t i = 0; i < e->schedule->output_count; i++) {
        const size_t rows = (size_t)run->counts[e->schedule->outputs[i].count];
        const size_t bytes = rows * (size_t)e->schedule->outputs[i].width * sizeof(float);
        encl_command command = NULL;
        if (bytes == 0) {
            continue;
        }
        const int64_t begin_ns = profile_clock(run);
        ENCL_TRY(
            encl_queue_read(queue, e->tensors[e->schedule->outputs[i].tensor], 0, bytes, slot->outputs[i], &command));
        if (run->profiled) {
            const encl_profile_record what = {.layer = INT32_MAX,
                                              .op = "download",
                                              .kernel = "read",
                                              .why = "",
                                              .fused = "",
                                              .rows = (int32_t)rows,
                                              .columns = e->schedule->outputs[i].width,
                                              .bytes = (double)bytes};
            ENCL_TRY(record(run, &what, begin_ns, NULL, command));
        } else {
            encl_command_release(run->last);
            run->last = command;
        }
    }
    if (run->last == NULL) {
        ENCL_TRY(encl_queue_mark(queue, &run->last));
    }
cleanup:
    return status;
}

static void driver_says_over(void *context, encl_status status) {
    encl_event_finish(context, status, status == ENCL_OK ? "" : encl_status_detail());
}

// Reads the commands' times and tells the run to whoever asked for all of them.
static encl_status read_profile(const encl_executable *e, encl_event *run) {
    encl_status status = ENCL_OK;
    for (size_t i = 0; i < run->record_count; i++) {
        encl_profile_record *r = &run->records[i];
        int64_t times[4];
        ENCL_TRY(encl_command_times(run->commands[i], times));
        const int64_t end = times[3];
        if (run->begins[i] != NULL) {
            // A library's call begins where the marker before it ended.
            ENCL_TRY(encl_command_times(run->begins[i], times));
            times[2] = times[3];
        }
        r->queued_ns = times[0];
        r->submit_ns = times[1];
        r->start_ns = times[2];
        r->end_ns = end;
    }
    run->profile.records = run->records;
    run->profile.count = run->record_count;
    if (e->on_profile != NULL) {
        ENCL_TRY(e->on_profile(e->on_profile_context, e, &run->profile));
    }
cleanup:
    return status;
}

static encl_status enqueue(encl_executable *e, encl_slot *slot, encl_queue queue) {
    encl_status status = ENCL_OK;
    ENCL_TRY(upload_inputs(e, slot, queue));
    for (size_t i = 0; i < e->schedule->step_count; i++) {
        ENCL_TRY(run_step(e, slot, queue, &e->schedule->steps[i]));
    }
    ENCL_TRY(download_outputs(e, slot, queue));
cleanup:
    return status;
}

static encl_slot *free_slot(encl_executable *e) {
    for (int32_t i = 0; i < e->depth; i++) {
        if (!e->slots[i].event.taken) {
            return &e->slots[i];
        }
    }
    return NULL;
}

// A profiled run is on another queue than the runs in flight, whose activations it shares. Their last commands are
// waited for one by one, because clFinish of Mesa 22's rusticl does not wait for commands that clFlush has handed over.
static void wait_others(const encl_executable *e) {
    for (int32_t i = 0; i < e->depth; i++) {
        if (e->slots[i].event.taken && e->slots[i].event.last != NULL) {
            // Its failure is its own event's to tell.
            encl_command_drain(e->slots[i].event.last);
        }
    }
}

encl_status encl_executable_run(encl_executable *e, const encl_batch *batch, bool profile, encl_event **event) {
    encl_status status = ENCL_OK;
    const int64_t start = encl_clock_raw_ns();
    profile = profile || e->on_profile != NULL;
    const encl_queue queue = profile ? encl_device_profile_queue(e->device) : encl_device_queue(e->device);
    *event = NULL;
    encl_slot *slot = free_slot(e);
    if (slot == NULL) {
        return encl_fail(ENCL_BUSY, "%d runs are in flight; release an event first", (int)e->depth);
    }
    encl_event *run = &slot->event;
    run->over = false;
    run->told = false;
    run->status = ENCL_OK;
    run->on_done = NULL;
    run->profiled = profile;
    run->record_count = 0;
    ENCL_TRY(encl_inputs_fill(e, slot, batch));
    if (profile) {
        wait_others(e);
    }
    status = enqueue(e, slot, queue);
    if (status != ENCL_OK) {
        // What was enqueued still reads the slot's memory.
        (void)encl_queue_drain(queue);
        encl_event_drop_commands(run);
        goto cleanup;
    }
    run->taken = true;
    if (profile) {
        ENCL_TRY(encl_queue_finish(queue));
        run->profile = (encl_run_profile){.begin_ns = start,
                                          .end_ns = encl_clock_raw_ns(),
                                          .tokens = batch->tokens,
                                          .sequences = batch->sequences,
                                          .selected = batch->selected};
        ENCL_TRY(read_profile(e, run));
        encl_event_finish(run, ENCL_OK, "");
    } else {
        // Before the flush, because Oclgrind never calls back for a command that is over. From here on the driver uses
        // the slot, so a flush that fails cannot take the run back: the wait hands the commands over instead.
        ENCL_TRY(encl_command_notify(run->last, driver_says_over, run, &run->notice));
        status = encl_queue_flush(queue);
        if (status != ENCL_OK && !encl_queue_drain(queue) && encl_notice_cancel(run->notice)) {
            encl_event_finish(run, status, encl_status_detail());
        }
        status = ENCL_OK;
    }
    *event = run;
cleanup:
    if (status != ENCL_OK && run->taken) {
        (void)encl_queue_drain(queue);
        encl_event_drop_commands(run);
        run->taken = false;
    }
    return status;
}
