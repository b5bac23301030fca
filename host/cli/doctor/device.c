// What the children of `encl doctor` do: one asks a driver for its platforms, one lists the devices, and one for each
// device runs its checks. A check that crashes ends the child; the next one begins behind it.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/device_block.h"
#include "host/cli/doctor/doctor.h"
#include "runtime/base/clock.h"
#include "runtime/device/installation.h"
#include "runtime/measure/self_check.h"
#include "runtime/measure/timer_check.h"

static encl_status send_item(FILE *pipe, const char *key, cJSON *item) {
    encl_line line;
    encl_line_start(&line);
    encl_line_item(&line, key, item);
    const encl_status status = encl_line_print(&line, pipe);
    return status == ENCL_OK && fflush(pipe) != 0 ? encl_fail(ENCL_IO, "doctor's pipe is closed") : status;
}

static encl_status send_finding(FILE *pipe, const encl_finding *finding) {
    return send_item(pipe, "finding", encl_finding_json(finding));
}

static encl_status send_over(FILE *pipe) {
    return send_item(pipe, "over", cJSON_CreateBool(true));
}

// ---- A driver ---------------------------------------------------------------------------------------------

// task: "NAME.icd:LIBRARY".
encl_status encl_doctor_child_driver(FILE *pipe, const char *task) {
    encl_status status = ENCL_OK;
    const char *colon = strchr(task, ':');
    const char *library = colon != NULL ? colon + 1 : task;
    encl_string name = {0};
    encl_string detail = {0};
    int32_t platforms = 0;
    ENCL_TRY(encl_string_format(&name, "driver %.*s", (int)(library - task - (colon != NULL ? 1 : 0)), task));
    ENCL_TRY(encl_doctor_child_begin(pipe, name.text, -1));
    const int64_t start = encl_clock_ns();
    const encl_status found = encl_driver_try(library, &platforms);
    encl_finding finding = encl_finding_of(name.text, ENCL_DOCTOR_SYSTEM, ENCL_HEALTH_PASS, NULL, NULL);
    if (found != ENCL_OK) {
        ENCL_TRY(encl_string_format(&detail, "%s", encl_status_detail()));
        finding.verdict = ENCL_HEALTH_FAIL;
        finding.hint =
            !encl_path_ends(name.text, ".icd")
                ? "OCL_ICD_VENDORS or OCL_ICD_FILENAMES names this library: unset it, or set it to a folder of .icd "
                  "files"
            : found == ENCL_NOT_FOUND
                ? "the .icd file names a library that is not there or lacks another one: install the driver's "
                  "package again, or remove the file"
                : "install the driver's package again, or remove its .icd file";
    } else {
        ENCL_TRY(encl_string_format(&detail, "%s, %d platform%s", library, platforms, platforms == 1 ? "" : "s"));
        finding.verdict = platforms > 0 ? ENCL_HEALTH_PASS : ENCL_HEALTH_NOTE;
        finding.hint =
            platforms > 0 ? NULL : "the driver finds nothing to drive here, which is all right without its device";
    }
    finding.detail = detail.text;
    finding.time_us = (double)(encl_clock_ns() - start) / 1e3;
    ENCL_TRY(send_finding(pipe, &finding));
    ENCL_TRY(send_over(pipe));
cleanup:
    encl_string_free(&name);
    encl_string_free(&detail);
    return status;
}

// ---- All devices ------------------------------------------------------------------------------------------

static encl_status send_loader(FILE *pipe) {
    encl_status status = ENCL_OK;
    char *version = NULL;
    ENCL_TRY(encl_doctor_child_begin(pipe, "loader version", -1));
    ENCL_TRY(encl_loader_version(&version));
    if (version != NULL) {
        const encl_finding finding =
            encl_finding_of("loader version", ENCL_DOCTOR_SYSTEM, ENCL_HEALTH_PASS, version, NULL);
        ENCL_TRY(send_finding(pipe, &finding));
    }
cleanup:
    free(version);
    return status;
}

