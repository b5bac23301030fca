// What the files of the pickle machine share: pickle.c (opcodes), pickle_stack.c (memory and stack), pickle_call.c
// (globals and what is done with them).
#ifndef ENCL_CHECKPOINT_PICKLE_MACHINE_H
#define ENCL_CHECKPOINT_PICKLE_MACHINE_H

#include "host/checkpoint/pickle.h"

// A checkpoint with 10,000 tensors has about 300,000 values, and picklers put 1,000 items on the stack at a time.
enum { ENCL_PICKLE_VALUES = 1 << 21, ENCL_PICKLE_STACK = 1 << 16 };

typedef struct encl_pickle_opcode encl_pickle_opcode;

typedef struct encl_pickle_machine {
    const encl_pickle_rules *rules;
    const char *place;
    const uint8_t *bytes;
    size_t size;
    size_t at;                        // next byte
    size_t opcode_at;                 // byte of the opcode that runs
    const encl_pickle_opcode *opcode; // that runs
    uint64_t argument;                // its number, 0 where it has none
    encl_pickle *pickle;
    encl_pickle_value **stack;
    size_t depth;
    size_t stack_capacity;
    encl_pickle_value **memo; // NULL where an index was left out
    size_t memo_size;
    size_t memo_capacity;
    size_t memo_entries;
} encl_pickle_machine;

struct encl_pickle_opcode {
    const char *name;
    encl_status (*run)(encl_pickle_machine *machine); // NULL: known and refused
    int protocol;                                     // the first that has it, at least 2
    size_t argument_bytes;                            // of the little-endian number that follows
};

// ---- Memory and stack (pickle_stack.c) ------------------------------------------------------------------------

// A new value that is in no container yet.
encl_status encl_pickle_make(encl_pickle_machine *machine, encl_pickle_kind kind, encl_pickle_value **value);
// Adds items to a tuple, list or dict.
encl_status encl_pickle_extend(encl_pickle_machine *machine, encl_pickle_value *value, encl_pickle_value *const *items,
                               size_t count);
// FORMAT: "place: byte N: OPCODE: found …, expected …".
encl_status encl_pickle_fail_found(const encl_pickle_machine *machine, const char *found, const char *expected);
// The next `count` bytes of the pickle.
encl_status encl_pickle_take(encl_pickle_machine *machine, uint64_t count, const uint8_t **bytes);
encl_status encl_pickle_push(encl_pickle_machine *machine, encl_pickle_value *value);
// The value on top, which stays there.
encl_status encl_pickle_peek(const encl_pickle_machine *machine, encl_pickle_value **value);
encl_status encl_pickle_pop(encl_pickle_machine *machine, encl_pickle_value **value);
// Pops `count` values; *items, in the order in which they were pushed, are valid until the next push.
encl_status encl_pickle_pop_values(encl_pickle_machine *machine, size_t count, encl_pickle_value ***items);
// The same with all values above the last mark, which goes too.
encl_status encl_pickle_pop_to_mark(encl_pickle_machine *machine, encl_pickle_value ***items, size_t *count);

// ---- Globals and calls (pickle_call.c): opcodes ---------------------------------------------------------------

encl_status encl_pickle_run_global(encl_pickle_machine *machine);
encl_status encl_pickle_run_stack_global(encl_pickle_machine *machine);
encl_status encl_pickle_run_reduce(encl_pickle_machine *machine);
encl_status encl_pickle_run_build(encl_pickle_machine *machine);
encl_status encl_pickle_run_persistent(encl_pickle_machine *machine);

#endif
