#include "host/cli/bench/read.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 30 };
static const char schema_name[] = "encl.bench/";
enum { SCHEMA_MAJOR = 1 };

// ---- Lines ------------------------------------------------------------------------------------------------

// "encl.bench/1" and "encl.bench/1.…" are read.
static encl_status check_schema(const char *place, const cJSON *header) {
    const char *found = cJSON_GetStringValue(encl_json_member(header, "schema"));
    if (found == NULL || strncmp(found, schema_name, strlen(schema_name)) != 0) {
        return encl_fail(ENCL_FORMAT,
                         "%s: schema: found %s%s%s, expected '%s%d'; encl bench … --jsonl FILE writes such "
                         "a file",
                         place, found != NULL ? "'" : "", found != NULL ? found : "none", found != NULL ? "'" : "",
                         schema_name, SCHEMA_MAJOR);
    }
    char *end = NULL;
    const long major = strtol(found + strlen(schema_name), &end, 10);
    if (major != SCHEMA_MAJOR || (*end != '\0' && *end != '.')) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: schema: found '%s', expected '%s%d', which is what this version reads",
                         place, found, schema_name, SCHEMA_MAJOR);
    }
    return ENCL_OK;
}

// Devices of one name, as two cards of one kind, are told apart by a number: "NAME (2)". From the last one on, so that
// those before still have theirs.
static encl_status number_devices(cJSON *header) {
    encl_status status = ENCL_OK;
    encl_string numbered = {0};
    cJSON *devices = encl_json_member(header, "devices");
    cJSON *device = devices != NULL && devices->child != NULL ? devices->child->prev : NULL;
    for (; device != NULL; device = device != devices->child ? device->prev : NULL) {
        const char *name = cJSON_GetStringValue(encl_json_member(device, "name"));
        size_t number = 1;
        for (cJSON *other = devices->child; name != NULL && other != device; other = other->next) {
            const char *same = cJSON_GetStringValue(encl_json_member(other, "name"));
            number += same != NULL && strcmp(same, name) == 0 ? 1 : 0;
        }
        if (number > 1) {
            encl_string_free(&numbered);
            ENCL_TRY(encl_string_format(&numbered, "%s (%zu)", name, number));
            if (cJSON_SetValuestring(encl_json_member(device, "name"), numbered.text) == NULL) {
                status = encl_fail_memory(numbered.length);
                goto cleanup;
            }
        }
    }
cleanup:
    encl_string_free(&numbered);
    return status;
}

// The name of the device in the header that a result is of.
static encl_status find_device(const char *place, const cJSON *header, const cJSON *result, const char **name) {
    int64_t index = -1;
    const cJSON *device = NULL;
    const encl_status status = encl_json_get_int(place, result, "device_id", 0, INT32_MAX, &index);
    if (status != ENCL_OK) {
        return status;
    }
    cJSON_ArrayForEach(device, encl_json_member(header, "devices")) {
        int64_t at = -1;
        const char *text = cJSON_GetStringValue(encl_json_member(device, "name"));
        if (encl_json_is_integer(encl_json_member(device, "index"), &at) && at == index && text != NULL) {
            *name = text;
            return ENCL_OK;
        }
    }
    return encl_fail(ENCL_FORMAT, "%s: device_id: found %lld, expected one of the header's devices", place,
                     (long long)index);
}

static encl_status take_samples(const char *place, const cJSON *result, encl_bench_entry *entry) {
    encl_status status = ENCL_OK;
    void *memory = NULL;
    const cJSON *item = NULL;
    const cJSON *samples = encl_json_member(result, "samples_ns");
    if (!cJSON_IsArray(samples) || samples->child == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: samples_ns: found none, expected at least one", place);
    }
    ENCL_TRY(encl_allocate((size_t)cJSON_GetArraySize(samples), sizeof(int64_t), &memory));
    entry->samples_ns = memory;
    cJSON_ArrayForEach(item, samples) {
        int64_t ns = 0;
        if (!encl_json_is_integer(item, &ns) || ns < 1) {
            status = encl_fail(ENCL_FORMAT, "%s: samples_ns: item %zu is no whole number from 1 on", place,
                               entry->count + 1);
            goto cleanup;
        }
        entry->samples_ns[entry->count++] = ns;
    }
cleanup:
    return status;
}

static encl_status add_result(const char *place, size_t line, const cJSON *result, encl_bench_file *file) {
    encl_status status = ENCL_OK;
    encl_bench_entry entry = {.line = line, .status = "ok", .reason = "", .sha256 = "", .device = ""};
    void *entries = file->entries;
    ENCL_TRY(encl_json_get_text(place, result, "case_id", &entry.case_id));
    ENCL_TRY(encl_json_get_text(place, result, "status", &entry.status));
    ENCL_TRY(encl_json_get_text(place, result, "reason", &entry.reason));
    ENCL_TRY(encl_json_get_text(place, result, "sha256", &entry.sha256));
    if (entry.case_id == NULL) {
        status = encl_fail(ENCL_FORMAT, "%s: case_id: found none, expected a text", place);
        goto cleanup;
    }
    ENCL_TRY(find_device(place, file->header, result, &entry.device));
    const encl_bench_entry *same = encl_bench_find(file, entry.case_id, entry.device);
    if (same != NULL) {
        status = encl_fail(ENCL_FORMAT, "%s: found case '%s' on '%s' again, expected it only in line %zu", place,
                           entry.case_id, entry.device, same->line);
        goto cleanup;
    }
    if (strcmp(entry.status, "ok") == 0) {
        ENCL_TRY(take_samples(place, result, &entry));
    }
    status = encl_reserve(&entries, &file->capacity, file->count + 1, sizeof *file->entries);
    file->entries = entries;
    ENCL_TRY(status);
    file->entries[file->count++] = entry;
    entry.samples_ns = NULL;
cleanup:
    free(entry.samples_ns);
    return status;
}

