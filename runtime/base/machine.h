// How a text in the form of /proc/cpuinfo is read. For machine.c and its test; others use thread.h.
#ifndef ENCL_BASE_MACHINE_H
#define ENCL_BASE_MACHINE_H

#include "runtime/base/status.h"

// The lines that tell one kind of processor from another, "key: value\n" each, each once. Caller frees *text.
encl_status encl_machine_identify(const char *cpuinfo, char **text);

// True where the identity's feature flags hold this word.
bool encl_machine_identity_has(const char *identity, const char *feature);

#endif
