// encl doctor: does encl work here, and if not, why not?
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/cli/doctor/doctor.h"
#include "host/cli/options.h"
#include "runtime/base/folder.h"

enum {
    KEY_REPORT = 0x2000,
    KEY_QUICK,
    KEY_TIMEOUT,
    KEY_CHILD,
    DEFAULT_TIMEOUT_S = 120,
    MOST_CRASHES = 4, // of one device's checks, before it is given up
};

// ---- Findings ---------------------------------------------------------------------------------------------

static const char *const health_names[ENCL_HEALTH_COUNT] = {"pass", "note", "warning", "fail", "skipped"};

const char *encl_health_name(encl_health health) {
    return health_names[health];
}

encl_finding encl_finding_of(const char *name, int32_t device, encl_health verdict, const char *detail,
                             const char *hint) {
    return (encl_finding){.name = name,
                          .device = device,
                          .verdict = verdict,
                          .error = NAN,
                          .tolerance = NAN,
                          .time_us = NAN,
                          .detail = detail,
                          .hint = hint};
}

cJSON *encl_finding_json(const encl_finding *f) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "name", f->name);
    if (f->device == ENCL_DOCTOR_SYSTEM) {
        encl_line_text(&line, "device", NULL);
    } else {
        encl_line_number(&line, "device", f->device);
    }
    encl_line_text(&line, "verdict", health_names[f->verdict]);
    encl_line_measured(&line, "error", f->error);
    encl_line_measured(&line, "tolerance", f->tolerance);
    encl_line_measured(&line, "time_us", rint(f->time_us));
    encl_line_text(&line, "detail", f->detail != NULL ? f->detail : "");
    encl_line_text(&line, "hint", f->hint);
    encl_line_bool(&line, "essential", f->essential);
    return encl_line_take(&line);
}

encl_status encl_doctor_take(encl_doctor *doctor, cJSON *finding) {
    if (finding == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a finding");
    }
    const encl_status status = encl_private_json(finding->child);
    if (status != ENCL_OK) {
        cJSON_Delete(finding);
        return status;
    }
    return encl_array_add(doctor->findings, finding) ? ENCL_OK
                                                     : encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a finding");
}

encl_status encl_doctor_add(encl_doctor *doctor, const encl_finding *finding) {
    return encl_doctor_take(doctor, encl_finding_json(finding));
}

static int32_t device_of(const cJSON *finding) {
    const cJSON *device = cJSON_GetObjectItemCaseSensitive(finding, "device");
    return cJSON_IsNumber(device) ? device->valueint : ENCL_DOCTOR_SYSTEM;
}

static bool has_verdict(const cJSON *finding, encl_health verdict) {
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(finding, "verdict");
    return cJSON_IsString(name) && strcmp(name->valuestring, health_names[verdict]) == 0;
}

size_t encl_doctor_count(const encl_doctor *doctor, int32_t device, encl_health verdict) {
    size_t count = 0;
    const cJSON *finding = NULL;
    cJSON_ArrayForEach(finding, doctor->findings) {
        const bool counts = device < ENCL_DOCTOR_SYSTEM || device_of(finding) == device;
        count += counts && has_verdict(finding, verdict) ? 1 : 0;
    }
    return count;
}

bool encl_doctor_is_unfit(const encl_doctor *doctor, int32_t device) {
    const cJSON *finding = NULL;
    cJSON_ArrayForEach(finding, doctor->findings) {
        if (device_of(finding) == device && has_verdict(finding, ENCL_HEALTH_FAIL) &&
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(finding, "essential"))) {
            return true;
        }
    }
    return false;
}

// ---- What children say ------------------------------------------------------------------------------------

// A line is a finding, a device, or why the child could not go on.
static encl_status take_line(void *context, cJSON *line) {
    encl_doctor *doctor = context;
    encl_status status = ENCL_OK;
    const char *failed = NULL;
    cJSON *finding = cJSON_DetachItemFromObjectCaseSensitive(line, "finding");
    cJSON *device = cJSON_DetachItemFromObjectCaseSensitive(line, "device");
    if (finding != NULL) {
        status = encl_doctor_take(doctor, finding);
    } else if (device != NULL) {
        status = encl_private_json(device->child);
        if (status != ENCL_OK) {
            cJSON_Delete(device);
        } else if (!encl_array_add(doctor->devices, device)) {
            status = encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a device");
        }
    } else if (encl_json_get_text("child process", line, "failed", &failed) == ENCL_OK && failed != NULL) {
        status = encl_fail(ENCL_NOT_FOUND, "%s", failed);
    }
    cJSON_Delete(line);
    return status;
}

