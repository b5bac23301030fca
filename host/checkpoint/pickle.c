// The machine of a pickle: a program of opcodes that work on a stack, a memo of values that are used again, and marks
// on the stack that say where the items of a tuple, list or dict begin. The opcodes are those of Python's
// Lib/pickletools.py.
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/pickle_machine.h"

// ---- Constants and containers -----------------------------------------------------------------------------------

static encl_status run_proto(encl_pickle_machine *machine) {
    if (machine->argument > (uint64_t)machine->rules->protocol) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: byte %zu: found pickle protocol %llu, expected at most %d in %s",
                         machine->place, machine->opcode_at, (unsigned long long)machine->argument,
                         machine->rules->protocol, machine->rules->format);
    }
    return ENCL_OK;
}

static encl_status run_frame(encl_pickle_machine *machine) {
    return machine->argument <= machine->size - machine->at
               ? ENCL_OK
               : encl_pickle_fail_found(machine, "a frame that goes past the end", "one inside the pickle");
}

static encl_status run_none(encl_pickle_machine *machine) {
    return encl_pickle_push(machine, &machine->pickle->none);
}

static encl_status run_false(encl_pickle_machine *machine) {
    return encl_pickle_push(machine, &machine->pickle->truths[0]);
}

static encl_status run_true(encl_pickle_machine *machine) {
    return encl_pickle_push(machine, &machine->pickle->truths[1]);
}

static encl_status run_mark(encl_pickle_machine *machine) {
    return encl_pickle_push(machine, &machine->pickle->mark);
}

static encl_status push_integer(encl_pickle_machine *machine, int64_t integer) {
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_make(machine, ENCL_PICKLE_INT, &value);
    if (status == ENCL_OK) {
        value->integer = integer;
        status = encl_pickle_push(machine, value);
    }
    return status;
}

static encl_status run_unsigned(encl_pickle_machine *machine) {
    return push_integer(machine, (int64_t)machine->argument);
}

static encl_status run_int32(encl_pickle_machine *machine) {
    return push_integer(machine, (int32_t)(uint32_t)machine->argument);
}

// Little-endian two's complement of as many bytes as the argument says.
static encl_status run_long1(encl_pickle_machine *machine) {
    const uint8_t *bytes = NULL;
    encl_status status = encl_pickle_take(machine, machine->argument, &bytes);
    if (status != ENCL_OK) {
        return status;
    }
    const size_t length = (size_t)machine->argument;
    if (length > sizeof(uint64_t)) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: byte %zu: LONG1: found an integer of %zu bytes, expected at most 8",
                         machine->place, machine->opcode_at, length);
    }
    uint64_t integer = length > 0 && (bytes[length - 1] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = length; i-- > 0;) {
        integer = integer << 8 | bytes[i];
    }
    return push_integer(machine, (int64_t)integer);
}

static encl_status run_float(encl_pickle_machine *machine) {
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_make(machine, ENCL_PICKLE_FLOAT, &value);
    if (status == ENCL_OK) {
        const uint64_t bits = __builtin_bswap64(machine->argument); // the one big-endian number
        memcpy(&value->number, &bits, sizeof bits);
        status = encl_pickle_push(machine, value);
    }
    return status;
}

static encl_status push_bytes(encl_pickle_machine *machine, encl_pickle_kind kind) {
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_make(machine, kind, &value);
    if (status == ENCL_OK) {
        value->length = (size_t)machine->argument;
        status = encl_pickle_take(machine, machine->argument, &value->bytes);
    }
    return status == ENCL_OK ? encl_pickle_push(machine, value) : status;
}

static encl_status run_bytes(encl_pickle_machine *machine) {
    return push_bytes(machine, ENCL_PICKLE_BYTES);
}

static encl_status run_text(encl_pickle_machine *machine) {
    return push_bytes(machine, ENCL_PICKLE_TEXT);
}

static encl_status push_container(encl_pickle_machine *machine, encl_pickle_kind kind, encl_pickle_value *const *items,
                                  size_t count) {
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_make(machine, kind, &value);
    if (status == ENCL_OK) {
        status = encl_pickle_extend(machine, value, items, count);
    }
    return status == ENCL_OK ? encl_pickle_push(machine, value) : status;
}

