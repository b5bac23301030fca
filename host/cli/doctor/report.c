// What `encl doctor` found, for people, for programs, and for a bug tracker.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/doctor/doctor.h"

static const char *text_in(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_in(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static int32_t device_of(const cJSON *finding) {
    const double device = number_in(finding, "device");
    return isnan(device) ? ENCL_DOCTOR_SYSTEM : (int32_t)device;
}

enum { WIDTH = 120 }; // columns of a line, where its text allows that

// ---- Tables -----------------------------------------------------------------------------------------------

static const char *time_text(double us, char text[32]) {
    text[0] = '\0';
    if (us >= 1e6) {
        snprintf(text, 32, "%.2f s", us / 1e6);
    } else if (us >= 0) {
        snprintf(text, 32, "%.1f ms", us / 1e3);
    }
    return text;
}

static encl_status add_row(encl_table *table, const cJSON *finding) {
    encl_status status = ENCL_OK;
    char time[32];
    const double error = number_in(finding, "error");
    ENCL_TRY(encl_table_cell(table, "%s", text_in(finding, "name")));
    ENCL_TRY(encl_table_cell(table, "%s", text_in(finding, "verdict")));
    ENCL_TRY(isnan(error) ? encl_table_cell(table, "%s", "") : encl_table_cell(table, "%.1e", error));
    ENCL_TRY(encl_table_cell(table, "%s", time_text(number_in(finding, "time_us"), time)));
    ENCL_TRY(encl_table_cell(table, "%s", text_in(finding, "detail")));
cleanup:
    return status;
}

static const cJSON *find_device(const encl_doctor *doctor, int32_t index) {
    const cJSON *device = NULL;
    cJSON_ArrayForEach(device, doctor->devices) {
        if ((int32_t)number_in(device, "index") == index) {
            return device;
        }
    }
    return NULL;
}

static void print_title(const encl_doctor *doctor, int32_t index, FILE *stream) {
    const cJSON *device = find_device(doctor, index);
    if (device == NULL) {
        fprintf(stream, "This machine\n\n");
        return;
    }
    fprintf(stream, "Device %d: %s (%s, %s)\n\n", index, text_in(device, "name"), text_in(device, "platform"),
            text_in(device, "driver"));
}

static encl_status print_findings(const encl_doctor *doctor, int32_t device, FILE *stream) {
    static const char *const headings[] = {"check", "verdict", ">error", ">time", "found"};
    encl_status status = ENCL_OK;
    encl_table *table = NULL;
    const cJSON *finding = NULL;
    ENCL_TRY(encl_table_create(headings, sizeof headings / sizeof headings[0], &table));
    cJSON_ArrayForEach(finding, doctor->findings) {
        if (device_of(finding) == device) {
            ENCL_TRY(add_row(table, finding));
        }
    }
    encl_table_limit(table, WIDTH);
    ENCL_TRY(encl_table_print(table, stream));
cleanup:
    encl_table_destroy(table);
    return status;
}

// What to do about findings that are not all right.
static encl_status print_hints(const encl_doctor *doctor, int32_t device, FILE *stream) {
    encl_status status = ENCL_OK;
    encl_string text = {0};
    const cJSON *finding = NULL;
    cJSON_ArrayForEach(finding, doctor->findings) {
        const char *hint = text_in(finding, "hint");
        if (device_of(finding) == device && hint[0] != '\0') {
            encl_string_free(&text);
            ENCL_TRY(
                encl_string_format(&text, "%s (%s): %s.", text_in(finding, "name"), text_in(finding, "verdict"), hint));
            fputs("* ", stream);
            encl_print_wrapped(stream, text.text, 2, WIDTH);
            putc('\n', stream);
        }
    }
cleanup:
    encl_string_free(&text);
    return status;
}

static bool has_findings(const encl_doctor *doctor, int32_t device, bool with_hint) {
    const cJSON *finding = NULL;
    cJSON_ArrayForEach(finding, doctor->findings) {
        if (device_of(finding) == device && (!with_hint || text_in(finding, "hint")[0] != '\0')) {
            return true;
        }
    }
    return false;
}

encl_status encl_doctor_print_group(const encl_doctor *doctor, int32_t device, FILE *stream) {
    print_title(doctor, device, stream);
    encl_status status = print_findings(doctor, device, stream);
    if (status == ENCL_OK && has_findings(doctor, device, true)) {
        putc('\n', stream);
        status = print_hints(doctor, device, stream);
    }
    putc('\n', stream);
    return status;
}

// ---- The end ----------------------------------------------------------------------------------------------

// True for a device that was checked and is fit, or is not.
static bool is_found(const encl_doctor *doctor, const cJSON *device, bool fit) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(device, "chosen")) &&
           encl_doctor_is_unfit(doctor, (int32_t)number_in(device, "index")) != fit;
}

// "; fit to run on: 0 = pthread (auto)"; without a device, what it says of that.
static void print_devices(const encl_doctor *doctor, bool fit, const char *title, const char *none, FILE *stream) {
    const cJSON *device = NULL;
    bool any = false;
    cJSON_ArrayForEach(device, doctor->devices) {
        if (is_found(doctor, device, fit)) {
            const bool automatic = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(device, "auto"));
            fprintf(stream, "%s%d = %s%s", any ? ", " : title, (int)number_in(device, "index"), text_in(device, "name"),
                    automatic ? " (auto)" : "");
            any = true;
        }
    }
    fputs(any ? "" : none, stream);
}