// A child that ended otherwise than well becomes a finding about the check that it was at.
static encl_status add_end(encl_doctor *doctor, int32_t device, const encl_doctor_child_end *end, bool essential) {
    char *detail = NULL;
    encl_status status = encl_doctor_child_end_text(end, doctor->settings->timeout_s, &detail);
    if (status != ENCL_OK) {
        return status;
    }
    encl_finding finding = encl_finding_of(
        end->over                 ? "exit"
        : end->current[0] != '\0' ? end->current
                                  : "start",
        device, end->over ? ENCL_HEALTH_WARNING : ENCL_HEALTH_FAIL, detail,
        end->over ? "results are right, but programs end with an error: update the driver"
                  : "the driver ends the program, and nothing can be done about it from within: update it, or choose "
                    "another device with --device; attach `encl doctor --report FILE' to a bug report");
    finding.essential = essential && !end->over;
    status = encl_doctor_add(doctor, &finding);
    free(detail);
    return status;
}

static bool ended_well(const encl_doctor_child_end *end) {
    return end->over && !end->timed_out && end->signal == 0 && end->exit_code == 0;
}

static encl_status list_devices(encl_doctor *doctor) {
    encl_doctor_child_end end;
    encl_status status = encl_doctor_child_run(doctor, "devices", doctor->vendors, take_line, doctor, &end);
    if (status == ENCL_OK && !ended_well(&end)) {
        status = add_end(doctor, ENCL_DOCTOR_SYSTEM, &end, true);
    }
    return status;
}

// ---- A device ---------------------------------------------------------------------------------------------

static double number_in(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool is_true(const cJSON *object, const char *key) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

// Bytes of a model's weights in float32 on the device.
static double weights_of(const encl_model_shape *s) {
    const double hidden = s->hidden;
    const double layer = 4 * hidden * hidden + 2 * hidden * s->intermediate + 9 * hidden + s->intermediate;
    const double tables = ((double)s->vocabulary + s->max_position + s->type_vocabulary) * hidden;
    return 4 * (tables + s->layers * layer + hidden * hidden);
}

// Which of the usual sizes fit. Weights and activations may take half of the device's memory.
static encl_status look_at_memory(encl_doctor *doctor, const cJSON *device) {
    static const char *const sizes[] = {"minilm", "base", "large"};
    encl_status status = ENCL_OK;
    char total[ENCL_BYTES_TEXT];
    char allocation[ENCL_BYTES_TEXT];
    encl_string detail = {0};
    encl_string fitting = {0};
    size_t shape_count = 0;
    size_t fit = 0;
    const encl_model_shape *shapes = encl_model_shapes(&shape_count);
    double memory = number_in(device, "global_mem_bytes");
    const double host = number_in(doctor->system, "memory_available_bytes");
    const bool shared = is_true(device, "unified_memory") && host > 0;
    memory = shared && host < memory ? host : memory;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < shape_count; j++) {
            if (strcmp(shapes[j].name, sizes[i]) == 0 && weights_of(&shapes[j]) <= memory / 2) {
                ENCL_TRY(encl_string_list(&fitting, sizes[i]));
                fit++;
            }
        }
    }
    ENCL_TRY(encl_string_format(&detail, "%s, at most %s at once%s; room for models of the size %s",
                                encl_bytes_text((uint64_t)number_in(device, "global_mem_bytes"), total),
                                encl_bytes_text((uint64_t)number_in(device, "max_alloc_bytes"), allocation),
                                shared ? ", shared with the host" : "",
                                fit > 0 ? fitting.text : "of none of the usual"));
    const encl_finding finding = encl_finding_of(
        "memory", (int32_t)number_in(device, "index"), fit > 1 ? ENCL_HEALTH_PASS : ENCL_HEALTH_WARNING, detail.text,
        fit > 1 ? NULL : "base models need 800 MiB: end other programs that use this memory");
    ENCL_TRY(encl_doctor_add(doctor, &finding));
cleanup:
    encl_string_free(&detail);
    encl_string_free(&fitting);
    return status;
}

static encl_status skip_device(encl_doctor *doctor, const cJSON *device) {
    const encl_finding finding =
        encl_finding_of("open", (int32_t)number_in(device, "index"), ENCL_HEALTH_SKIPPED,
                        "the driver says that it is not available, has no compiler or is older than OpenCL 1.2",
                        "encl needs OpenCL 1.2 with a compiler: look for a newer driver of this device");
    return encl_doctor_add(doctor, &finding);
}

// A model that comes to such a kernel crashes likewise: only wrong numbers can be passed over.
static bool is_needed(const char *check) {
    return !encl_text_begins(check, "product ") && strcmp(check, "timer") != 0;
}