// ---- Files ------------------------------------------------------------------------------------------------

// Takes one line; *ended once it was the footer.
static encl_status take_line(const char *text, size_t length, size_t line, encl_bench_file *file, bool *ended) {
    encl_status status = ENCL_OK;
    encl_string place = {0};
    cJSON *json = NULL;
    ENCL_TRY(encl_string_format(&place, "%s:%zu", file->place, line));
    if (*ended) {
        status =
            encl_fail(ENCL_FORMAT, "%s: found more after the line with \"complete\", expected the end", place.text);
        goto cleanup;
    }
    // encl_json_parse_object tells the line in its text, which is 1 here, and the byte.
    ENCL_TRY(encl_json_parse_object(place.text, text, length, &json));
    if (file->header == NULL) {
        ENCL_TRY(check_schema(place.text, json));
        ENCL_TRY(number_devices(json));
        file->header = json;
        json = NULL;
    } else if (cJSON_IsBool(encl_json_member(json, "complete"))) {
        file->complete = cJSON_IsTrue(encl_json_member(json, "complete"));
        *ended = true;
    } else if (encl_array_add(file->results, json)) {
        const cJSON *kept = json;
        json = NULL;
        ENCL_TRY(add_result(place.text, line, kept, file));
    } else {
        json = NULL; // freed
        status = encl_fail_memory(sizeof *json);
    }
cleanup:
    cJSON_Delete(json);
    encl_string_free(&place);
    return status;
}

static encl_status check_end(const encl_bench_file *file, size_t lines, bool ended) {
    if (file->header == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: found nothing, expected the lines of encl bench … --jsonl", file->place);
    }
    if (!ended) {
        return encl_fail(ENCL_FORMAT,
                         "%s:%zu: found the end, expected a last line with \"complete\": the file is cut "
                         "off",
                         file->place, lines);
    }
    if (file->count == 0) {
        return encl_fail(ENCL_FORMAT, "%s: found no results, expected at least one", file->place);
    }
    return ENCL_OK;
}

// Cases were measured in a shuffled order, in which nobody wants to read them. Numbers in names count as numbers.
static int compare_cases(const void *a, const void *b) {
    const encl_bench_entry *left = a;
    const encl_bench_entry *right = b;
    const int order = strverscmp(left->case_id, right->case_id);
    return order != 0 ? order : strverscmp(left->device, right->device);
}

encl_status encl_bench_parse(const char *place, const char *text, size_t length, encl_bench_file *file) {
    encl_status status = ENCL_OK;
    encl_bench_file read = {0};
    size_t lines = 0;
    bool ended = false;
    *file = read;
    ENCL_TRY(encl_copy_text(place, strlen(place), &read.place));
    read.results = cJSON_CreateArray();
    if (read.results == NULL) {
        status = encl_fail_memory(sizeof(cJSON));
        goto cleanup;
    }
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        const size_t end = newline != NULL ? (size_t)(newline - text) : length;
        lines++;
        ENCL_TRY(take_line(text + at, end - at, lines, &read, &ended));
        at = end + 1;
    }
    ENCL_TRY(check_end(&read, lines, ended));
    qsort(read.entries, read.count, sizeof *read.entries, compare_cases);
    *file = read;
    read = (encl_bench_file){0};
cleanup:
    encl_bench_file_free(&read);
    return status;
}

encl_status encl_bench_read(const char *path, encl_bench_file *file) {
    char *text = NULL;
    size_t length = 0;
    *file = (encl_bench_file){0};
    encl_status status = encl_file_read(path, FILE_LIMIT, &text, &length);
    if (status == ENCL_OK) {
        status = encl_bench_parse(path, text, length, file);
    }
    free(text);
    return status;
}

void encl_bench_file_free(encl_bench_file *file) {
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].samples_ns);
    }
    free(file->entries);
    cJSON_Delete(file->results);
    cJSON_Delete(file->header);
    free(file->place);
    *file = (encl_bench_file){0};
}

const encl_bench_entry *encl_bench_find(const encl_bench_file *file, const char *case_id, const char *device) {
    for (size_t i = 0; i < file->count; i++) {
        const encl_bench_entry *entry = &file->entries[i];
        if (strcmp(entry->case_id, case_id) == 0 && (device == NULL || strcmp(entry->device, device) == 0)) {
            return entry;
        }
    }
    return NULL;
}
