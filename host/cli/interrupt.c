#include "host/cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

// The handler may run on a driver's thread, so a flag alone would not wake a read that is blocked on this one: the
// pipe does.
static volatile sig_atomic_t received;
static int wake[2] = {-1, -1};

// What a driver does not give back in this time is left: no call of ours can end one of its.
enum { PATIENCE_SECONDS = 5 };

static void give_up(int number) {
    (void)number;
    _exit(128 + received);
}

static void handle(int number) {
    int saved = errno;
    received = number;
    alarm(PATIENCE_SECONDS);
    if (wake[1] >= 0) {
        ssize_t ignored = write(wake[1], "", 1);
        (void)ignored; // a full pipe is as readable as a new byte makes it
    }
    errno = saved;
}

void encl_interrupt_catch(void) {
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        wake[0] = wake[1] = -1;
    }
    struct sigaction action = {.sa_handler = handle, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = give_up;
    sigaction(SIGALRM, &action, NULL);
}

encl_status encl_interrupt_check(void) {
    return received == 0 ? ENCL_OK : encl_fail(ENCL_INTERRUPTED, "interrupted");
}

encl_status encl_interrupt_asked(void *context) {
    (void)context;
    return encl_interrupt_check();
}

int encl_interrupt_signal(void) {
    return received;
}

int encl_interrupt_descriptor(void) {
    return wake[0];
}

encl_process_watch encl_interrupt_watch(void) {
    return (encl_process_watch){.check = encl_interrupt_check, .descriptor = wake[0]};
}
