#include "host/cli/provenance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/hash.h"
#include "runtime/base/thread.h"
#include "runtime/base/version.h"
#include "runtime/device/program.h"
#include "runtime/device/sources.h"

// ---- The build --------------------------------------------------------------------------------------------

const char *encl_kernels_hash(void) {
    static char digits[ENCL_HASH_TEXT];
    if (digits[0] != '\0') {
        return digits;
    }
    encl_hash hash;
    encl_hash_start(&hash);
    for (size_t i = 0; i < encl_kernel_file_count; i++) {
        char *text = NULL;
        if (encl_program_source(encl_kernel_files[i].name, &text) != ENCL_OK) {
            return "";
        }
        encl_hash_add_text(&hash, encl_kernel_files[i].name);
        encl_hash_add_text(&hash, text);
        free(text);
    }
    encl_hash_finish(&hash, digits);
    return digits;
}

cJSON *encl_build_block(void) {
    encl_line line;
    encl_line_start(&line);
    encl_line_text(&line, "version", encl_version());
    encl_line_text(&line, "commit", encl_commit());
    encl_line_text(&line, "compiler", encl_compiler());
    encl_line_text(&line, "build_flags", encl_build_flags());
    encl_line_text(&line, "kernels_sha256", encl_kernels_hash()[0] != '\0' ? encl_kernels_hash() : NULL);
    return encl_line_take(&line);
}

// ---- The machine ------------------------------------------------------------------------------------------

enum { FILE_LIMIT = 1 << 20, CPUINFO_LIMIT = 64 << 20 };

// The first line of a small file; NULL where it cannot be read. Caller frees.
static char *first_line(const char *path) {
    char *text = NULL;
    size_t length = 0;
    if (encl_file_read(path, FILE_LIMIT, &text, &length) != ENCL_OK) {
        return NULL;
    }
    text[strcspn(text, "\n")] = '\0';
    return text;
}

// A whole number that a file of the system holds, as JSON; null where there is none.
static cJSON *file_number(const char *path, double unit) {
    char *text = first_line(path);
    char *end = text;
    const double number = text != NULL ? strtod(text, &end) : 0;
    cJSON *item = end != text ? cJSON_CreateNumber(number / unit) : cJSON_CreateNull();
    free(text);
    return item;
}

static cJSON *file_text(const char *path) {
    char *text = first_line(path);
    cJSON *item = text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull();
    free(text);
    return item;
}

// The value of the first line "key…: value" or KEY="value"; null where there is none.
static cJSON *file_value(const char *path, const char *key, char separator) {
    char *text = NULL;
    size_t length = 0;
    cJSON *item = NULL;
    if (encl_file_read(path, CPUINFO_LIMIT, &text, &length) == ENCL_OK) {
        for (char *line = text; line != NULL && *line != '\0' && item == NULL;) {
            char *next = strchr(line, '\n');
            if (next != NULL) {
                *next++ = '\0';
            }
            char *value = encl_text_begins(line, key) ? strchr(line, separator) : NULL;
            if (value != NULL) {
                value += 1 + strspn(value + 1, " \t\"");
                value[strcspn(value, "\"")] = '\0';
                item = cJSON_CreateString(value);
            }
            line = next;
        }
    }
    free(text);
    return item != NULL ? item : cJSON_CreateNull();
}

static double memory_bytes(void) {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long size = sysconf(_SC_PAGESIZE);
    return (double)pages * (double)size;
}

cJSON *encl_load_block(void) {
    double load[3] = {0};
    const int count = getloadavg(load, 3);
    if (count <= 0) {
        return cJSON_CreateNull();
    }
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < count; i++) {
        if (!encl_array_add(array, cJSON_CreateNumber(load[i]))) {
            cJSON_Delete(array);
            return NULL;
        }
    }
    return array;
}

cJSON *encl_host_block(void) {
    struct utsname system = {0};
    encl_line line;
    encl_line_start(&line);
    encl_line_item(&line, "cpu", file_value("/proc/cpuinfo", "model name", ':'));
    encl_line_number(&line, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    encl_line_number(&line, "usable_cores", (double)encl_machine_threads());
    encl_line_item(&line, "governor", file_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    encl_line_item(&line, "clock_mhz", file_number("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e3));
    encl_line_item(&line, "temperature_c", file_number("/sys/class/thermal/thermal_zone0/temp", 1e3));
    encl_line_number(&line, "memory_bytes", memory_bytes());
    encl_line_item(&line, "os", file_value("/etc/os-release", "PRETTY_NAME", '='));
    const bool named = uname(&system) == 0;
    encl_line_text(&line, "kernel", named ? system.release : NULL);
    encl_line_text(&line, "machine", named ? system.machine : NULL);
    encl_line_item(&line, "load", encl_load_block());
    return encl_line_take(&line);
}

// ---- This run ---------------------------------------------------------------------------------------------

const char *encl_time_text(int64_t seconds, char text[ENCL_TIME_TEXT]) {
    struct tm parts;
    const time_t time = (time_t)seconds;
    if (gmtime_r(&time, &parts) == NULL || strftime(text, ENCL_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        text[0] = '\0';
    }
    return text;
}

// Beginnings of names of variables that change what runs, encl's, the loader's and the drivers'.
static const char *const variables[] = {
    "ENCL_", "OCL_ICD_", "OPENCL_", "POCL_", "RUSTICL_",     "CL_",     "LP_",         "GALLIUM_", "MESA_",
    "NEO",   "CUDA_",    "HIP_",    "ROCR_", "GPU_MAX_HEAP", "ONEAPI_", "ZE_AFFINITY", "OMP_",
};

static bool matters(const char *assignment) {
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if (encl_text_begins(assignment, variables[i])) {
            return true;
        }
    }
    return false;
}

static cJSON *environment_block(void) {
    encl_line line;
    encl_line_start(&line);
    for (char **at = environ; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');
        char *name = NULL;
        if (equals != NULL && matters(*at) && encl_copy_text(*at, (size_t)(equals - *at), &name) == ENCL_OK) {
            encl_line_text(&line, name, equals + 1);
            free(name);
        }
    }
    return encl_line_take(&line);
}

cJSON *encl_run_block(const encl_globals *globals) {
    char text[ENCL_TIME_TEXT];
    encl_line line;
    encl_line_start(&line);
    cJSON *words = encl_line_array(&line, "command_line");
    for (char *const *word = globals->command_line; word != NULL && *word != NULL; word++) {
        encl_line_add(&line, words, cJSON_CreateString(*word));
    }
    encl_line_text(&line, "started", encl_time_text(time(NULL), text));
    encl_line_item(&line, "environment", environment_block());
    return encl_line_take(&line);
}
