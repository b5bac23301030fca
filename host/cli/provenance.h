// Where a measurement comes from, as JSON: the build, this machine, this use of the program. NULL where memory is out;
// the caller owns the objects.
#ifndef ENCL_CLI_PROVENANCE_H
#define ENCL_CLI_PROVENANCE_H

#include "host/cli/command.h"
#include "host/cli/output.h"

// Version, commit, compiler, build flags, and a hash over the kernels' sources (of ENCL_KERNEL_DIR where that is set).
cJSON *encl_build_block(void);
// Processor, cores, governor, memory, system, load; no name of the machine or of a person. null: not known.
cJSON *encl_host_block(void);
// Command line, start (now, UTC), the variables of the environment that change what runs. A command adds its settings.
// The command line and the variables may hold paths.
cJSON *encl_run_block(const encl_globals *globals);
// The load averages of 1, 5 and 15 minutes.
cJSON *encl_load_block(void);

// "2026-01-31T12:00:00Z" for seconds since 1970.
enum { ENCL_TIME_TEXT = 32 };
const char *encl_time_text(int64_t seconds, char text[ENCL_TIME_TEXT]);
// The hash over the kernels' sources, 64 hexadecimal digits; "" where they cannot be read. Lives as long as the
// process.
const char *encl_kernels_hash(void);

#endif
