// Kernels that may end the process: rows that need instructions which no compiler asks about (`needs` in kernels.def).
// What the system says of the processor may be wrong (emulators, virtual machines, drivers that compile for another
// processor), and a missing instruction is a signal. So such a kernel is built, launched and checked in a child process
// before this one launches it: by the program `encl`, with its command `rehearse`. What came of it is remembered in the
// cache (rehearsals/), for as long as program, device and driver stay what they are.
//
// The program is ENCL_PROGRAM (empty: none), else the running program where its name is encl, else the installed one.
// Where there is none, or it is of another version, the kernels are used without a rehearsal: what they need was read
// from the system.
#ifndef ENCL_OP_REHEARSAL_H
#define ENCL_OP_REHEARSAL_H

#include <stdio.h>

#include "runtime/base/hash.h"
#include "runtime/op/kernel_row.h"

// ---- For those who launch ---------------------------------------------------------------------------------

typedef struct encl_rehearsal {
    const encl_kernel_row *row;
    const encl_shape *shape; // as encl_kernel_open takes it
    char *failure;           // out: why the row must not be launched; NULL: it may be
} encl_rehearsal;

bool encl_rehearsal_is_due(const encl_kernel_row *row);

// Rehearses what is not remembered, all of it in one child process; only where that dies or hangs (60 s without a sign,
// or ENCL_REHEARSAL_SECONDS), one after the other. A row that fails is told in its part, not by the status. INTERRUPTED
// where the child was, as by Ctrl-C. The device must be acquired. Caller frees the parts, also after a failure.
encl_status encl_rehearse(const encl_device *device, encl_rehearsal *parts, size_t count);
// The same for one row; BUILD where it must not be launched, OK where no rehearsal is due.
encl_status encl_rehearse_one(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape);
void encl_rehearsal_free(encl_rehearsal *parts, size_t count); // what they hold; NULL is allowed

// ---- For the child ----------------------------------------------------------------------------------------

// Rehearses kernels, "row:activation:residual:head size:pooling:top k" each, and writes lines to `pipe`: "begin KEY",
// then "passed KEY", "failed KEY why", or "skipped KEY why" where nothing was found out. The device must be acquired.
// ENCL_REHEARSAL_FAULT ("NAME:kill", "NAME:hang" or "NAME:wrong"), for tests, does that to rows whose name begins so.
encl_status encl_rehearsal_perform(const encl_device *device, char *const *parts, size_t count, FILE *pipe);

// ---- Between them -----------------------------------------------------------------------------------------

// A part as the child's argument. Caller frees.
encl_status encl_rehearsal_write(const encl_kernel_row *row, const encl_shape *shape, char **text);
// Its key, which also says that both processes mean the same kernel on the same device.
encl_status encl_rehearsal_key(const encl_device *device, const encl_kernel_row *row, const encl_shape *shape,
                               char key[ENCL_HASH_TEXT]);

#endif
