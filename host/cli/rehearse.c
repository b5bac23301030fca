// encl rehearse: what encl starts before it launches a kernel that may end its process (runtime/op/rehearsal.h). It is
// not for people, and not in the list of commands.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/cli/options.h"
#include "runtime/op/rehearsal.h"

// The pipe to the parent, which was standard output: drivers write what they like to that, so it goes where the errors
// go from now on. NULL where there is none.
static FILE *take_pipe(void) {
    const int pipe = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return pipe >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 ? fdopen(pipe, "w") : NULL;
}

static encl_status run(encl_call *call) {
    encl_status status = ENCL_OK;
    const encl_device *device = NULL;
    // It ends with its parent, and at once where a signal says so: there is nothing to tidy up.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    FILE *pipe = take_pipe();
    if (pipe == NULL) {
        return encl_fail(ENCL_IO, "cannot write to standard output");
    }
    ENCL_TRY(encl_globals_device(call->globals, &device));
    ENCL_TRY(encl_device_acquire(device));
    status = encl_rehearsal_perform(device, call->arguments, call->argument_count, pipe);
    if (status == ENCL_OK) {
        _exit(ENCL_EXIT_DONE); // all is said, and what drivers do at the end of a process takes time
    }
    encl_device_release(device);
cleanup:
    fclose(pipe);
    return status;
}

const encl_command encl_command_rehearse = {
    .name = "rehearse",
    .arguments = "KERNEL...",
    .text = "Build, launch and check kernels that may end the process. encl starts this itself, in a child process; it "
            "is not for people.\v"
            "Example:\n  encl rehearse linear_tile_int8_avx2_6:0:0:0:0:0",
    .minimum = 1,
    .maximum = SIZE_MAX,
    .hidden = true,
    .run = run,
};