// Its checks in a child; where one ends the child, the next child begins behind it.
static encl_status look_at_device(encl_doctor *doctor, const cJSON *device) {
    encl_status status = ENCL_OK;
    const int32_t index = (int32_t)number_in(device, "index");
    char task[64];
    int32_t from = 0;
    ENCL_TRY(encl_doctor_known(doctor, device));
    ENCL_TRY(look_at_memory(doctor, device));
    for (size_t crashes = 0; from >= 0; crashes++) {
        encl_doctor_child_end end;
        snprintf(task, sizeof task, "device:%d:%d", index, from);
        ENCL_TRY(encl_doctor_child_run(doctor, task, doctor->vendors, take_line, doctor, &end));
        from = -1;
        if (!ended_well(&end)) {
            const bool goes_on = !end.over && end.number >= 0 && crashes + 1 < MOST_CRASHES;
            ENCL_TRY(add_end(doctor, index, &end, !goes_on || is_needed(end.current)));
            from = goes_on ? end.number + 1 : -1;
        }
    }
cleanup:
    return status;
}

// ---- The command ------------------------------------------------------------------------------------------

static const struct argp_option options[] = {
    {"report", KEY_REPORT, "FILE", 0, "Also write a report for a bug tracker (.json, .md, .txt), with nothing private",
     0},
    {"quick", KEY_QUICK, NULL, 0, "Leave out large cases, and CLBlast on CPUs", 0},
    {"timeout", KEY_TIMEOUT, "N", 0, "Give a driver up that is silent for N seconds (default 120)", 0},
    {"child", KEY_CHILD, "TASK", OPTION_HIDDEN, NULL, 0},
    {0},
};

static encl_status option(void *settings, int key, const char *value) {
    encl_doctor_settings *s = settings;
    switch (key) {
    case KEY_REPORT:
        s->report = value;
        if (!encl_path_ends(value, ".json") && !encl_path_ends(value, ".md") && !encl_path_ends(value, ".txt")) {
            return encl_fail(ENCL_INVALID, "--report: found '%s', expected a name that ends in .json, .md or .txt",
                             value);
        }
        return ENCL_OK;
    case KEY_TIMEOUT:
        return encl_option_integer("--timeout", value, 1, 86400, &s->timeout_s);
    case KEY_CHILD:
        s->child = value;
        return ENCL_OK;
    default:
        s->quick = true;
        return ENCL_OK;
    }
}

// The pipe to the parent, which was standard output. That goes where the error goes from now on, with all that drivers
// say. NULL: the parent is not encl, or is no more.
static FILE *take_pipe(const char *child, char **task) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool ours = strtol(child, task, 10) == (long)getppid() && **task == '/'; // child.c
    const int pipe = ours ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    *task += ours ? 1 : 0;
    return pipe >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 ? fdopen(pipe, "w") : NULL;
}

static encl_status run_child(const encl_call *call) {
    const encl_doctor_settings *settings = call->settings;
    char *task = NULL;
    int index = 0;
    int from = 0;
    FILE *pipe = take_pipe(settings->child, &task);
    encl_status status = ENCL_OK;
    if (pipe == NULL) {
        return encl_fail(ENCL_INVALID, "--child is for encl itself");
    }
    if (encl_text_begins(task, "driver:")) {
        status = encl_doctor_child_driver(pipe, task + strlen("driver:"));
    } else if (strcmp(task, "devices") == 0) {
        status = encl_doctor_child_devices(pipe, call->globals);
    } else if (sscanf(task, "device:%d:%d", &index, &from) == 2 && from >= 0) { // NOLINT(cert-err34-c): our own text
        status = encl_doctor_child_device(pipe, index, (size_t)from, settings->quick);
    } else {
        status = encl_fail(ENCL_INVALID, "--child is for encl itself");
    }
    if (status != ENCL_OK) {
        encl_line line;
        encl_line_start(&line);
        encl_line_text(&line, "failed", encl_status_detail());
        const encl_status told = encl_line_print(&line, pipe);
        status = told == ENCL_OK && fflush(pipe) == 0 ? ENCL_OK : status;
    }
    return status; // the pipe stays open until the process is gone: its end says so
}

// Findings are shown group by group as they come in.
static encl_status show_group(encl_doctor *doctor, int32_t device) {
    encl_status status = ENCL_OK;
    if (!doctor->globals->json) {
        encl_progress_finish(&doctor->progress);
        status = encl_doctor_print_group(doctor, device, stdout);
        fflush(stdout);
        encl_progress_start(&doctor->progress, "checking", "checks", 0);
    }
    return status;
}