static encl_status run_empty_tuple(encl_pickle_machine *machine) {
    return push_container(machine, ENCL_PICKLE_TUPLE, NULL, 0);
}

static encl_status run_empty_list(encl_pickle_machine *machine) {
    return push_container(machine, ENCL_PICKLE_LIST, NULL, 0);
}

static encl_status run_empty_dict(encl_pickle_machine *machine) {
    return push_container(machine, ENCL_PICKLE_DICT, NULL, 0);
}

static encl_status run_tuple(encl_pickle_machine *machine) {
    encl_pickle_value **items = NULL;
    size_t count = 0;
    encl_status status = encl_pickle_pop_to_mark(machine, &items, &count);
    return status == ENCL_OK ? push_container(machine, ENCL_PICKLE_TUPLE, items, count) : status;
}

static encl_status push_short_tuple(encl_pickle_machine *machine, size_t count) {
    encl_pickle_value **items = NULL;
    encl_status status = encl_pickle_pop_values(machine, count, &items);
    return status == ENCL_OK ? push_container(machine, ENCL_PICKLE_TUPLE, items, count) : status;
}

static encl_status run_tuple1(encl_pickle_machine *machine) {
    return push_short_tuple(machine, 1);
}

static encl_status run_tuple2(encl_pickle_machine *machine) {
    return push_short_tuple(machine, 2);
}

static encl_status run_tuple3(encl_pickle_machine *machine) {
    return push_short_tuple(machine, 3);
}

// Adds items that were popped to the list or dict that is on top now.
static encl_status add_items(encl_pickle_machine *machine, encl_pickle_kind kind, encl_pickle_value **items,
                             size_t count) {
    encl_pickle_value *container = NULL;
    encl_status status = encl_pickle_peek(machine, &container);
    if (status == ENCL_OK && container->kind != kind) {
        status = encl_pickle_fail_found(machine, encl_pickle_kind_name(container),
                                        kind == ENCL_PICKLE_LIST ? "a list" : "a dict");
    }
    if (status == ENCL_OK && kind == ENCL_PICKLE_DICT && count % 2 != 0) {
        status = encl_pickle_fail_found(machine, "a key without value", "pairs");
    }
    return status == ENCL_OK ? encl_pickle_extend(machine, container, items, count) : status;
}

static encl_status add_values(encl_pickle_machine *machine, encl_pickle_kind kind, size_t count) {
    encl_pickle_value **items = NULL;
    encl_status status = encl_pickle_pop_values(machine, count, &items);
    return status == ENCL_OK ? add_items(machine, kind, items, count) : status;
}

static encl_status add_marked(encl_pickle_machine *machine, encl_pickle_kind kind) {
    encl_pickle_value **items = NULL;
    size_t count = 0;
    encl_status status = encl_pickle_pop_to_mark(machine, &items, &count);
    return status == ENCL_OK ? add_items(machine, kind, items, count) : status;
}

static encl_status run_append(encl_pickle_machine *machine) {
    return add_values(machine, ENCL_PICKLE_LIST, 1);
}

static encl_status run_appends(encl_pickle_machine *machine) {
    return add_marked(machine, ENCL_PICKLE_LIST);
}

static encl_status run_set_item(encl_pickle_machine *machine) {
    return add_values(machine, ENCL_PICKLE_DICT, 2);
}

static encl_status run_set_items(encl_pickle_machine *machine) {
    return add_marked(machine, ENCL_PICKLE_DICT);
}

// ---- The memo -------------------------------------------------------------------------------------------------

// Picklers number from 0 or 1 on, so an index is below the place of its opcode.
static encl_status put(encl_pickle_machine *machine, uint64_t index) {
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_peek(machine, &value);
    if (status == ENCL_OK && (index > machine->opcode_at || index >= ENCL_PICKLE_VALUES)) {
        status = encl_pickle_fail_found(machine, "an index beyond the number of values", "the next one");
    }
    if (status == ENCL_OK) {
        status = encl_reserve((void **)&machine->memo, &machine->memo_capacity, (size_t)index + 1,
                              sizeof(encl_pickle_value *));
    }
    if (status != ENCL_OK) {
        return status;
    }
    while (machine->memo_size <= index) {
        machine->memo[machine->memo_size++] = NULL;
    }
    machine->memo_entries += machine->memo[index] == NULL;
    machine->memo[index] = value;
    return ENCL_OK;
}