static encl_status send_platforms(FILE *pipe) {
    encl_status status = ENCL_OK;
    encl_platform *platforms = NULL;
    size_t count = 0;
    encl_string name = {0};
    encl_string detail = {0};
    ENCL_TRY(encl_doctor_child_begin(pipe, "platforms", -1));
    ENCL_TRY(encl_platforms_list(&platforms, &count));
    for (size_t i = 0; i < count; i++) {
        const encl_platform *p = &platforms[i];
        encl_string_free(&name);
        encl_string_free(&detail);
        ENCL_TRY(encl_string_format(&name, "platform %s", p->name));
        ENCL_TRY(encl_string_format(&detail, "%s, %d device%s%s%s", p->version, p->devices, p->devices == 1 ? "" : "s",
                                    p->fault != NULL ? ": " : "", p->fault != NULL ? p->fault : ""));
        encl_finding finding = encl_finding_of(name.text, ENCL_DOCTOR_SYSTEM, ENCL_HEALTH_PASS, detail.text, NULL);
        if (p->devices == 0) {
            finding.verdict = p->fault != NULL ? ENCL_HEALTH_WARNING : ENCL_HEALTH_NOTE;
            finding.hint = encl_doctor_platform_hint(p->name);
        }
        ENCL_TRY(send_finding(pipe, &finding));
    }
cleanup:
    encl_string_free(&name);
    encl_string_free(&detail);
    encl_platforms_free(platforms, count);
    return status;
}

static encl_status send_device(FILE *pipe, const encl_device *device, bool chosen, bool automatic) {
    encl_line line = {.object = encl_device_block(device, false)};
    if (line.object == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a device");
    }
    cJSON_DeleteItemFromObjectCaseSensitive(line.object, "uuid"); // of this very machine: for no report
    cJSON_DeleteItemFromObjectCaseSensitive(line.object, "pci");
    encl_line_text(&line, "family", encl_device_family(device));
    encl_line_bool(&line, "available", encl_device_get_info(device)->available);
    encl_line_bool(&line, "chosen", chosen);
    encl_line_bool(&line, "auto", automatic);
    return send_item(pipe, "device", encl_line_take(&line));
}

// The message's first sentence says what is, the rest what to do.
static encl_status send_no_device(FILE *pipe) {
    encl_status status = ENCL_OK;
    encl_string detail = {0};
    encl_string hint = {0};
    const char *message = encl_status_detail();
    const char *end = strstr(message, ". ");
    ENCL_TRY(encl_string_append(&detail, message, end != NULL ? (size_t)(end - message) : strlen(message)));
    ENCL_TRY(encl_string_format(&hint, "%s%swhat else was found above may be the reason", end != NULL ? end + 2 : "",
                                end != NULL ? ". Or " : ""));
    encl_finding finding = encl_finding_of("devices", ENCL_DOCTOR_SYSTEM, ENCL_HEALTH_FAIL, detail.text, hint.text);
    finding.essential = true;
    ENCL_TRY(send_finding(pipe, &finding));
cleanup:
    encl_string_free(&detail);
    encl_string_free(&hint);
    return status;
}

static bool is_among(const encl_device *device, const encl_device *const *chosen, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (chosen[i] == device) {
            return true;
        }
    }
    return false;
}

