// encl pack: a model as one file, ready for a device.
#include <inttypes.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/cli/session.h"

// null where nothing was looked for.
static cJSON *calibration_block(const encl_calibration *calibration) {
    encl_line block;
    if (calibration->tokens == 0) {
        return cJSON_CreateNull();
    }
    encl_line_start(&block);
    encl_line_number(&block, "tokens", (double)calibration->tokens);
    encl_line_measured(&block, "worst", calibration->worst);
    encl_line_measured(&block, "mean", calibration->mean);
    return encl_line_take(&block);
}

static encl_status print_json(const char *path, const encl_session *session, const encl_pack_report *report) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "path", path);
    encl_line_text(&line, "device", encl_device_get_info(session->device)->name);
    encl_line_precision(&line, &report->executable);
    encl_line_number(&line, "low_products", report->executable.low_products);
    encl_line_item(&line, "calibration", calibration_block(&session->precision.calibration));
    encl_line_number(&line, "weights", (double)report->weights);
    encl_line_number(&line, "weight_bytes", (double)report->weight_bytes);
    encl_line_number(&line, "file_bytes", (double)report->file_bytes);
    return encl_line_print(&line, stdout);
}

static encl_status print_people(const char *path, const encl_session *session, const encl_pack_report *report) {
    char bytes[ENCL_BYTES_TEXT];
    char precision[ENCL_PRECISION_TEXT];
    const encl_calibration *calibration = &session->precision.calibration;
    printf("%s: %zu weights in %s for %s, %s\n", path, report->weights,
           encl_precision_text(&report->executable, precision), encl_device_get_info(session->device)->name,
           encl_bytes_text(report->file_bytes, bytes));
    if (calibration->tokens > 0) {
        printf("cosine to float32 of %" PRId64 " tokens: %.5f in the mean, %.5f at worst\n", calibration->tokens,
               calibration->mean, calibration->worst);
    }
    return ENCL_OK; // the end of the program looks for errors of writing
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    encl_session session = {0};
    encl_pack_report report;
    const char *path = call->arguments[1];
    ENCL_TRY(encl_session_open(call->globals, call->arguments[0], &session));
    ENCL_TRY(
        encl_globals_calibrate(call->globals, session.model, session.device, &session.executable, &session.precision));
    ENCL_TRY(encl_model_pack(session.model, session.device, &session.executable, path, encl_interrupt_check, &report));
    status = call->globals->json ? print_json(path, &session, &report) : print_people(path, &session, &report);
cleanup:
    encl_session_close(&session);
    return status;
}

const encl_command encl_command_pack = {
    .name = "pack",
    .summary = "Write a model as one file for a device",
    .arguments = "MODEL FILE",
    .text = "Write a model's configuration, vocabulary and weights into one file, the weights in the layout and "
            "precision that the device computes with (--device, --precision). In a low precision some texts "
            "(--calibration) say which layers stay in fp32, unless --exact-layers does. Every command takes the file "
            "where it "
            "takes MODEL. It starts faster than the model's folder: CPU devices use the weights where they lie, and "
            "processes share them.\v"
            "Example:\n  encl pack ./bert-base-chinese bert-base-chinese.encl",
    .minimum = 2,
    .maximum = 2,
    .run = run,
};