static encl_status run_put(encl_pickle_machine *machine) {
    return put(machine, machine->argument);
}

static encl_status run_memoize(encl_pickle_machine *machine) {
    return put(machine, machine->memo_entries);
}

static encl_status run_get(encl_pickle_machine *machine) {
    if (machine->argument >= machine->memo_size || machine->memo[machine->argument] == NULL) {
        return encl_pickle_fail_found(machine, "an index that nothing was put at", "one that was");
    }
    return encl_pickle_push(machine, machine->memo[machine->argument]);
}

// ---- The table ------------------------------------------------------------------------------------------------

enum { STOP = '.' };

static const encl_pickle_opcode opcodes[256] = {
    [0x80] = {"PROTO", run_proto, 2, 1},
    [0x95] = {"FRAME", run_frame, 4, 8},
    [STOP] = {"STOP", NULL, 2, 0},
    ['N'] = {"NONE", run_none, 2, 0},
    [0x88] = {"NEWTRUE", run_true, 2, 0},
    [0x89] = {"NEWFALSE", run_false, 2, 0},
    ['K'] = {"BININT1", run_unsigned, 2, 1},
    ['M'] = {"BININT2", run_unsigned, 2, 2},
    ['J'] = {"BININT", run_int32, 2, 4},
    [0x8a] = {"LONG1", run_long1, 2, 1},
    ['G'] = {"BINFLOAT", run_float, 2, 8},
    ['U'] = {"SHORT_BINSTRING", run_bytes, 2, 1},
    ['T'] = {"BINSTRING", run_bytes, 2, 4},
    ['C'] = {"SHORT_BINBYTES", run_bytes, 3, 1},
    ['B'] = {"BINBYTES", run_bytes, 3, 4},
    [0x8e] = {"BINBYTES8", run_bytes, 4, 8},
    ['X'] = {"BINUNICODE", run_text, 2, 4},
    [0x8c] = {"SHORT_BINUNICODE", run_text, 4, 1},
    ['('] = {"MARK", run_mark, 2, 0},
    [')'] = {"EMPTY_TUPLE", run_empty_tuple, 2, 0},
    [']'] = {"EMPTY_LIST", run_empty_list, 2, 0},
    ['}'] = {"EMPTY_DICT", run_empty_dict, 2, 0},
    ['t'] = {"TUPLE", run_tuple, 2, 0},
    [0x85] = {"TUPLE1", run_tuple1, 2, 0},
    [0x86] = {"TUPLE2", run_tuple2, 2, 0},
    [0x87] = {"TUPLE3", run_tuple3, 2, 0},
    ['a'] = {"APPEND", run_append, 2, 0},
    ['e'] = {"APPENDS", run_appends, 2, 0},
    ['s'] = {"SETITEM", run_set_item, 2, 0},
    ['u'] = {"SETITEMS", run_set_items, 2, 0},
    ['q'] = {"BINPUT", run_put, 2, 1},
    ['r'] = {"LONG_BINPUT", run_put, 2, 4},
    [0x94] = {"MEMOIZE", run_memoize, 4, 0},
    ['h'] = {"BINGET", run_get, 2, 1},
    ['j'] = {"LONG_BINGET", run_get, 2, 4},
    ['c'] = {"GLOBAL", encl_pickle_run_global, 2, 0},
    [0x93] = {"STACK_GLOBAL", encl_pickle_run_stack_global, 4, 0},
    ['R'] = {"REDUCE", encl_pickle_run_reduce, 2, 0},
    ['b'] = {"BUILD", encl_pickle_run_build, 2, 0},
    ['Q'] = {"BINPERSID", encl_pickle_run_persistent, 2, 0},
    // No pickler writes these into a checkpoint; their names make better messages.
    ['i'] = {"INST", NULL, 0, 0},
    ['o'] = {"OBJ", NULL, 0, 0},
    [0x81] = {"NEWOBJ", NULL, 0, 0},
    [0x92] = {"NEWOBJ_EX", NULL, 0, 0},
    [0x82] = {"EXT1", NULL, 0, 0},
    [0x83] = {"EXT2", NULL, 0, 0},
    [0x84] = {"EXT4", NULL, 0, 0},
    ['P'] = {"PERSID", NULL, 0, 0},
    ['0'] = {"POP", NULL, 0, 0},
    ['1'] = {"POP_MARK", NULL, 0, 0},
    ['2'] = {"DUP", NULL, 0, 0},
    ['I'] = {"INT", NULL, 0, 0},
    ['L'] = {"LONG", NULL, 0, 0},
    [0x8b] = {"LONG4", NULL, 0, 0},
    ['F'] = {"FLOAT", NULL, 0, 0},
    ['S'] = {"STRING", NULL, 0, 0},
    ['V'] = {"UNICODE", NULL, 0, 0},
    [0x8d] = {"BINUNICODE8", NULL, 0, 0},
    ['l'] = {"LIST", NULL, 0, 0},
    ['d'] = {"DICT", NULL, 0, 0},
    ['p'] = {"PUT", NULL, 0, 0},
    ['g'] = {"GET", NULL, 0, 0},
    [0x8f] = {"EMPTY_SET", NULL, 0, 0},
    [0x90] = {"ADDITEMS", NULL, 0, 0},
    [0x91] = {"FROZENSET", NULL, 0, 0},
    [0x96] = {"BYTEARRAY8", NULL, 0, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0, 0},
};