encl_status encl_doctor_child_devices(FILE *pipe, const encl_globals *globals) {
    encl_status status = ENCL_OK;
    const encl_device *const *all = NULL;
    const encl_device **chosen = NULL;
    const encl_device *automatic = NULL;
    size_t count = 0;
    size_t chosen_count = 0;
    size_t automatic_count = 0;
    ENCL_TRY(send_loader(pipe));
    ENCL_TRY(send_platforms(pipe));
    ENCL_TRY(encl_doctor_child_begin(pipe, "devices", -1));
    status = encl_devices(&all, &count);
    if (status == ENCL_NO_DEVICE) {
        ENCL_TRY(send_no_device(pipe));
        status = send_over(pipe);
        goto cleanup;
    }
    ENCL_TRY(status);
    ENCL_TRY(encl_allocate(count, sizeof *chosen, (void **)&chosen));
    ENCL_TRY(encl_device_select(globals->device != NULL ? globals->device : "all", chosen, count, &chosen_count));
    if (encl_device_select("auto", &automatic, 1, &automatic_count) != ENCL_OK) {
        automatic = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        ENCL_TRY(send_device(pipe, all[i], is_among(all[i], chosen, chosen_count), all[i] == automatic));
    }
    ENCL_TRY(send_over(pipe));
cleanup:
    free(chosen);
    return status;
}

// ---- One device -------------------------------------------------------------------------------------------

enum { MOST_ROWS = 64, MOST_PROVIDERS = 16, MOST_CHECKS = MOST_ROWS + 2 * MOST_PROVIDERS + 6 };

typedef struct patient {
    const encl_device *device;
    bool quick;
    const struct encl_kernel_row *failed[MOST_ROWS]; // rows that were found wrong
    size_t failed_count;
    encl_string detail, hint;
} patient;

typedef struct check {
    char name[64];
    encl_status (*run)(patient *p, const struct check *check, encl_finding *finding);
    const struct encl_kernel_row *row;
    encl_self_check_provider provider;
    encl_precision precision;
    int32_t m, n, k;
} check;

static const char report_hint[] = "attach `encl doctor --report FILE' to a bug report";

// Why a kernel or product is wrong, as far as that can be said, and what to do.
static encl_status blame(patient *p, encl_status failed) {
    const char *folder = getenv("ENCL_KERNEL_DIR");
    if (folder != NULL && folder[0] != '\0') {
        return encl_string_format(&p->hint, "the kernels are those of ENCL_KERNEL_DIR: unset it to check this build's");
    }
    if (failed == ENCL_BUILD && strcmp(encl_device_get_info(p->device)->platform, "rusticl") == 0) {
        return encl_string_format(&p->hint, "where no kernel builds, libclc is at fault (that of LLVM 22 needs Mesa's "
                                            "patches); else update Mesa");
    }
    return encl_string_format(&p->hint, "the driver %s: update it, and %s",
                              failed == ENCL_OK      ? "or its compiler computes wrong"
                              : failed == ENCL_BUILD ? "does not compile this"
                                                     : "cannot run this",
                              report_hint);
}

// What a failed status or a wrong result says, into detail; and the numbers into the finding.
static encl_status tell(patient *p, encl_status failed, const encl_self_check *result, encl_finding *finding) {
    finding->time_us = (double)result->time_ns / 1e3;
    if (failed != ENCL_OK) {
        finding->verdict = ENCL_HEALTH_FAIL;
        return encl_string_format(&p->detail, "%s", encl_status_detail());
    }
    finding->error = result->max_error;
    finding->tolerance = result->tolerance;
    if (result->passed) {
        finding->verdict = result->rebuilt ? ENCL_HEALTH_NOTE : ENCL_HEALTH_PASS;
        return encl_string_format(&p->detail, "%s%s", result->shape,
                                  result->rebuilt ? "; its entry in the cache was wrong and was built anew" : "");
    }
    finding->verdict = ENCL_HEALTH_FAIL;
    return encl_string_format(&p->detail, "%s: %s at %" PRId64 ", error %.3g, tolerance %.3g", result->shape,
                              result->reason, result->where, result->max_error, result->tolerance);
}

