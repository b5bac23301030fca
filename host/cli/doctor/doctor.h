// `encl doctor`: what its files share. Everything that calls a driver runs in a child process (child.c), because
// a broken driver may crash or hang; what it finds comes back as lines of JSON. The parent makes no OpenCL call.
#ifndef ENCL_CLI_DOCTOR_H
#define ENCL_CLI_DOCTOR_H

#include <stdio.h>

#include "host/cli/command.h"
#include "host/cli/output.h"
#include "runtime/base/progress.h"

// ---- Findings ---------------------------------------------------------------------------------------------

typedef enum encl_health {
    ENCL_HEALTH_PASS,
    ENCL_HEALTH_NOTE,    // worth knowing, nothing to do
    ENCL_HEALTH_WARNING, // works, but not as well as it should
    ENCL_HEALTH_FAIL,
    ENCL_HEALTH_SKIPPED, // detail says why
    ENCL_HEALTH_COUNT,
} encl_health;
const char *encl_health_name(encl_health health);

enum { ENCL_DOCTOR_SYSTEM = -1 }; // the device of findings about the machine

// What came of a check. Errors are absolute; NAN where there is none.
typedef struct encl_finding {
    const char *name; // "kernel layer_norm_tile"
    int32_t device;   // index; ENCL_DOCTOR_SYSTEM
    encl_health verdict;
    double error, tolerance, time_us;
    const char *detail; // what was found
    const char *hint;   // what to do; NULL only where the verdict is PASS or SKIPPED
    bool essential;     // a failure means that encl does not work here
} encl_finding;
// One with no numbers.
encl_finding encl_finding_of(const char *name, int32_t device, encl_health verdict, const char *detail,
                             const char *hint);
// As an object of the output, NULL where memory is out. Caller deletes.
cJSON *encl_finding_json(const encl_finding *finding);

// ---- The doctor -------------------------------------------------------------------------------------------

typedef struct encl_doctor_settings {
    const char *report;
    const char *child; // hidden: what to do as a child process
    int64_t timeout_s; // 0: the default
    bool quick;
} encl_doctor_settings;

typedef struct encl_doctor {
    const encl_globals *globals;
    const encl_doctor_settings *settings;
    cJSON *system;       // an object: what the machine is
    cJSON *devices;      // an array: those that there are, as the child that listed them wrote them
    cJSON *findings;     // an array
    const char *vendors; // a folder of .icd files without the drivers that crash; NULL: all are well
    encl_progress progress;
} encl_doctor;

// Keeps a finding, without what is private in it.
encl_status encl_doctor_add(encl_doctor *doctor, const encl_finding *finding);
// The same for one from a child; takes it.
encl_status encl_doctor_take(encl_doctor *doctor, cJSON *finding);
// How many findings have a verdict, of one device or (device < ENCL_DOCTOR_SYSTEM) of all.
size_t encl_doctor_count(const encl_doctor *doctor, int32_t device, encl_health verdict);
// True where an essential check of a device failed.
bool encl_doctor_is_unfit(const encl_doctor *doctor, int32_t device);

// ---- Its parts --------------------------------------------------------------------------------------------

// system.c: the machine, its loader, drivers, device files, memory and cache.
encl_status encl_doctor_system(encl_doctor *doctor);
// known.c: a device against the table of drivers that are known to be wrong somewhere; and CLBlast.
encl_status encl_doctor_known(encl_doctor *doctor, const cJSON *device);
encl_status encl_doctor_known_clblast(encl_doctor *doctor, const char *version);
// What to do about a platform that shows no device; never NULL.
const char *encl_doctor_platform_hint(const char *platform);
// < 0, 0 or > 0 as dotted version a is older than b, equal, newer: "22.3.6" < "23".
int encl_version_compare(const char *a, const char *b);

// private.c: removes from a text, or from all texts of a tree, what says who or where someone is: the home
// folder's path becomes ~; the user's name in paths, the host's name and UUIDs become placeholders.
encl_status encl_private_text(const char *text, char **clean);
encl_status encl_private_json(cJSON *tree);
// The environment variables that OpenCL, its drivers and encl read, and that are set: an object.
cJSON *encl_private_environment(void);

// report.c: what people and programs read.
encl_status encl_doctor_print_group(const encl_doctor *doctor, int32_t device, FILE *stream);
encl_status encl_doctor_print_summary(const encl_doctor *doctor, FILE *stream);
encl_status encl_doctor_print_json(const encl_doctor *doctor, FILE *stream);
// path says of which kind.
encl_status encl_doctor_write_report(const encl_doctor *doctor, const char *path, FILE *stream);

// ---- Child processes --------------------------------------------------------------------------------------

typedef struct encl_doctor_child_end {
    bool timed_out;
    int signal; // that ended it; 0: none
    int exit_code;
    bool over;        // it said that it was done
    char current[96]; // the check that it had begun last; "": none
    int32_t number;   // of that check, as encl_doctor_child_begin was told
    char said[512];   // the last line that it, or a driver in it, wrote to standard output or error
} encl_doctor_child_end;

// Runs `encl doctor --child TASK` and gives every line it writes to line(), whose failure ends it. vendors: NULL, or
// the folder that the child's loader reads. INTERRUPTED where Ctrl-C came; the child is gone in any case.
encl_status encl_doctor_child_run(encl_doctor *doctor, const char *task, const char *vendors,
                                  encl_status (*line)(void *context, cJSON *line), void *context,
                                  encl_doctor_child_end *end);
// "crashed (SIGABRT) in kernel pool: LLVM ERROR …": how it ended otherwise than well. Caller frees.
encl_status encl_doctor_child_end_text(const encl_doctor_child_end *end, int64_t timeout_s, char **text);

// What a child does. `pipe` is where its lines go.
encl_status encl_doctor_child_driver(FILE *pipe, const char *task); // "pocl.icd:libpocl.so.2"
encl_status encl_doctor_child_devices(FILE *pipe, const encl_globals *globals);
// from: the number of the first check; those before it were made by a child that is no more.
encl_status encl_doctor_child_device(FILE *pipe, int32_t index, size_t from, bool quick);
// Says which check begins; number: its place among those of encl_doctor_child_device, −1 elsewhere.
encl_status encl_doctor_child_begin(FILE *pipe, const char *check, int32_t number);

// encoder.c: a small encoder on a device, two runs in flight, against plain C in double precision.
typedef struct encl_encoder_check {
    bool passed;
    double max_error, tolerance;
    const char *reason; // NULL where it passed
    bool same_bits;     // were promised, and kept where it passed
    int32_t quarantined;
    const char *gemm; // "tile", "plain", "clblast"
} encl_encoder_check;
encl_status encl_encoder_check_run(const encl_device *device, encl_precision precision, encl_encoder_check *result);

#endif
