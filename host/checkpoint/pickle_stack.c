// Memory and stack of the pickle machine.
#include <stdlib.h>
#include <string.h>

#include "host/checkpoint/pickle_machine.h"

enum { FIRST_BLOCK_BYTES = 1 << 12, LAST_BLOCK_BYTES = 1 << 18 };

// Values and arrays of items, freed together. The memory follows the head.
typedef struct encl_pickle_block {
    struct encl_pickle_block *next;
    size_t used;
    size_t size;
} block;

// ---- Memory ---------------------------------------------------------------------------------------------------

static encl_status allocate(encl_pickle *pickle, size_t bytes, void **memory) {
    block *newest = pickle->blocks;
    if (newest == NULL || newest->size - newest->used < bytes) {
        const size_t next = newest == NULL ? FIRST_BLOCK_BYTES : 2 * newest->size;
        size_t size = next < LAST_BLOCK_BYTES ? next : LAST_BLOCK_BYTES;
        size = size < bytes ? bytes : size;
        encl_status status = encl_allocate(1, sizeof *newest + size, (void **)&newest);
        if (status != ENCL_OK) {
            return status;
        }
        *newest = (block){.next = pickle->blocks, .size = size};
        pickle->blocks = newest;
    }
    *memory = (uint8_t *)(newest + 1) + newest->used;
    newest->used += bytes; // a multiple of 8, as all sizes are
    return ENCL_OK;
}

void encl_pickle_free(encl_pickle *pickle) {
    if (pickle == NULL) {
        return;
    }
    for (block *next, *freed = pickle->blocks; freed != NULL; freed = next) {
        next = freed->next;
        free(freed);
    }
    free(pickle->persistent);
    free(pickle);
}

encl_status encl_pickle_make(encl_pickle_machine *machine, encl_pickle_kind kind, encl_pickle_value **value) {
    void *memory = NULL;
    if (machine->pickle->value_count == ENCL_PICKLE_VALUES) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: byte %zu: found more than %d values, expected at most that many",
                         machine->place, machine->opcode_at, ENCL_PICKLE_VALUES);
    }
    encl_status status = allocate(machine->pickle, sizeof **value, &memory);
    if (status == ENCL_OK) {
        machine->pickle->value_count++;
        *value = memory;
        **value = (encl_pickle_value){.kind = kind, .place = machine->opcode_at};
    }
    return status;
}

// The array doubles, so what its growth leaves behind is no more than it has.
encl_status encl_pickle_extend(encl_pickle_machine *machine, encl_pickle_value *value, encl_pickle_value *const *items,
                               size_t count) {
    if (count > value->capacity - value->count) {
        void *memory = NULL;
        const size_t doubled = 2 * value->capacity;
        const size_t capacity = value->count + count > doubled ? value->count + count : doubled;
        encl_status status = allocate(machine->pickle, capacity * sizeof(encl_pickle_value *), &memory);
        if (status != ENCL_OK) {
            return status;
        }
        if (value->count > 0) {
            memcpy(memory, value->items, value->count * sizeof(encl_pickle_value *));
        }
        value->items = memory;
        value->capacity = capacity;
    }
    if (count > 0) {
        memcpy(value->items + value->count, items, count * sizeof(encl_pickle_value *));
        value->count += count;
    }
    return ENCL_OK;
}

// ---- Bytes and stack ------------------------------------------------------------------------------------------

encl_status encl_pickle_fail_found(const encl_pickle_machine *machine, const char *found, const char *expected) {
    return encl_fail(ENCL_FORMAT, "%s: byte %zu: %s: found %s, expected %s", machine->place, machine->opcode_at,
                     machine->opcode->name, found, expected);
}

encl_status encl_pickle_take(encl_pickle_machine *machine, uint64_t count, const uint8_t **bytes) {
    if (count > machine->size - machine->at) {
        return encl_fail(ENCL_FORMAT, "%s: byte %zu: %s: found the end of the pickle %zu bytes on, expected %llu more",
                         machine->place, machine->opcode_at, machine->opcode->name, machine->size - machine->at,
                         (unsigned long long)count);
    }
    *bytes = machine->bytes + machine->at;
    machine->at += (size_t)count;
    return ENCL_OK;
}

encl_status encl_pickle_push(encl_pickle_machine *machine, encl_pickle_value *value) {
    if (machine->depth == ENCL_PICKLE_STACK) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: byte %zu: found more than %d values on the stack, expected fewer",
                         machine->place, machine->opcode_at, ENCL_PICKLE_STACK);
    }
    encl_status status = encl_reserve((void **)&machine->stack, &machine->stack_capacity, machine->depth + 1,
                                      sizeof(encl_pickle_value *));
    if (status == ENCL_OK) {
        machine->stack[machine->depth++] = value;
    }
    return status;
}

encl_status encl_pickle_peek(const encl_pickle_machine *machine, encl_pickle_value **value) {
    if (machine->depth == 0 || machine->stack[machine->depth - 1]->kind == ENCL_PICKLE_MARK) {
        return encl_pickle_fail_found(machine, machine->depth == 0 ? "an empty stack" : "a mark", "a value");
    }
    *value = machine->stack[machine->depth - 1];
    return ENCL_OK;
}

encl_status encl_pickle_pop(encl_pickle_machine *machine, encl_pickle_value **value) {
    encl_status status = encl_pickle_peek(machine, value);
    machine->depth -= status == ENCL_OK;
    return status;
}

encl_status encl_pickle_pop_values(encl_pickle_machine *machine, size_t count, encl_pickle_value ***items) {
    for (size_t i = 0; i < count; i++) {
        encl_pickle_value *value = NULL;
        encl_status status = encl_pickle_pop(machine, &value);
        if (status != ENCL_OK) {
            return status;
        }
    }
    *items = machine->stack + machine->depth;
    return ENCL_OK;
}

encl_status encl_pickle_pop_to_mark(encl_pickle_machine *machine, encl_pickle_value ***items, size_t *count) {
    size_t mark = machine->depth;
    while (mark > 0 && machine->stack[mark - 1]->kind != ENCL_PICKLE_MARK) {
        mark--;
    }
    if (mark == 0) {
        return encl_pickle_fail_found(machine, "no mark", "one before the items");
    }
    *items = machine->stack + mark;
    *count = machine->depth - mark;
    machine->depth = mark - 1;
    return ENCL_OK;
}