static encl_status check_transfer(patient *p, const check *what, encl_finding *finding) {
    encl_self_check result;
    const size_t bytes = (size_t)(p->quick ? 1 : 16) << 20;
    (void)what;
    const encl_status found = encl_self_check_transfer(p->device, bytes, &result);
    encl_status status = tell(p, found, &result, finding);
    finding->error = finding->tolerance = NAN;
    finding->essential = true;
    if (status == ENCL_OK && finding->verdict == ENCL_HEALTH_FAIL) {
        status =
            encl_string_format(&p->hint, "device memory cannot be trusted: end other programs on this device, update "
                                         "its driver, look at the system's log (dmesg)");
    } else if (status == ENCL_OK) {
        encl_string_free(&p->detail);
        char size[ENCL_BYTES_TEXT];
        status = encl_string_format(&p->detail, "%s to the device and back", encl_bytes_text(bytes, size));
    }
    return status;
}

static encl_status check_row(patient *p, const check *what, encl_finding *finding) {
    encl_self_check result;
    const encl_status found = encl_self_check_row(p->device, what->row, p->quick, &result);
    encl_status status = tell(p, found, &result, finding);
    if (status != ENCL_OK || finding->verdict == ENCL_HEALTH_PASS) {
        return status;
    }
    if (finding->verdict == ENCL_HEALTH_NOTE) {
        return encl_string_format(&p->hint, "nothing to do");
    }
    p->failed[p->failed_count++] = what->row;
    const struct encl_kernel_row *next = encl_self_check_row_instead(p->device, what->row, p->failed, p->failed_count);
    finding->essential = next == NULL;
    if (next != NULL) {
        status = encl_string_format(&p->hint, "encl notices and takes %s instead; ", encl_self_check_row_name(next));
    } else {
        status =
            encl_string_format(&p->hint, "no other kernel computes %s here; ", encl_self_check_row_operator(what->row));
    }
    return status == ENCL_OK ? blame(p, found) : status;
}

static encl_status check_product(patient *p, const check *what, encl_finding *finding) {
    encl_self_check result;
    if (p->quick && what->provider.row == NULL && encl_device_get_info(p->device)->type == ENCL_DEVICE_CPU) {
        finding->verdict = ENCL_HEALTH_SKIPPED;
        return encl_string_format(&p->detail, "--quick: CLBlast compiles for long, and encl takes own kernels on CPUs");
    }
    const encl_status found = encl_self_check_product(p->device, &what->provider, what->m, what->n, what->k, &result);
    encl_status status = tell(p, found, &result, finding);
    if (status != ENCL_OK || finding->verdict == ENCL_HEALTH_PASS) {
        return status;
    }
    status = encl_string_format(&p->hint, "%s; ",
                                what->provider.row != NULL ? "encl takes the next kernel where its self-check sees this"
                                                           : "use --gemm tile, or another version of CLBlast");
    return status == ENCL_OK ? blame(p, found) : status;
}

// Quartz clocks differ by 1e-4 at most.
static bool is_off(const encl_timer_check *t) {
    return fabs(t->rate - 1) > fmax(1e-3, 2 * t->rate_doubt);
}

