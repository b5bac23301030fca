// Reads a Python pickle without running it. What the pickle would make is a tree of values; a call stays a value that
// says what would be called. Only the opcodes that checkpoints need are known, and only the globals of a table that the
// format gives; all else is UNSUPPORTED, with the byte where it stands.
//
// A pickle cannot cost more than its size: values are shared, never copied; what is read again through the memo is the
// same value; numbers of values, of memo entries and of what stands on the stack have limits. Lists, dicts and objects
// may hold themselves: walk the tree to a fixed depth.
#ifndef ENCL_CHECKPOINT_PICKLE_H
#define ENCL_CHECKPOINT_PICKLE_H

#include "host/checkpoint/format.h"

// A global that a format may name: `module` + '.' + `name`.
typedef struct encl_pickle_global {
    const char *module;
    const char *name;
    int tag;      // the format's own
    int detail;   // the format's own
    bool is_dict; // a call without arguments gives an empty dict
} encl_pickle_global;

typedef struct encl_pickle_rules {
    const char *format;  // for messages: "a PyTorch checkpoint"
    int protocol;        // the highest that is known, 2 … 4
    bool has_persistent; // whether BINPERSID is known
    const encl_pickle_global *globals;
    size_t global_count;
} encl_pickle_rules;

typedef enum encl_pickle_kind {
    ENCL_PICKLE_MARK, // never in a tree
    ENCL_PICKLE_NONE,
    ENCL_PICKLE_BOOL,
    ENCL_PICKLE_INT,
    ENCL_PICKLE_FLOAT,
    ENCL_PICKLE_BYTES, // also Python 2's str
    ENCL_PICKLE_TEXT,  // UTF-8 that nobody has checked yet
    ENCL_PICKLE_TUPLE,
    ENCL_PICKLE_LIST,
    ENCL_PICKLE_DICT,
    ENCL_PICKLE_GLOBAL,
    ENCL_PICKLE_OBJECT,     // global(*arguments), then perhaps a state
    ENCL_PICKLE_PERSISTENT, // what the program that wrote the pickle keeps elsewhere
} encl_pickle_kind;

typedef struct encl_pickle_value encl_pickle_value;
struct encl_pickle_value {
    encl_pickle_kind kind;
    size_t place; // byte of the opcode that made it
    union {
        int64_t integer; // also of BOOL
        double number;
        struct {
            const uint8_t *bytes; // in the pickle
            size_t length;
        };
        struct {
            encl_pickle_value **items; // of a dict: key, value, key, value …
            size_t count;              // of items: twice that of a dict's entries
            size_t capacity;
        };
        const encl_pickle_global *global;
        struct {
            const encl_pickle_global *callable;
            encl_pickle_value *arguments; // a tuple
            encl_pickle_value *state;     // of BUILD; NULL: none
        };
        encl_pickle_value *id; // of PERSISTENT
    };
};

typedef struct encl_pickle {
    encl_pickle_value *root;
    size_t end;                     // the byte after STOP
    encl_pickle_value **persistent; // all of them, in the order of the pickle
    size_t persistent_count;
    size_t persistent_capacity; // what follows is private
    size_t value_count;
    struct encl_pickle_block *blocks;
    encl_pickle_value none, truths[2], mark;
} encl_pickle;

// Reads one pickle that begins at `start` of `size` bytes, which must outlive it. `place` begins every message.
// Caller frees *pickle with encl_pickle_free.
encl_status encl_pickle_read(const encl_pickle_rules *rules, const char *place, const uint8_t *bytes, size_t size,
                             size_t start, encl_pickle **pickle);
void encl_pickle_free(encl_pickle *pickle); // NULL is allowed

// ---- Values (pickle_values.c) -------------------------------------------------------------------------------

// "a tuple", for messages. NULL: "nothing".
const char *encl_pickle_kind_name(const encl_pickle_value *value);
// BYTES or TEXT that are exactly `text`.
bool encl_pickle_is_text(const encl_pickle_value *value, const char *text);
// The object that a call of a global with this tag makes.
bool encl_pickle_is_made_by(const encl_pickle_value *value, int tag);
// Item of a tuple or a list; NULL where there is none.
encl_pickle_value *encl_pickle_item(const encl_pickle_value *value, size_t index);
// The value of a key in a dict, the last one as in Python; NULL where there is none.
encl_pickle_value *encl_pickle_find(const encl_pickle_value *dict, const char *key);
// A copy of BYTES or TEXT that may be a tensor's name: UTF-8 without NUL. Caller frees *name.
encl_status encl_pickle_copy_name(const char *place, const encl_pickle_value *value, char **name);
// Fills dimensions, shape, elements and bytes from a tuple or list of sizes. tensor->dtype and name are set before.
encl_status encl_pickle_read_shape(const char *place, const encl_pickle_value *value, encl_tensor *tensor);

#endif
