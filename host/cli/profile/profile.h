// What the files of `encl profile` and of the global option --profile share: cases to measure, and a profile
// (runtime/measure/profile.h) as tables, JSON lines and files.
#ifndef ENCL_CLI_PROFILE_H
#define ENCL_CLI_PROFILE_H

#include "host/cli/output.h"
#include "host/cli/precision.h"
#include "runtime/base/progress.h"
#include "runtime/measure/profile.h"

// ---- Files ------------------------------------------------------------------------------------------------

// Each writes a file, which is complete or not there: .csv, .json (a trace for Perfetto and chrome://tracing), .html.
encl_status encl_profile_write_csv(const char *path, const encl_profile *profile);
encl_status encl_profile_write_trace(const char *path, const encl_profile *profile);
encl_status encl_profile_write_html(const char *path, const encl_profile *profile);

// A name that cannot be written, told before the work is done. NULL: nothing is asked for.
encl_status encl_profile_try_path(const char *path);
// The writer that the path's ending asks for.
encl_status encl_profile_write(const char *path, const encl_profile *profile);
// INVALID where the path's ending asks for none; `option` is named in the message.
encl_status encl_profile_check_path(const char *option, const char *path);

// An empty profile of this use of the program.
encl_status encl_profile_begin(const encl_globals *globals, encl_profile *profile);
// Looks up the device's peaks, or measures them where the cache has none and `measure` is true. They stay unknown where
// that fails; only an interruption is a failure.
encl_status encl_profile_find_peaks(const encl_device *device, bool measure, encl_profile *profile);
// Runs a command and writes all its runs to --profile's FILE, where it ends well or is interrupted.
encl_status encl_profile_command(const encl_command *command, encl_globals *globals, encl_call *call);

// ---- Measuring a case -------------------------------------------------------------------------------------

// What is profiled: one packed batch.
typedef struct encl_profile_input {
    char name[64];  // "rbt3 8x128"
    int32_t length; // of every sequence; 0 where they differ
    encl_batch batch;
    int32_t *ids;
    int32_t *offsets;
    int64_t tokenize_ns; // 0: not from texts
} encl_profile_input;

// `batch` sequences of `length` random tokens.
encl_status encl_profile_input_random(const char *shape, int32_t batch, int32_t length, int32_t vocabulary,
                                      encl_profile_input *made);
// The call's texts (after MODEL), or those of standard input.
encl_status encl_profile_input_texts(const encl_model *model, const encl_call *call, encl_profile_input *made);
void encl_profile_input_free(encl_profile_input *input);

// Makes an executable for the input and runs it: once, to warm up, then `repeat` times plain and profiled in turn. Adds
// a case to the profile; after a failure it has the runs that were over by then.
encl_status encl_profile_measure(const encl_device *device, const encl_graph *graph, const encl_profile_input *input,
                                 const encl_executable_options *options, int64_t repeat, encl_progress *progress,
                                 encl_profile *profile);

// ---- For people and programs ------------------------------------------------------------------------------

// Profiled runs against plain ones, in percent of these; NAN where there are none.
double encl_profile_cost_pct(const encl_profile_case *of);
// How near the mean of so many calls, with this work and time in all, came to what the device can do.
encl_roof encl_profile_roof(const encl_profile *profile, double calls, double flops, double bytes, double exec);
// What holds it back, for people: `bound`, or "cache" where memory would but the bytes came faster than it gives them.
const char *encl_profile_bound(const encl_roof *roof);
// ns as microseconds, a part in percent of a whole (0 of nothing), and 10⁹ of something a second.
double encl_profile_us(double ns);
double encl_profile_pct(double part, double whole);
double encl_profile_rate(double amount, double ns);

// Tables of a case; `all`: also every layer's operators and how long commands waited.
encl_status encl_profile_print(const encl_profile *profile, const encl_profile_case *of, bool all);
// A line a case.
encl_status encl_profile_print_summary(const encl_profile *profile);

// JSON lines: the header, to standard output, and a case.
encl_status encl_profile_print_header(const encl_call *call, const encl_model_info *model, const encl_device *device,
                                      const encl_profile *profile);
encl_status encl_profile_print_json(FILE *stream, const encl_profile *profile, const encl_profile_case *of);

#endif