static encl_status examine(encl_doctor *doctor) {
    encl_status status = ENCL_OK;
    const cJSON *device = NULL;
    ENCL_TRY(encl_doctor_system(doctor));
    ENCL_TRY(list_devices(doctor));
    ENCL_TRY(show_group(doctor, ENCL_DOCTOR_SYSTEM));
    cJSON_ArrayForEach(device, doctor->devices) {
        if (!is_true(device, "chosen")) {
            if (is_true(device, "available") || doctor->globals->device != NULL) {
                continue;
            }
            ENCL_TRY(skip_device(doctor, device));
        } else {
            ENCL_TRY(look_at_device(doctor, device));
        }
        ENCL_TRY(show_group(doctor, (int32_t)number_in(device, "index")));
    }
cleanup:
    return status;
}

// Something essential is broken: a driver ends every program, or a device that commands take is missing or not fit.
// They take those that --device names, else the one of `auto`.
static bool is_broken(const encl_doctor *doctor) {
    bool any = false;
    bool broken = encl_doctor_is_unfit(doctor, ENCL_DOCTOR_SYSTEM);
    const char *taken = doctor->globals->device != NULL ? "chosen" : "auto";
    const cJSON *device = NULL;
    cJSON_ArrayForEach(device, doctor->devices) {
        if (is_true(device, taken)) {
            any = true;
            broken = broken || encl_doctor_is_unfit(doctor, (int32_t)number_in(device, "index"));
        }
    }
    return broken || !any;
}

// The folder that system.c made for the drivers that do not crash.
static void remove_vendors(const char *folder) {
    char **names = NULL;
    size_t count = 0;
    encl_folder *list = NULL;
    if (folder == NULL) {
        return;
    }
    if (encl_folder_open(folder, &list) == ENCL_OK && encl_folder_list(list, &names, &count) == ENCL_OK) {
        for (size_t i = 0; i < count; i++) {
            char *path = NULL;
            if (encl_path_join(folder, names[i], &path) == ENCL_OK) {
                unlink(path);
            }
            free(path);
        }
        encl_folder_free_names(names, count);
    }
    encl_folder_close(list);
    rmdir(folder);
    free((void *)folder);
}

static encl_status check(const encl_call *call) {
    return call->globals->profile == NULL
               ? ENCL_OK
               : encl_fail(ENCL_INVALID, "--profile does not go with doctor, which runs no model; see `encl profile'");
}

static encl_status run(encl_call *call) {
    encl_doctor_settings *settings = call->settings;
    encl_status status = ENCL_OK;
    encl_output report = {0};
    encl_doctor doctor = {.globals = call->globals, .settings = settings};
    if (settings->child != NULL) {
        return run_child(call);
    }
    settings->timeout_s = settings->timeout_s > 0 ? settings->timeout_s : DEFAULT_TIMEOUT_S;
    doctor.findings = cJSON_CreateArray();
    doctor.devices = cJSON_CreateArray();
    if (doctor.findings == NULL || doctor.devices == NULL) {
        status = encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the findings");
        goto cleanup;
    }
    if (settings->report != NULL) { // before the checks, which take a while
        ENCL_TRY(encl_result_open(settings->report, &report));
    }
    encl_progress_start(&doctor.progress, "checking", "checks", 0);
    ENCL_TRY(examine(&doctor));
    encl_progress_finish(&doctor.progress);
    call->exit_code = is_broken(&doctor) ? ENCL_EXIT_FAILED : ENCL_EXIT_DONE;
    ENCL_TRY(call->globals->json ? encl_doctor_print_json(&doctor, stdout)
                                 : encl_doctor_print_summary(&doctor, stdout));
    if (settings->report != NULL) {
        ENCL_TRY(encl_doctor_write_report(&doctor, settings->report, report.stream));
        ENCL_TRY(encl_output_commit(&report));
    }
cleanup:
    encl_output_abandon(&report);
    encl_progress_finish(&doctor.progress);
    remove_vendors(doctor.vendors);
    cJSON_Delete(doctor.findings);
    cJSON_Delete(doctor.devices);
    cJSON_Delete(doctor.system);
    return status;
}

const encl_command encl_command_doctor = {
    .name = "doctor",
    .summary = "Check the OpenCL installation and every kernel on this machine",
    .arguments = "",
    .text = "Check what encl needs: the OpenCL loader, drivers, permissions, memory and the cache; then, on every "
            "device or those that --device chooses, each kernel against a reference, matrix products, the timer, and a "
            "small "
            "encoder.\v"
            "Exit code 1: encl does not work here: not on the device that it takes by itself or, with --device, not on "
            "one of those.\n\n"
            "Example:\n  encl doctor --report doctor.md",
    .options = options,
    .settings_bytes = sizeof(encl_doctor_settings),
    .option = option,
    .check = check,
    .run = run,
};
