#include "host/cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

void encl_line_start(encl_line *line) {
    line->object = cJSON_CreateObject();
    line->incomplete = line->object == NULL;
}

void encl_line_item(encl_line *line, const char *key, cJSON *item) {
    if (item == NULL || !cJSON_AddItemToObject(line->object, key, item)) {
        cJSON_Delete(item);
        line->incomplete = true;
    }
}

void encl_line_text(encl_line *line, const char *key, const char *value) {
    encl_line_item(line, key, value != NULL ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void encl_line_number(encl_line *line, const char *key, double value) {
    encl_line_item(line, key, cJSON_CreateNumber(value));
}

void encl_line_measured(encl_line *line, const char *key, double value) {
    encl_line_item(line, key, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

void encl_line_bool(encl_line *line, const char *key, bool value) {
    encl_line_item(line, key, cJSON_CreateBool(value));
}

cJSON *encl_line_array(encl_line *line, const char *key) {
    cJSON *array = cJSON_AddArrayToObject(line->object, key);
    line->incomplete = line->incomplete || array == NULL;
    return array;
}

void encl_line_add(encl_line *line, cJSON *array, cJSON *item) {
    line->incomplete = !encl_array_add(array, item) || line->incomplete;
}

void encl_line_texts(encl_line *line, const char *key, const char *const *texts, size_t count) {
    cJSON *array = encl_line_array(line, key);
    for (size_t i = 0; i < count; i++) {
        encl_line_add(line, array, cJSON_CreateString(texts[i]));
    }
}

encl_status encl_line_print(encl_line *line, FILE *stream) {
    encl_status status = line->incomplete ? encl_fail(ENCL_OUT_OF_MEMORY, "cannot allocate a line of JSON")
                                          : encl_json_write_line(stream, line->object);
    encl_line_free(line);
    return status;
}

cJSON *encl_line_take(encl_line *line) {
    if (line->incomplete) {
        encl_line_free(line);
    }
    cJSON *object = line->object;
    line->object = NULL;
    return object;
}

void encl_line_free(encl_line *line) {
    cJSON_Delete(line->object);
    line->object = NULL;
}

bool encl_array_add(cJSON *array, cJSON *item) {
    if (array != NULL && item != NULL && cJSON_AddItemToArray(array, item)) {
        return true;
    }
    cJSON_Delete(item);
    return false;
}

cJSON *encl_json_text(const char *text, size_t length) {
    char *copy = NULL;
    if (encl_copy_text(text, length, &copy) != ENCL_OK) {
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        copy[i] = copy[i] == '\0' ? ' ' : copy[i];
    }
    cJSON *item = cJSON_CreateString(copy);
    free(copy);
    return item;
}

cJSON *encl_json_ints(const int32_t *values, size_t count) {
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        if (!encl_array_add(array, cJSON_CreateNumber(values[i]))) {
            cJSON_Delete(array);
            return NULL;
        }
    }
    return array;
}

const char *encl_bytes_text(uint64_t bytes, char text[ENCL_BYTES_TEXT]) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        snprintf(text, ENCL_BYTES_TEXT, "%" PRIu64 " B", bytes);
        return text;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(text, ENCL_BYTES_TEXT, "%.1f %s", value, units[unit]);
    return text;
}

encl_status encl_brief_text(const char *text, size_t length, size_t columns, char **brief) {
    size_t end = 0;
    size_t characters = 0;
    while (end < length && characters < columns) {
        end++;
        while (end < length && ((unsigned char)text[end] & 0xc0) == 0x80) { // the rest of the character
            end++;
        }
        characters++;
    }
    encl_string string = {0};
    encl_status status = encl_string_append(&string, text, end);
    if (status == ENCL_OK && end < length) {
        status = encl_string_format(&string, "…");
    }
    if (status != ENCL_OK) {
        encl_string_free(&string);
        *brief = NULL;
        return status;
    }
    for (size_t i = 0; i < string.length; i++) {
        if ((unsigned char)string.text[i] < ' ' || string.text[i] == 0x7f) {
            string.text[i] = ' '; // a tab or an escape must not move the terminal's cursor
        }
    }
    *brief = string.text;
    return ENCL_OK;
}

encl_status encl_print_finish(void) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return encl_fail(ENCL_IO, "standard output: cannot write: %s", strerror(errno));
    }
    return ENCL_OK;
}

encl_status encl_result_open(const char *path, encl_output *output) {
    struct stat found;
    *output = (encl_output){0};
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode)) {
        return encl_fail(ENCL_IO, "%s: found %s, expected a regular file or none", path,
                         S_ISDIR(found.st_mode) ? "a folder" : "a special file");
    }
    return encl_output_open(path, output);
}

bool encl_path_ends(const char *path, const char *ending) {
    size_t length = strlen(path);
    size_t tail = strlen(ending);
    return length >= tail && strcasecmp(path + length - tail, ending) == 0;
}
