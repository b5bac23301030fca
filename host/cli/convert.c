// encl convert: a model as a folder that Hugging Face transformers reads.
#include <inttypes.h>

#include "host/cli/interrupt.h"
#include "host/cli/options.h"
#include "host/cli/output.h"
#include "host/model/export.h"
#include "runtime/base/log.h"
#include "runtime/base/output_folder.h"

static encl_status print_json(const char *path, const encl_export *report) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "path", path);
    encl_line_text(&line, "architecture", report->architecture);
    encl_line_texts(&line, "files", (const char *const *)report->files.texts, report->files.count);
    encl_line_number(&line, "tensors", (double)report->tensors);
    encl_line_number(&line, "bytes", (double)report->bytes);
    encl_line_texts(&line, "left_out", (const char *const *)report->left_out.texts, report->left_out.count);
    return encl_line_print(&line, stdout);
}

static encl_status print_people(const char *path, const encl_export *report) {
    char bytes[ENCL_BYTES_TEXT];
    printf("%s: %s, %zu tensors, %s\n", path, report->architecture, report->tensors,
           encl_bytes_text((uint64_t)report->bytes, bytes));
    for (size_t i = 0; i < report->files.count; i++) {
        printf("  %s\n", report->files.texts[i]);
    }
    return ENCL_OK; // the end of the program looks for errors of writing
}

static void warn_left_out(const char *path, const encl_export *report) {
    if (report->left_out.count > 0) {
        encl_warn("%s: %zu tensors that nothing reads were left out, the first is %s", path, report->left_out.count,
                  report->left_out.texts[0]);
    }
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    const char *source = call->arguments[0];
    const char *target = call->arguments[1];
    encl_model *model = NULL;
    encl_output_folder folder = {0};
    encl_export report = {0};
    ENCL_TRY(encl_model_open(source, &model));
    ENCL_TRY(encl_output_folder_open(target, &folder));
    ENCL_TRY(encl_model_export(model, folder.temporary, encl_interrupt_check, &report));
    ENCL_TRY(encl_interrupt_check());
    ENCL_TRY(encl_output_folder_commit(&folder));
    warn_left_out(source, &report);
    status = call->globals->json ? print_json(target, &report) : print_people(target, &report);
cleanup:
    encl_export_free(&report);
    encl_output_folder_abandon(&folder);
    encl_model_close(model);
    return status;
}

const encl_command encl_command_convert = {
    .name = "convert",
    .summary = "Write a model as Hugging Face has it",
    .arguments = "MODEL FOLDER",
    .text = "Write a model of any supported format into a new folder, as Hugging Face transformers reads it: "
            "model.safetensors, config.json, the tokenizer's files. Nothing is rounded.\v"
            "Example:\n  encl convert ./chinese_L-12_H-768_A-12 ./bert-base-chinese",
    .minimum = 2,
    .maximum = 2,
    .run = run,
};
