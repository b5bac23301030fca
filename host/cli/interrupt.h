// Ctrl-C and termination: the command finishes cleanly, temporary files go, and encl exits with 128 + the signal.
#ifndef ENCL_CLI_INTERRUPT_H
#define ENCL_CLI_INTERRUPT_H

#include "runtime/base/process.h"

// Catches SIGINT and SIGTERM. A second one ends the process at once, and so do five seconds in which it did not finish,
// as where a driver hangs; then temporary files may stay.
void encl_interrupt_catch(void);
// INTERRUPTED once a signal came. Long loops ask it at every turn.
encl_status encl_interrupt_check(void);
// The same for a task that asks with a context, which is not read.
encl_status encl_interrupt_asked(void *context);
// The signal that came; 0: none.
int encl_interrupt_signal(void);
// Readable once a signal came, for poll(); -1 where there is none.
int encl_interrupt_descriptor(void);
// Ends a program that is waited for once a signal came.
encl_process_watch encl_interrupt_watch(void);

#endif
