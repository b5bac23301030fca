// What Linux says of the processors.
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/machine.h"
#include "runtime/base/thread.h"

size_t encl_machine_threads(void) {
    // The mask may be larger than cpu_set_t on machines with more than 1,024 processors.
    for (int processors = CPU_SETSIZE; processors <= 1 << 20; processors *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)processors);
        const size_t bytes = CPU_ALLOC_SIZE((size_t)processors);
        if (set == NULL) {
            break;
        }
        const bool known = sched_getaffinity(0, bytes, set) == 0;
        const int count = known ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (known) {
            return count > 0 ? (size_t)count : 1;
        }
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

// ---- Identity ---------------------------------------------------------------------------------------------

// The lines of /proc/cpuinfo that tell one kind of processor from another. Those left out differ between boots
// or between processors of a kind: frequency, microcode, bogomips, core numbers.
static const char *const identity_keys[] = {
    "vendor_id",    "cpu family",                                                     // x86-64
    "model",        "stepping",                                                       //
    "flags",        "CPU implementer", "CPU architecture", "CPU variant", "CPU part", // arm64
    "CPU revision", "Features",
};

static bool is_identity_key(const char *key, size_t length) {
    for (size_t i = 0; i < sizeof identity_keys / sizeof identity_keys[0]; i++) {
        if (strlen(identity_keys[i]) == length && memcmp(identity_keys[i], key, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Adds "key: value\n" where the text does not hold that line yet: processors of one kind give their lines once,
// big and little cores both give theirs.
static encl_status add_line(encl_string *identity, const char *key, size_t key_length, const char *value,
                            size_t value_length) {
    encl_string line = {0};
    encl_status status = encl_string_format(&line, "\n%.*s: %.*s\n", (int)key_length, key, (int)value_length, value);
    if (status == ENCL_OK && strstr(identity->text, line.text) == NULL) {
        status = encl_string_append(identity, line.text + 1, line.length - 1);
    }
    encl_string_free(&line);
    return status;
}

encl_status encl_machine_identify(const char *cpuinfo, char **text) {
    encl_status status = ENCL_OK;
    encl_string identity = {0};

    *text = NULL;
    ENCL_TRY(encl_string_append(&identity, "\n", 1)); // every line stands between two newlines
    for (const char *line = cpuinfo; *line != '\0';) {
        const size_t line_length = strcspn(line, "\n");
        const char *colon = memchr(line, ':', line_length);
        if (colon != NULL) {
            size_t key_length = (size_t)(colon - line);
            while (key_length > 0 && is_blank(line[key_length - 1])) {
                key_length--;
            }
            const char *value = colon + 1;
            while (is_blank(*value)) {
                value++;
            }
            if (is_identity_key(line, key_length)) {
                ENCL_TRY(add_line(&identity, line, key_length, value, (size_t)(line + line_length - value)));
            }
        }
        line += line_length + (line[line_length] == '\n');
    }
    ENCL_TRY(encl_copy_text(identity.text + 1, identity.length - 1, text));

cleanup:
    encl_string_free(&identity);
    return status;
}

bool encl_machine_identity_has(const char *identity, const char *feature) {
    const size_t length = strlen(feature);
    for (const char *line = identity; length > 0 && *line != '\0';) {
        const size_t line_length = strcspn(line, "\n");
        const char *const end = line + line_length;
        if (strncmp(line, "flags: ", 7) == 0 || strncmp(line, "Features: ", 10) == 0) {
            const char *word = strchr(line, ':') + 1;
            while (word < end) {
                word += strspn(word, " ");
                const size_t word_length = strcspn(word, " \n");
                if (word_length == length && memcmp(word, feature, length) == 0) {
                    return true;
                }
                word += word_length + (word_length == 0); // a blank line's end must not stop the walk
            }
        }
        line = end + (*end == '\n');
    }
    return false;
}

// ---- This machine -----------------------------------------------------------------------------------------

static pthread_once_t cpu_once = PTHREAD_ONCE_INIT;
static const char *cpu_text = "";

static void read_cpu(void) {
    char *cpuinfo = NULL;
    char *text = NULL;
    size_t length = 0;
    if (encl_file_read("/proc/cpuinfo", (size_t)64 << 20, &cpuinfo, &length) == ENCL_OK &&
        encl_machine_identify(cpuinfo, &text) == ENCL_OK) {
        cpu_text = text; // kept for the life of the process
    }
    free(cpuinfo);
}

const char *encl_machine_cpu(void) {
    pthread_once(&cpu_once, read_cpu);
    return cpu_text;
}

bool encl_machine_has_feature(const char *feature) {
    return encl_machine_identity_has(encl_machine_cpu(), feature);
}
