// Names of precisions.
#include <string.h>

#include "runtime/encl.h"

static const char *const names[] = {"fp32", "bf16", "int8"}; // in the order of encl_precision

const char *encl_precision_name(encl_precision precision) {
    return names[precision];
}

bool encl_precision_parse(const char *name, encl_precision *precision) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *precision = (encl_precision)i;
            return true;
        }
    }
    return false;
}
