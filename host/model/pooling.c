#include <string.h>

#include "host/model/model.h"

// As the command line and JSON say them, in the order of encl_pooling.
static const char *const names[] = {
    [ENCL_POOLING_CLS] = "cls",
    [ENCL_POOLING_MAX] = "max",
    [ENCL_POOLING_MEAN] = "mean",
    [ENCL_POOLING_MEAN_SQRT_LEN] = "mean_sqrt_len",
    [ENCL_POOLING_WEIGHTED_MEAN] = "weightedmean",
    [ENCL_POOLING_LAST] = "lasttoken",
    [ENCL_POOLING_POOLER] = "pooler",
};
enum { NAMES = sizeof names / sizeof names[0] };

const char *encl_pooling_name(encl_pooling pooling) {
    return (size_t)pooling < NAMES ? names[pooling] : "?";
}

encl_status encl_pooling_parse(const char *text, encl_pooling *modes, size_t capacity, size_t *count) {
    size_t found = 0;
    *count = 0;
    for (const char *word = text;;) {
        const size_t length = strcspn(word, ",");
        size_t mode = 0;
        while (mode < NAMES && (strlen(names[mode]) != length || strncmp(names[mode], word, length) != 0)) {
            mode++;
        }
        if (mode == NAMES) {
            return encl_fail(
                ENCL_INVALID,
                "pooling '%.*s', expected cls, max, mean, mean_sqrt_len, weightedmean, lasttoken or pooler",
                (int)(length < 64 ? length : 64), word);
        }
        if (found == capacity) {
            return encl_fail(ENCL_INVALID, "pooling '%s' has more than %zu modes", text, capacity);
        }
        modes[found++] = (encl_pooling)mode;
        if (word[length] == '\0') {
            break;
        }
        word += length + 1;
    }
    *count = found;
    return ENCL_OK;
}