encl_status encl_doctor_print_summary(const encl_doctor *doctor, FILE *stream) {
    static const char *const words[] = {" passed", " notes", " warnings", " failed", " skipped"};
    for (int i = 0; i < ENCL_HEALTH_COUNT; i++) {
        const size_t count = encl_doctor_count(doctor, ENCL_DOCTOR_SYSTEM - 1, (encl_health)i);
        const bool one = count == 1 && (i == ENCL_HEALTH_NOTE || i == ENCL_HEALTH_WARNING);
        fprintf(stream, "%s%zu%.*s", i > 0 ? ", " : "", count, (int)strlen(words[i]) - (one ? 1 : 0), words[i]);
    }
    print_devices(doctor, true, "; fit to run on: ", "; fit to run on: nothing", stream);
    print_devices(doctor, false, "; not fit: ", "", stream);
    putc('\n', stream);
    return ENCL_OK;
}

// ---- JSON -------------------------------------------------------------------------------------------------

static void add_devices(const encl_doctor *doctor, bool fit, const char *key, encl_line *line) {
    const cJSON *device = NULL;
    cJSON *indices = encl_line_array(line, key);
    cJSON_ArrayForEach(device, doctor->devices) {
        if (is_found(doctor, device, fit)) {
            encl_line_add(line, indices, cJSON_CreateNumber(number_in(device, "index")));
        }
    }
}

static cJSON *summary_json(const encl_doctor *doctor) {
    encl_line line;
    encl_line_start(&line);
    for (int i = 0; i < ENCL_HEALTH_COUNT; i++) {
        encl_line_number(&line, encl_health_name((encl_health)i),
                         (double)encl_doctor_count(doctor, ENCL_DOCTOR_SYSTEM - 1, (encl_health)i));
    }
    add_devices(doctor, true, "fit", &line);
    add_devices(doctor, false, "unfit", &line);
    return encl_line_take(&line);
}

static void add_header(const encl_doctor *doctor, encl_line *line) {
    encl_line_text(line, "schema", "encl.doctor/1");
    encl_line_item(line, "system", cJSON_Duplicate(doctor->system, true));
    encl_line_item(line, "environment", encl_private_environment());
    encl_line_item(line, "devices", cJSON_Duplicate(doctor->devices, true));
}

encl_status encl_doctor_print_json(const encl_doctor *doctor, FILE *stream) {
    encl_status status = ENCL_OK;
    encl_line line;
    const cJSON *finding = NULL;
    encl_line_start(&line);
    add_header(doctor, &line);
    ENCL_TRY(encl_line_print(&line, stream));
    cJSON_ArrayForEach(finding, doctor->findings) {
        ENCL_TRY(encl_json_write_line(stream, finding));
    }
    encl_line_start(&line);
    encl_line_item(&line, "summary", summary_json(doctor));
    ENCL_TRY(encl_line_print(&line, stream));
cleanup:
    return status;
}

// ---- The report -------------------------------------------------------------------------------------------

static encl_status write_json(const encl_doctor *doctor, FILE *stream) {
    encl_line line;
    encl_line_start(&line);
    add_header(doctor, &line);
    encl_line_item(&line, "findings", cJSON_Duplicate(doctor->findings, true));
    encl_line_item(&line, "summary", summary_json(doctor));
    return encl_line_print(&line, stream);
}

// "key: value" lines of an object whose values are texts, numbers or truth values.
static void write_members(const cJSON *object, FILE *stream) {
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, object) {
        if (cJSON_IsString(item)) {
            fprintf(stream, "%s: %s\n", item->string, item->valuestring);
        } else if (cJSON_IsNumber(item)) {
            fprintf(stream, "%s: %.17g\n", item->string, item->valuedouble);
        } else if (cJSON_IsBool(item)) {
            fprintf(stream, "%s: %s\n", item->string, cJSON_IsTrue(item) ? "yes" : "no");
        }
    }
}

// Markdown that reads well as plain text too.
static encl_status write_text(const encl_doctor *doctor, FILE *stream) {
    encl_status status = ENCL_OK;
    cJSON *environment = encl_private_environment();
    const cJSON *device = NULL;
    if (environment == NULL) {
        return encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate the report");
    }
    fputs("# encl doctor\n\n", stream);
    ENCL_TRY(encl_doctor_print_summary(doctor, stream));
    fputs("\n## System\n```\n", stream);
    write_members(doctor->system, stream);
    fputs("```\n\n## Environment\n```\n", stream);
    write_members(environment, stream);
    fputs("```\n\n## Checks of the machine\n```\n", stream);
    ENCL_TRY(print_findings(doctor, ENCL_DOCTOR_SYSTEM, stream));
    fputs("```\n\n", stream);
    ENCL_TRY(print_hints(doctor, ENCL_DOCTOR_SYSTEM, stream));
    cJSON_ArrayForEach(device, doctor->devices) {
        const int32_t index = (int32_t)number_in(device, "index");
        fprintf(stream, "\n## Device %d: %s\n```\n", index, text_in(device, "name"));
        write_members(device, stream);
        fputs("```\n\n", stream);
        if (has_findings(doctor, index, false)) {
            fputs("```\n", stream);
            ENCL_TRY(print_findings(doctor, index, stream));
            fputs("```\n\n", stream);
            ENCL_TRY(print_hints(doctor, index, stream));
        }
    }
cleanup:
    cJSON_Delete(environment);
    return status;
}

encl_status encl_doctor_write_report(const encl_doctor *doctor, const char *path, FILE *stream) {
    return encl_path_ends(path, ".json") ? write_json(doctor, stream) : write_text(doctor, stream);
}