static encl_status check_timer(patient *p, const check *what, encl_finding *finding) {
    static const char measuring[] = "only `profile' and `bench' need the device's clock: their device times cannot be "
                                    "trusted here, the host's can";
    encl_timer_check t;
    const int64_t start = encl_clock_ns();
    const int64_t duration_ns = p->quick ? 50000000 : 300000000;
    (void)what;
    encl_status found = encl_timer_check_run(p->device, duration_ns, &t);
    if (found == ENCL_OK && !t.constant && (!t.clock.aligned || is_off(&t))) {
        found = encl_timer_check_run(p->device, duration_ns, &t); // a busy machine disturbs: once more
    }
    finding->time_us = (double)(encl_clock_ns() - start) / 1e3;
    finding->verdict = ENCL_HEALTH_WARNING;
    if (found != ENCL_OK) {
        const encl_status status = encl_string_format(&p->detail, "%s", encl_status_detail());
        return status == ENCL_OK ? encl_string_format(&p->hint, "%s", measuring) : status;
    }
    encl_status status = ENCL_OK;
    if (t.constant) {
        ENCL_TRY(encl_string_format(&p->detail, "every command says the same times"));
    } else if (t.unordered > 0 || t.backwards > 0) {
        ENCL_TRY(encl_string_format(&p->detail,
                                    "of %d commands, %d have times out of order, %d begin before the one "
                                    "before them has ended",
                                    t.commands, t.unordered, t.backwards));
    } else if (is_off(&t)) {
        ENCL_TRY(encl_string_format(&p->detail, "runs %.4f times as fast as the host's clock", t.rate));
    } else {
        finding->verdict = t.clock.aligned ? ENCL_HEALTH_PASS : ENCL_HEALTH_NOTE;
        ENCL_TRY(encl_string_format(
            &p->detail, "rate %.5f of the host's (± %.0e), step %" PRId64 " ns (stated %" PRIu64 " ns), ", t.rate,
            t.rate_doubt, t.step_ns, encl_device_get_info(p->device)->timer_resolution_ns));
        if (t.clock.aligned) {
            ENCL_TRY(encl_string_format(&p->detail, "placed within %.1f us", (double)t.clock.width_ns / 1e3));
        } else {
            ENCL_TRY(encl_string_format(&p->detail, "not to be placed on the host's"));
        }
    }
    if (finding->verdict == ENCL_HEALTH_NOTE) {
        ENCL_TRY(encl_string_format(&p->hint,
                                    "profiles show this device's times by themselves, without the host's lead "
                                    "and tail"));
    } else if (finding->verdict != ENCL_HEALTH_PASS) {
        ENCL_TRY(encl_string_format(&p->hint, "%s", measuring));
    }
cleanup:
    return status;
}

static encl_status check_encoder(patient *p, const check *what, encl_finding *finding) {
    encl_encoder_check result;
    const int64_t start = encl_clock_ns();
    const bool low = what->precision != ENCL_PRECISION_FP32;
    const encl_status found = encl_encoder_check_run(p->device, what->precision, &result);
    encl_status status = ENCL_OK;
    finding->time_us = (double)(encl_clock_ns() - start) / 1e3;
    finding->essential = !low;
    if (found != ENCL_OK) {
        ENCL_TRY(encl_string_format(&p->detail, "%s", encl_status_detail()));
    } else if (!result.passed) {
        finding->error = result.max_error;
        finding->tolerance = result.tolerance;
        ENCL_TRY(encl_string_format(&p->detail, "%s: error %.3g, tolerance %.3g", result.reason, result.max_error,
                                    result.tolerance));
    } else {
        finding->error = result.max_error;
        finding->tolerance = result.tolerance;
        ENCL_TRY(encl_string_format(&p->detail, "2 layers, two runs in flight, products by %s%s", result.gemm,
                                    result.same_bits ? ", same bits alone and in company" : ""));
        if (result.quarantined > 0) {
            ENCL_TRY(encl_string_format(&p->detail, "; %d kernel%s left out, the next ones served", result.quarantined,
                                        result.quarantined == 1 ? " was" : "s were"));
        }
    }
    if (found != ENCL_OK || !result.passed) {
        finding->verdict = ENCL_HEALTH_FAIL;
        ENCL_TRY(encl_string_format(&p->hint,
                                    "models do not run right on this device%s%s: choose another%s with --device, or "
                                    "update its driver; attach `encl doctor --report FILE' to a bug report",
                                    low ? " in " : "", low ? encl_precision_name(what->precision) : "",
                                    low ? " precision, or another device" : ""));
    }
cleanup:
    return status;
}

// Small products have tails in every dimension; large ones are those of a base model.
static void add_products(const patient *p, check checks[MOST_CHECKS], size_t *count) {
    encl_self_check_provider providers[MOST_PROVIDERS];
    const size_t there = encl_self_check_providers(p->device, providers, MOST_PROVIDERS);
    for (size_t i = 0; i < there && i < MOST_PROVIDERS; i++) {
        for (int large = 0; large < (p->quick ? 1 : 2); large++) {
            check *c = &checks[(*count)++];
            *c = (check){.run = check_product, .provider = providers[i]};
            c->m = !large ? 5 : encl_device_get_info(p->device)->software ? 33 : 192;
            c->n = large ? 768 : 40;
            c->k = large ? 768 : 67;
            snprintf(c->name, sizeof c->name, "product %s %s", providers[i].name, large ? "large" : "small");
        }
    }
}

