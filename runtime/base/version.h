// How this build was made, for what records measurements. Version and commit are in encl.h.
#ifndef ENCL_BASE_VERSION_H
#define ENCL_BASE_VERSION_H

const char *encl_compiler(void);    // "GCC 12.2.0"
const char *encl_build_flags(void); // "Release -O3 -DNDEBUG"; "unknown" where the build system does not say

#endif
