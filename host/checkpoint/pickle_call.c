// Globals and calls in a pickle: looked up in the format's table, kept as values, never run.
#include <string.h>

#include "host/checkpoint/pickle_machine.h"
#include "runtime/base/json.h"

enum { NAME_LIMIT = 80 };

static encl_status fail_global(const encl_pickle_machine *machine, const uint8_t *const parts[2],
                               const size_t lengths[2]) {
    char texts[2][NAME_LIMIT + 1] = {{0}};
    for (int i = 0; i < 2; i++) {
        const size_t length = lengths[i] < NAME_LIMIT ? lengths[i] : NAME_LIMIT;
        memcpy(texts[i], parts[i], length);
        encl_utf8_make_printable(texts[i], length);
    }
    return encl_fail(
        ENCL_UNSUPPORTED,
        "%s: byte %zu: found the global '%s.%s', which %s does not need; nothing that a pickle names is run",
        machine->place, machine->opcode_at, texts[0], texts[1], machine->rules->format);
}

static bool is_text(const uint8_t *bytes, size_t length, const char *text) {
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

static encl_status push_global(encl_pickle_machine *machine, const uint8_t *const parts[2], const size_t lengths[2]) {
    for (size_t i = 0; i < machine->rules->global_count; i++) {
        const encl_pickle_global *global = &machine->rules->globals[i];
        if (is_text(parts[0], lengths[0], global->module) && is_text(parts[1], lengths[1], global->name)) {
            encl_pickle_value *value = NULL;
            encl_status status = encl_pickle_make(machine, ENCL_PICKLE_GLOBAL, &value);
            if (status == ENCL_OK) {
                value->global = global;
                status = encl_pickle_push(machine, value);
            }
            return status;
        }
    }
    return fail_global(machine, parts, lengths);
}

// Module and name, each a line.
encl_status encl_pickle_run_global(encl_pickle_machine *machine) {
    const uint8_t *parts[2] = {NULL};
    size_t lengths[2] = {0};
    for (int i = 0; i < 2; i++) {
        const uint8_t *start = machine->bytes + machine->at;
        const uint8_t *end = machine->at < machine->size ? memchr(start, '\n', machine->size - machine->at) : NULL;
        if (end == NULL) {
            return encl_pickle_fail_found(machine, "no end of line", "a module and a name, each a line");
        }
        parts[i] = start;
        lengths[i] = (size_t)(end - start);
        machine->at += lengths[i] + 1;
    }
    return push_global(machine, parts, lengths);
}

encl_status encl_pickle_run_stack_global(encl_pickle_machine *machine) {
    encl_pickle_value **items = NULL;
    encl_status status = encl_pickle_pop_values(machine, 2, &items);
    if (status != ENCL_OK) {
        return status;
    }
    if (items[0]->kind != ENCL_PICKLE_TEXT || items[1]->kind != ENCL_PICKLE_TEXT) {
        return encl_pickle_fail_found(machine, encl_pickle_kind_name(items[items[0]->kind == ENCL_PICKLE_TEXT]),
                                      "two texts");
    }
    const uint8_t *const parts[2] = {items[0]->bytes, items[1]->bytes};
    const size_t lengths[2] = {items[0]->length, items[1]->length};
    return push_global(machine, parts, lengths);
}

encl_status encl_pickle_run_reduce(encl_pickle_machine *machine) {
    encl_pickle_value **items = NULL;
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_pop_values(machine, 2, &items);
    if (status != ENCL_OK) {
        return status;
    }
    encl_pickle_value *arguments = items[1];
    if (items[0]->kind != ENCL_PICKLE_GLOBAL || arguments->kind != ENCL_PICKLE_TUPLE) {
        return encl_pickle_fail_found(machine, encl_pickle_kind_name(items[items[0]->kind == ENCL_PICKLE_GLOBAL]),
                                      "a global and a tuple");
    }
    const encl_pickle_global *callable = items[0]->global;
    if (callable->is_dict && arguments->count > 0) {
        return encl_pickle_fail_found(machine, "arguments for a dict", "none");
    }
    status = encl_pickle_make(machine, callable->is_dict ? ENCL_PICKLE_DICT : ENCL_PICKLE_OBJECT, &value);
    if (status == ENCL_OK && !callable->is_dict) {
        value->callable = callable;
        value->arguments = arguments;
    }
    return status == ENCL_OK ? encl_pickle_push(machine, value) : status;
}

// The attributes of a dict, such as PyTorch's _metadata, are nobody's business here.
encl_status encl_pickle_run_build(encl_pickle_machine *machine) {
    encl_pickle_value *state = NULL;
    encl_pickle_value *value = NULL;
    encl_status status = encl_pickle_pop(machine, &state);
    if (status == ENCL_OK) {
        status = encl_pickle_peek(machine, &value);
    }
    if (status != ENCL_OK || value->kind == ENCL_PICKLE_DICT) {
        return status;
    }
    if (value->kind != ENCL_PICKLE_OBJECT || value->state != NULL) {
        return encl_pickle_fail_found(
            machine, value->kind == ENCL_PICKLE_OBJECT ? "a second state" : encl_pickle_kind_name(value),
            "an object without a state");
    }
    value->state = state;
    return ENCL_OK;
}

encl_status encl_pickle_run_persistent(encl_pickle_machine *machine) {
    encl_pickle *pickle = machine->pickle;
    encl_pickle_value *id = NULL;
    encl_pickle_value *value = NULL;
    encl_status status = ENCL_OK;
    if (!machine->rules->has_persistent) {
        return encl_fail(ENCL_UNSUPPORTED, "%s: byte %zu: found a persistent id, expected none in %s", machine->place,
                         machine->opcode_at, machine->rules->format);
    }
    ENCL_TRY(encl_pickle_pop(machine, &id));
    ENCL_TRY(encl_pickle_make(machine, ENCL_PICKLE_PERSISTENT, &value));
    value->id = id;
    ENCL_TRY(encl_reserve((void **)&pickle->persistent, &pickle->persistent_capacity, pickle->persistent_count + 1,
                          sizeof(encl_pickle_value *)));
    pickle->persistent[pickle->persistent_count++] = value;
    status = encl_pickle_push(machine, value);
cleanup:
    return status;
}
