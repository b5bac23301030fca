// Which build this is. The build system defines ENCL_VERSION, ENCL_COMMIT and ENCL_BUILD_FLAGS; a bare compile still
// links.
#include "runtime/base/version.h"

#include "runtime/encl.h"

#ifndef ENCL_VERSION
#define ENCL_VERSION "0.1.0"
#endif
#ifndef ENCL_COMMIT
#define ENCL_COMMIT "unknown"
#endif
#ifndef ENCL_BUILD_FLAGS
#define ENCL_BUILD_FLAGS "unknown"
#endif

const char *encl_version(void) {
    return ENCL_VERSION;
}

const char *encl_commit(void) {
    return ENCL_COMMIT;
}

const char *encl_compiler(void) {
#ifdef __clang__
    return __VERSION__; // "Clang 14.0.6"
#else
    return "GCC " __VERSION__;
#endif
}

const char *encl_build_flags(void) {
    return ENCL_BUILD_FLAGS;
}