static size_t list_checks(const patient *p, check checks[MOST_CHECKS]) {
    const struct encl_kernel_row *rows[MOST_ROWS];
    const size_t there = encl_self_check_rows(p->device, rows, MOST_ROWS);
    size_t count = 0;
    checks[count++] = (check){.name = "transfer", .run = check_transfer};
    for (size_t i = 0; i < there && i < MOST_ROWS; i++) {
        checks[count] = (check){.run = check_row, .row = rows[i]};
        snprintf(checks[count].name, sizeof checks[count].name, "kernel %s", encl_self_check_row_name(rows[i]));
        count++;
    }
    checks[count++] = (check){.name = "encoder", .run = check_encoder};
    checks[count++] = (check){.name = "encoder bf16", .run = check_encoder, .precision = ENCL_PRECISION_BF16};
    checks[count++] = (check){.name = "encoder int8", .run = check_encoder, .precision = ENCL_PRECISION_INT8};
    add_products(p, checks, &count);
    checks[count++] = (check){.name = "timer", .run = check_timer};
    return count;
}

static encl_status run_check(FILE *pipe, patient *p, const check *what, size_t number) {
    encl_status status = ENCL_OK;
    encl_finding finding =
        encl_finding_of(what->name, encl_device_get_info(p->device)->index, ENCL_HEALTH_PASS, NULL, NULL);
    ENCL_TRY(encl_doctor_child_begin(pipe, what->name, (int32_t)number));
    ENCL_TRY(what->run(p, what, &finding));
    finding.detail = p->detail.text;
    finding.hint = p->hint.text;
    ENCL_TRY(send_finding(pipe, &finding));
cleanup:
    encl_string_free(&p->detail);
    encl_string_free(&p->hint);
    return status;
}

static encl_status find_device(int32_t index, const encl_device **device) {
    const encl_device *const *all = NULL;
    size_t count = 0;
    const encl_status status = encl_devices(&all, &count);
    if (status != ENCL_OK) {
        return status;
    }
    if (index < 0 || (size_t)index >= count) {
        return encl_fail(ENCL_NOT_FOUND, "device %d is gone: found %zu devices", index, count);
    }
    *device = all[index];
    return ENCL_OK;
}

encl_status encl_doctor_child_device(FILE *pipe, int32_t index, size_t from, bool quick) {
    encl_status status = ENCL_OK;
    patient p = {.quick = quick};
    check *checks = NULL;
    bool acquired = false;
    ENCL_TRY(encl_doctor_child_begin(pipe, "open", -1));
    ENCL_TRY(find_device(index, &p.device));
    status = encl_device_acquire(p.device);
    if (status != ENCL_OK) {
        encl_finding finding =
            encl_finding_of("open", index, ENCL_HEALTH_FAIL, encl_status_detail(),
                            "the device is there but cannot be opened: look at its device files above, "
                            "end other programs on it, update its driver");
        finding.essential = true;
        ENCL_TRY(send_finding(pipe, &finding));
        status = send_over(pipe);
        goto cleanup;
    }
    acquired = true;
    ENCL_TRY(encl_allocate(MOST_CHECKS, sizeof *checks, (void **)&checks));
    const size_t count = list_checks(&p, checks);
    for (size_t i = from; i < count; i++) {
        ENCL_TRY(run_check(pipe, &p, &checks[i], i));
    }
    ENCL_TRY(send_over(pipe));
cleanup:
    if (acquired) {
        encl_device_release(p.device);
    }
    free(checks);
    return status;
}
