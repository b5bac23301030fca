// Which build this is. The build system defines ENCL_VERSION and ENCL_COMMIT; a bare compile still links.
#include "runtime/encl.h"

#ifndef ENCL_VERSION
#define ENCL_VERSION "0.1.0"
#endif
#ifndef ENCL_COMMIT
#define ENCL_COMMIT "unknown"
#endif

const char *encl_version(void) {
    return ENCL_VERSION;
}

const char *encl_commit(void) {
    return ENCL_COMMIT;
}
