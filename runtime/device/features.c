#include "runtime/device/features.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/machine.h"

static bool is_word(const char *word, size_t length, const char *text) {
    return strlen(text) == length && memcmp(word, text, length) == 0;
}

// ENCL_CPU_FEATURES: a list separated by commas or blanks; processors have no others then. "none" is no feature's name.
static bool is_allowed(const char *word, size_t length) {
    const char *list = getenv("ENCL_CPU_FEATURES");
    if (list == NULL) {
        return true;
    }
    while (*list != '\0') {
        const size_t here = strcspn(list, ", ");
        if (here == length && memcmp(list, word, length) == 0) {
            return true;
        }
        list += here + (list[here] != '\0');
    }
    return false;
}

static bool processor_has(const char *word, size_t length) {
    char feature[32];
    if (length >= sizeof feature) {
        return false;
    }
    memcpy(feature, word, length);
    feature[length] = '\0';
    return is_allowed(word, length) && encl_machine_has_feature(feature);
}

static bool has_word(const encl_device *device, const char *word, size_t length) {
    const encl_device_info *info = encl_device_get_info(device);
    if (is_word(word, length, "pocl")) {
        return strcmp(info->platform, "Portable Computing Language") == 0;
    }
    if (is_word(word, length, "int_dot")) {
        return device->dot_khr;
    }
    if (is_word(word, length, "dp4a")) {
        return device->dot_dp4a;
    }
    return info->type == ENCL_DEVICE_CPU && processor_has(word, length);
}

bool encl_device_has(const encl_device *device, const char *words, const char **missing, size_t *length) {
    while (*words != '\0') {
        const size_t here = strcspn(words, " ");
        if (here > 0 && !has_word(device, words, here)) {
            *missing = words;
            *length = here;
            return false;
        }
        words += here + (words[here] != '\0');
    }
    *missing = NULL;
    *length = 0;
    return true;
}
