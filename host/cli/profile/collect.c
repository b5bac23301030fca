// The global option --profile: what every run of a command did, in a file.
#include <string.h>

#include "host/cli/profile/profile.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

// "encl embed MODEL …", as it was typed but for quotes.
static encl_status join_command_line(char *const *words, char **command) {
    encl_string line = {0};
    encl_status status = ENCL_OK;
    for (size_t i = 0; words != NULL && words[i] != NULL && status == ENCL_OK; i++) {
        status = encl_string_format(&line, "%s%s", i == 0 ? "" : " ", words[i]);
    }
    if (status != ENCL_OK) {
        encl_string_free(&line);
    }
    *command = line.text;
    return status;
}

encl_status encl_profile_begin(const encl_globals *globals, encl_profile *profile) {
    *profile = (encl_profile){.layers = -1};
    return join_command_line(globals->command_line, &profile->command);
}

encl_status encl_profile_find_peaks(const encl_device *device, bool measure, encl_profile *profile) {
    encl_status status = encl_device_acquire(device);
    if (status == ENCL_OK) {
        status = measure ? encl_peaks_get(device, &profile->peaks) : encl_peaks_load(device, &profile->peaks);
        encl_device_release(device);
    }
    profile->peaks_known = status == ENCL_OK;
    if (!profile->peaks_known && (measure || status != ENCL_NOT_FOUND)) {
        encl_info("peaks of %s: %s", encl_device_get_info(device)->name, encl_status_detail());
    }
    return status == ENCL_INTERRUPTED ? status : ENCL_OK;
}

// The device whose runs were collected, for its peaks.
static encl_status find_known_peaks(encl_profile *profile) {
    const encl_device *const *devices = NULL;
    size_t count = 0;
    encl_status status = profile->device != NULL ? encl_devices(&devices, &count) : ENCL_OK;
    for (size_t i = 0; i < count && status == ENCL_OK; i++) {
        if (encl_device_get_info(devices[i]) == profile->device) {
            status = encl_profile_find_peaks(devices[i], false, profile);
        }
    }
    return status;
}

encl_status encl_profile_command(const encl_command *command, encl_globals *globals, encl_call *call) {
    encl_status status = ENCL_OK;
    encl_profile profile = {0};
    ENCL_TRY(encl_profile_try_path(globals->profile));
    ENCL_TRY(encl_profile_begin(globals, &profile));
    ENCL_TRY(encl_profile_case_begin(&profile, command->name, false));
    globals->collector = &profile;
    const int64_t start = encl_clock_raw_ns();
    status = command->run(call);
    const int64_t wall = encl_clock_raw_ns() - start;
    globals->collector = NULL;
    if (status != ENCL_OK && status != ENCL_INTERRUPTED) {
        goto cleanup;
    }
    const bool interrupted = status != ENCL_OK;
    ENCL_TRY(encl_profile_case_end(&profile, wall));
    if (profile.cases[0].runs == 0) {
        encl_warn("--profile %s: found no run on a device in `encl %s', so the file shows none", globals->profile,
                  command->name);
    }
    ENCL_TRY(find_known_peaks(&profile));
    ENCL_TRY(encl_profile_write(globals->profile, &profile));
    status = interrupted ? encl_fail(ENCL_INTERRUPTED, "interrupted") : ENCL_OK;
cleanup:
    encl_profile_free(&profile);
    return status;
}