static encl_status fetch(encl_pickle_machine *machine) {
    machine->opcode_at = machine->at;
    if (machine->at == machine->size) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found the end, expected the pickle to go on to STOP",
                         machine->place, machine->at);
    }
    const uint8_t byte = machine->bytes[machine->at++];
    machine->opcode = &opcodes[byte];
    if (machine->opcode->name == NULL) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: found 0x%02x, expected an opcode of a pickle", machine->place,
                         machine->opcode_at, byte);
    }
    if ((machine->opcode->run == NULL && byte != STOP) || machine->opcode->protocol > machine->rules->protocol) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: byte %zu: found the opcode %s, which %s does not need", machine->place,
                         machine->opcode_at, machine->opcode->name, machine->rules->format);
    }
    const uint8_t *bytes = NULL;
    encl_status status = encl_pickle_take(machine, machine->opcode->argument_bytes, &bytes);
    machine->argument = 0;
    for (size_t i = status == ENCL_OK ? machine->opcode->argument_bytes : 0; i-- > 0;) {
        machine->argument = machine->argument << 8 | bytes[i];
    }
    return status;
}

static encl_status run(encl_pickle_machine *machine) {
    encl_status status = fetch(machine);
    while (status == ENCL_OK && machine->opcode != &opcodes[STOP]) {
        status = machine->opcode->run(machine);
        if (status == ENCL_OK) {
            status = fetch(machine);
        }
    }
    if (status == ENCL_OK) {
        status = encl_pickle_pop(machine, &machine->pickle->root);
    }
    if (status == ENCL_OK && machine->depth > 0) {
        status = encl_pickle_fail_found(machine, "more than one value", "one");
    }
    machine->pickle->end = machine->at;
    return status;
}

encl_status encl_pickle_read(const encl_pickle_rules *rules, const char *place, const uint8_t *bytes, size_t size,
                             size_t start, encl_pickle **pickle) {
    encl_status status = ENCL_OK;
    encl_pickle *read = NULL;
    encl_pickle_machine machine = {.rules = rules, .place = place, .bytes = bytes, .size = size, .at = start};
    *pickle = NULL;
    ENCL_TRY(encl_allocate(1, sizeof *read, (void **)&read));
    read->none.kind = ENCL_PICKLE_NONE;
    read->mark.kind = ENCL_PICKLE_MARK;
    read->truths[0] = (encl_pickle_value){.kind = ENCL_PICKLE_BOOL, .integer = 0};
    read->truths[1] = (encl_pickle_value){.kind = ENCL_PICKLE_BOOL, .integer = 1};
    machine.pickle = read;
    ENCL_TRY(run(&machine));
    *pickle = read;
    read = NULL;
cleanup:
    encl_pickle_free(read);
    free(machine.stack);
    free(machine.memo);
    return status;
}
