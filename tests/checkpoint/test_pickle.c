// The pickle machine: what it builds, what it refuses, and what a pickle can cost.
#include "checkpoint/pickle_writer.h"

enum { DICT, THING, OTHER };

static const encl_pickle_global globals[] = {
    {"collections", "OrderedDict", DICT, 0, true},
    {"shop", "Thing", THING, 7, false},
    {"shop.back", "Other", OTHER, 0, false},
};

static const encl_pickle_rules rules = {"a test", 4, true, globals, 3};
static const encl_pickle_rules old_rules = {"an old test", 2, false, globals, 3};

static encl_status read_with(const encl_pickle_rules *with, const void *bytes, size_t length, encl_pickle **pickle) {
    uint8_t *copy = exact_copy(bytes, length);
    const encl_status status = encl_pickle_read(with, "place", copy, length, 0, pickle);
    if (status != ENCL_OK) {
        assert_null(*pickle);
        assert_detail_has("place: byte ");
    }
    free(copy); // values that point into it are not looked at by those who call this
    return status;
}

#define refuses(literal, expected, part)                                                               \
    do {                                                                                               \
        encl_pickle *refused = NULL;                                                                   \
        assert_fails(read_with(&rules, (literal), sizeof(literal) - 1, &refused), (expected), (part)); \
    } while (0)

#define reads(literal, pickle) \
    assert_ok(encl_pickle_read(&rules, "place", (const uint8_t *)(literal), sizeof(literal) - 1, 0, (pickle)))

// ---- What it builds -------------------------------------------------------------------------------------------

static void builds_numbers(void **state) {
    (void)state;
    static const char bytes[] = "\x80\x02(NK\xffM\xff\xff"
                                "J\xfe\xff\xff\xff\x88\x89\x8a\x00\x8a\x01\x80\x8a\x02\xff\x00"
                                "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80G\xc0\x08\x00\x00\x00\x00\x00\x00t.";
    static const int64_t integers[] = {0, 255, 65535, -2, 1, 0, 0, -128, 255, INT64_MIN};
    encl_pickle *pickle = NULL;
    reads(bytes, &pickle);
    assert_int_equal(pickle->end, sizeof bytes - 1);
    assert_int_equal(pickle->root->kind, ENCL_PICKLE_TUPLE);
    assert_int_equal(pickle->root->count, 11);
    assert_int_equal(pickle->root->items[0]->kind, ENCL_PICKLE_NONE);
    for (size_t i = 1; i < 10; i++) {
        const encl_pickle_value *item = encl_pickle_item(pickle->root, i);
        assert_int_equal(item->kind, i == 4 || i == 5 ? ENCL_PICKLE_BOOL : ENCL_PICKLE_INT);
        assert_int_equal(item->integer, integers[i]);
    }
    assert_int_equal(pickle->root->items[10]->kind, ENCL_PICKLE_FLOAT);
    assert_true(pickle->root->items[10]->number == -3.0);
    assert_null(encl_pickle_item(pickle->root, 11));
    assert_null(encl_pickle_item(pickle->root->items[0], 0));
    encl_pickle_free(pickle);
}

static void builds_texts(void **state) {
    (void)state;
    static const char bytes[] = "(X\x02\x00\x00\x00"
                                "abU\x01"
                                "cT\x03\x00\x00\x00"
                                "defC\x00"
                                "B\x01\x00\x00\x00g\x8e\x02\x00\x00\x00\x00\x00\x00\x00hi\x8c\x01jt.";
    static const char *const texts[] = {"ab", "c", "def", "", "g", "hi", "j"};
    encl_pickle *pickle = NULL;
    reads(bytes, &pickle);
    assert_int_equal(pickle->root->count, 7);
    for (size_t i = 0; i < 7; i++) {
        char *name = NULL;
        assert_true(encl_pickle_is_text(pickle->root->items[i], texts[i]));
        assert_false(encl_pickle_is_text(pickle->root->items[i], "abc"));
        assert_int_equal(pickle->root->items[i]->kind, i == 0 || i == 6 ? ENCL_PICKLE_TEXT : ENCL_PICKLE_BYTES);
        assert_ok(encl_pickle_copy_name("place", pickle->root->items[i], &name));
        assert_string_equal(name, texts[i]);
        free(name);
    }
    assert_false(encl_pickle_is_text(NULL, ""));
    assert_false(encl_pickle_is_text(pickle->root, ""));
    encl_pickle_free(pickle);
}

static void refuses_bad_names(void **state) {
    (void)state;
    static const char bytes[] = "(X\x03\x00\x00\x00"
                                "a\x00"
                                "bX\x02\x00\x00\x00\xc3(K\x05t.";
    static const char *const parts[] = {"NUL", "UTF-8", "an int"};
    encl_pickle *pickle = NULL;
    reads(bytes, &pickle);
    for (size_t i = 0; i < 3; i++) {
        char *name = (char *)1;
        assert_fails(encl_pickle_copy_name("place", pickle->root->items[i], &name), ENCL_FORMAT, parts[i]);
        assert_null(name);
    }
    encl_pickle_free(pickle);
}

static void builds_containers(void **state) {
    (void)state;
    // {'a': [1, 2, 3], 'b': (), 'a': ((4,), (5, 6), (7, 8, 9))}: of a key twice the last is found
    static const char bytes[] = "}(U\x01"
                                "a](K\x01K\x02"
                                "eK\x03"
                                "aU\x01"
                                "b)uU\x01"
                                "aK\x04\x85K\x05K\x06\x86K\x07K\x08K\x09\x87\x87s.";
    encl_pickle *pickle = NULL;
    reads(bytes, &pickle);
    assert_int_equal(pickle->root->kind, ENCL_PICKLE_DICT);
    assert_int_equal(pickle->root->count, 6);
    assert_int_equal(pickle->root->items[1]->kind, ENCL_PICKLE_LIST);
    assert_int_equal(pickle->root->items[1]->count, 3);
    assert_int_equal(pickle->root->items[1]->items[2]->integer, 3);
    assert_int_equal(encl_pickle_find(pickle->root, "b")->count, 0);
    const encl_pickle_value *last = encl_pickle_find(pickle->root, "a");
    assert_int_equal(last->count, 3);
    for (size_t i = 0, number = 4; i < 3; i++) {
        assert_int_equal(last->items[i]->count, i + 1);
        for (size_t j = 0; j <= i; j++) {
            assert_int_equal(last->items[i]->items[j]->integer, number++);
        }
    }
    assert_null(encl_pickle_find(pickle->root, "c"));
    assert_null(encl_pickle_find(last, "a"));
    assert_null(encl_pickle_find(NULL, "a"));
    encl_pickle_free(pickle);
}

static void keeps_calls_as_values(void **state) {
    (void)state;
    // (Thing('x') with the state {}, OrderedDict() with a key and a state, Other, persistent 5), twice the same through
    // the memo
    static const char bytes[] = "(cshop\nThing\nq\x00U\x01x\x85R}bq\x01"
                                "ccollections\nOrderedDict\n)RU\x01kK\x01s}b"
                                "X\x09\x00\x00\x00shop.back\x8c\x05Other\x93K\x05Qh\x01t.";
    encl_pickle *pickle = NULL;
    reads(bytes, &pickle);
    encl_pickle_value **items = pickle->root->items;
    assert_int_equal(pickle->root->count, 5);
    assert_true(encl_pickle_is_made_by(items[0], THING));
    assert_false(encl_pickle_is_made_by(items[0], OTHER));
    assert_int_equal(items[0]->callable->detail, 7);
    assert_true(encl_pickle_is_text(items[0]->arguments->items[0], "x"));
    assert_int_equal(items[0]->state->kind, ENCL_PICKLE_DICT);
    assert_int_equal(items[1]->kind, ENCL_PICKLE_DICT);
    assert_int_equal(encl_pickle_find(items[1], "k")->integer, 1);
    assert_int_equal(items[2]->kind, ENCL_PICKLE_GLOBAL);
    assert_string_equal(items[2]->global->name, "Other");
    assert_int_equal(items[3]->kind, ENCL_PICKLE_PERSISTENT);
    assert_int_equal(items[3]->id->integer, 5);
    assert_int_equal(pickle->persistent_count, 1);
    assert_ptr_equal(pickle->persistent[0], items[3]);
    assert_ptr_equal(items[4], items[0]);
    encl_pickle_free(pickle);
}

static void reads_from_the_middle(void **state) {
    (void)state;
    encl_pickle *pickle = NULL;
    assert_ok(encl_pickle_read(&rules, "place", (const uint8_t *)"K\x01.K\x02.K", 7, 3, &pickle));
    assert_int_equal(pickle->root->integer, 2);
    assert_int_equal(pickle->root->place, 3);
    assert_int_equal(pickle->end, 6);
    encl_pickle_free(pickle);
}

static void numbers_the_memo(void **state) {
    (void)state;
    encl_pickle *pickle = NULL;
    // MEMOIZE counts entries; BINPUT may leave some out, and may replace.
    reads("(K\x01\x94K\x02\x94K\x03q\x05K\x04q\x05h\x00h\x01h\x05\x94h\x03t.", &pickle);
    static const int64_t expected[] = {1, 2, 3, 4, 1, 2, 4, 4};
    assert_int_equal(pickle->root->count, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pickle->root->items[i]->integer, expected[i]);
    }
    encl_pickle_free(pickle);
    reads("(K\x01r\x01\x00\x00\x00K\x02j\x01\x00\x00\x00t.", &pickle);
    assert_ptr_equal(pickle->root->items[0], pickle->root->items[2]);
    encl_pickle_free(pickle);
}

// ---- What it refuses ------------------------------------------------------------------------------------------

static void refuses_globals_by_name(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"os", "system"},
        {"posix", "system"},
        {"nt", "system"},
        {"builtins", "eval"},
        {"builtins", "exec"},
        {"__builtin__", "eval"},
        {"builtins", "getattr"},
        {"subprocess", "Popen"},
        {"shutil", "rmtree"},
        {"webbrowser", "open"},
        {"runpy", "run_path"},
        {"pickle", "loads"},
        {"torch", "load"},
        {"torch._C", "_add_docstr"},
        {"numpy", "load"},
        {"operator", "attrgetter"},
        {"socket", "create_connection"},
        {"shop", "thing"},
        {"shop", "Thing "},
        {"shop.back", "Thing"},
        {"shop", "back.Other"},
        {"", ""},
        {"shop", ""},
        {"", "Thing"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char part[80];
        snprintf(part, sizeof part, "byte 1: found the global '%s.%s'", names[i][0], names[i][1]);
        encl_pickle *pickle = NULL;
        encl_writer writer = {0};
        write_literal(&writer, "Nc");
        write_bytes(&writer, names[i][0], strlen(names[i][0]));
        write_literal(&writer, "\n");
        write_bytes(&writer, names[i][1], strlen(names[i][1]));
        write_literal(&writer, "\n(U\x04true\x85R.");
        assert_fails(read_with(&rules, writer.bytes, writer.length, &pickle), ENCL_UNSUPPORTED, part);
        write_free(&writer);
        // The same from the stack.
        write_text(&writer, names[i][0]);
        write_text(&writer, names[i][1]);
        write_literal(&writer, "\x93.");
        snprintf(part, sizeof part, "found the global '%s.%s'", names[i][0], names[i][1]);
        assert_fails(read_with(&rules, writer.bytes, writer.length, &pickle), ENCL_UNSUPPORTED, part);
        write_free(&writer);
    }
    refuses("cshop\x00\nThing\n.", ENCL_UNSUPPORTED, "global 'shop .Thing'");
    refuses("cos\x1b[2J\n\xff\n.", ENCL_UNSUPPORTED, "global 'os [2J.?'");
    refuses("cshop", ENCL_FORMAT, "no end of line");
    refuses("cshop\nThing", ENCL_FORMAT, "no end of line");
}

// A long name from the file does not make a long message.
static void shortens_names(void **state) {
    (void)state;
    encl_pickle *pickle = NULL;
    encl_writer writer = {0};
    write_literal(&writer, "c");
    for (int i = 0; i < 5000; i++) {
        write_literal(&writer, "a");
    }
    write_literal(&writer, "\nb\n.");
    assert_fails(read_with(&rules, writer.bytes, writer.length, &pickle), ENCL_UNSUPPORTED, "aaa.b'");
    assert_in_range(strlen(encl_status_detail()), 1, 400);
    write_free(&writer);
}

// Every byte alone and after a few values: known, refused by name, or no opcode.
static void knows_few_opcodes(void **state) {
    (void)state;
    static const char known[] = "\x80\x95.N\x88\x89KMJ\x8aGUTCB\x8eX\x8c()]}t\x85\x86\x87"
                                "aesuqr\x94hjc\x93RbQ";
    size_t unsupported = 0;
    for (int byte = 0; byte < 256; byte++) {
        const bool is_known = memchr(known, byte, sizeof known - 1) != NULL;
        const uint8_t bytes[] = {'N', (uint8_t)byte};
        encl_pickle *pickle = NULL;
        const encl_status status = read_with(&rules, bytes, 2, &pickle);
        if (byte == '.') {
            assert_ok(status);
            encl_pickle_free(pickle);
        } else if (status == ENCL_UNSUPPORTED) {
            assert_false(is_known);
            assert_detail_has("byte 1: found the opcode ");
            unsupported++;
        } else {
            assert_int_equal(status, ENCL_FORMAT);
        }
    }
    assert_int_equal(unsupported, 28);
    refuses("ios\nsystem\n.", ENCL_UNSUPPORTED, "opcode INST");
    refuses("(o.", ENCL_UNSUPPORTED, "opcode OBJ");
    refuses("N2.", ENCL_UNSUPPORTED, "byte 1: found the opcode DUP");
    refuses("N)\x81.", ENCL_UNSUPPORTED, "opcode NEWOBJ");
    refuses("\x82\x01.", ENCL_UNSUPPORTED, "opcode EXT1");
    refuses("I1\n.", ENCL_UNSUPPORTED, "opcode INT");
    refuses("\xff", ENCL_FORMAT, "0xff");
}

static void keeps_to_the_protocol(void **state) {
    (void)state;
    encl_pickle *pickle = NULL;
    refuses("\x80\x05N.", ENCL_UNSUPPORTED, "protocol 5");
    refuses("\x80\xffN.", ENCL_UNSUPPORTED, "protocol 255");
    assert_fails(read_with(&old_rules, "\x80\x03N.", 4, &pickle), ENCL_UNSUPPORTED, "an old test");
    assert_fails(read_with(&old_rules, "C\x00.", 3, &pickle), ENCL_UNSUPPORTED, "SHORT_BINBYTES");
    assert_fails(read_with(&old_rules, "N\x94.", 3, &pickle), ENCL_UNSUPPORTED, "MEMOIZE");
    assert_fails(read_with(&old_rules, "NQ.", 3, &pickle), ENCL_UNSUPPORTED, "a persistent id");
    assert_ok(read_with(&old_rules, "\x80\x02N.", 4, &pickle));
    encl_pickle_free(pickle);
}

static void refuses_wrong_stacks(void **state) {
    (void)state;
    refuses("", ENCL_FORMAT, "the end");
    refuses("N", ENCL_FORMAT, "expected the pickle to go on to STOP");
    refuses(".", ENCL_FORMAT, "an empty stack");
    refuses("(.", ENCL_FORMAT, "a mark");
    refuses("NN.", ENCL_FORMAT, "more than one value");
    refuses("(N.", ENCL_FORMAT, "more than one value");
    refuses("t.", ENCL_FORMAT, "no mark");
    refuses("N\x86.", ENCL_FORMAT, "TUPLE2: found an empty stack");
    refuses("(N\x86.", ENCL_FORMAT, "TUPLE2: found a mark");
    refuses("NNa.", ENCL_FORMAT, "APPEND: found None, expected a list");
    refuses("}Na.", ENCL_FORMAT, "found a dict, expected a list");
    refuses("](Nu.", ENCL_FORMAT, "found a list, expected a dict");
    refuses("(Ne.", ENCL_FORMAT, "an empty stack");
    refuses("}(Nu.", ENCL_FORMAT, "a key without value");
    refuses("(q\x00.", ENCL_FORMAT, "BINPUT: found a mark");
    refuses("h\x00.", ENCL_FORMAT, "nothing was put");
    refuses("Nq\x01h\x00.", ENCL_FORMAT, "nothing was put");
    refuses("Nj\xff\xff\xff\xff.", ENCL_FORMAT, "nothing was put");
    refuses("Q.", ENCL_FORMAT, "BINPERSID: found an empty stack");
    refuses("NN\x93.", ENCL_FORMAT, "two texts");
    refuses("U\x01"
            "aU\x01"
            "b\x93.",
            ENCL_FORMAT, "two texts");
    refuses("N)R.", ENCL_FORMAT, "REDUCE: found None");
    refuses("cshop\nThing\nNR.", ENCL_FORMAT, "REDUCE: found None");
    refuses("cshop\nThing\n)R)R.", ENCL_FORMAT, "REDUCE: found an object");
    refuses("ccollections\nOrderedDict\nN\x85R.", ENCL_FORMAT, "arguments for a dict");
    refuses("NNb.", ENCL_FORMAT, "BUILD: found None");
    refuses("]Nb.", ENCL_FORMAT, "BUILD: found a list");
    refuses("cshop\nThing\nNb.", ENCL_FORMAT, "BUILD: found a global");
    refuses("cshop\nThing\n)RNbNb.", ENCL_FORMAT, "a second state");
    refuses("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00.", ENCL_UNSUPPORTED, "9 bytes");
}

// Every opcode that is followed by a length or an index, with 0, 1, what is there, one more and the largest.
static void checks_lengths(void **state) {
    (void)state;
    static const struct {
        char opcode;
        size_t bytes;
    } rows[] = {{'U', 1}, {'T', 4}, {'C', 1}, {'B', 4}, {'\x8e', 8}, {'X', 4}, {'\x8c', 1}, {'\x8a', 1}, {'\x95', 8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint64_t most = rows[i].bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * rows[i].bytes)) - 1;
        const uint64_t lengths[] = {0, 1, 2, 3, 4, most, most / 2, most / 2 + 1, most - 1};
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            encl_pickle *pickle = NULL;
            encl_writer writer = {0};
            write_bytes(&writer, &rows[i].opcode, 1);
            write_number(&writer, lengths[j], rows[i].bytes);
            write_literal(&writer, "N0."); // sound where two bytes are taken; '0' is an opcode that is refused
            const bool is_frame = rows[i].opcode == '\x95';
            const encl_status expected = !is_frame && lengths[j] == 2      ? ENCL_OK
                                         : lengths[j] < (is_frame ? 4 : 2) ? ENCL_UNSUPPORTED
                                                                           : ENCL_FORMAT;
            assert_int_equal(read_with(&rules, writer.bytes, writer.length, &pickle), expected);
            encl_pickle_free(pickle);
            write_free(&writer);
        }
    }
    refuses("U\x05"
            "abc.",
            ENCL_FORMAT, "SHORT_BINSTRING: found the end of the pickle 4 bytes on, expected 5 more");
    refuses("K", ENCL_FORMAT, "BININT1: found the end");
    refuses("G\x00\x00\x00\x00\x00\x00\x00", ENCL_FORMAT, "BINFLOAT");
    refuses("Nr\xff\xff\xff\xff.", ENCL_FORMAT, "an index beyond");
    refuses("Nq\x02.", ENCL_FORMAT, "an index beyond");
}

static void refuses_truncation_at_every_byte(void **state) {
    (void)state;
    static const char bytes[] = "\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94(X\x01\x00\x00\x00"
                                "acshop\nThing\nK\x01\x85R}bU\x01zM\x01\x02]G\x00\x00\x00\x00\x00\x00\x00\x00"
                                "aN\x86\x86s\x8a\x02\x01\x01Qj\x00\x00\x00\x00u.";
    encl_pickle *pickle = NULL;
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_fails(read_with(&rules, bytes, i, &pickle), ENCL_FORMAT, "found ");
    }
}

// ---- What it costs --------------------------------------------------------------------------------------------

static void takes_any_depth(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"]", "a"}, {"(", "t"}, {"N", "\x85"}, {"}N", "s"}, {"cshop\nThing\n", "R"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_pickle *pickle = NULL;
        encl_writer writer = {0};
        for (int depth = 0; depth < 10000; depth++) {
            write_bytes(&writer, rows[i][0], i == 2 && depth > 0 ? 0 : strlen(rows[i][0]));
        }
        write_literal(&writer, ")");
        for (int depth = 0; depth < 10000; depth++) {
            write_bytes(&writer, rows[i][1], strlen(rows[i][1]));
            if (i == 4) {
                write_literal(&writer, "\x85");
            }
        }
        write_literal(&writer, ".");
        // Whether it is sound or not does not matter: it takes no stack of the machine's.
        const encl_status status = read_with(&rules, writer.bytes, writer.length, &pickle);
        assert_true(status == ENCL_OK || status == ENCL_FORMAT);
        encl_pickle_free(pickle);
        write_free(&writer);
    }
}

static void takes_cycles(void **state) {
    (void)state;
    encl_pickle *pickle = NULL;
    reads("]q\x00h\x00"
          "a.",
          &pickle);
    assert_ptr_equal(pickle->root->items[0], pickle->root);
    encl_pickle_free(pickle);
    reads("}q\x00Nh\x00s.", &pickle);
    assert_ptr_equal(pickle->root->items[1], pickle->root);
    encl_pickle_free(pickle);
    reads("cshop\nThing\n)Rq\x00h\x00"
          "b.",
          &pickle);
    assert_ptr_equal(pickle->root->state, pickle->root);
    encl_pickle_free(pickle);
}

// A list of twice the list before it, forty times: 2⁴⁰ values to one who copied.
static void shares_what_the_memo_holds(void **state) {
    (void)state;
    encl_pickle *pickle = NULL;
    encl_writer writer = {0};
    write_literal(&writer, "]");
    for (int i = 0; i < 40; i++) {
        write_literal(&writer, "q");
        write_number(&writer, (uint64_t)i, 1);
        write_literal(&writer, "h");
        write_number(&writer, (uint64_t)i, 1);
        write_literal(&writer, "\x86");
    }
    write_literal(&writer, ".");
    assert_ok(read_with(&rules, writer.bytes, writer.length, &pickle));
    assert_in_range(pickle->value_count, 41, 41);
    encl_pickle_free(pickle);
    write_free(&writer);
}

// Repeats a piece of a pickle until it fails; nothing goes on for ever.
static void has_limits(void **state) {
    (void)state;
    static const struct {
        const char *piece;
        const char *part;
    } rows[] = {{"(", "on the stack"}, {"N", "on the stack"}, {"K\x01", "on the stack"}, {"K\x01\x85(t\x86", "stack"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        encl_pickle *pickle = NULL;
        encl_writer writer = {0};
        while (writer.length < 1 << 20) {
            write_bytes(&writer, rows[i].piece, strlen(rows[i].piece));
        }
        assert_fails(read_with(&rules, writer.bytes, writer.length, &pickle), ENCL_UNSUPPORTED, rows[i].part);
        write_free(&writer);
    }
    encl_pickle *pickle = NULL;
    encl_writer writer = {0};
    write_literal(&writer, "]");
    while (writer.length < 3 * (1 << 21)) {
        write_literal(&writer, "]a");
    }
    assert_fails(read_with(&rules, writer.bytes, writer.length, &pickle), ENCL_UNSUPPORTED, "values");
    write_free(&writer);
}

static encl_status read_quietly(encl_checkpoint *checkpoint, const char *place, const encl_file *file) {
    (void)checkpoint;
    encl_pickle *pickle = NULL;
    const encl_status status = encl_pickle_read(&rules, place, file->data, file->size, 0, &pickle);
    encl_pickle_free(pickle);
    return status;
}

// Programs of known opcodes in any order.
static void survives_nonsense(void **state) {
    (void)state;
    static const char known[] = "\x80\x95N\x88\x89KMJ\x8aGUTCB\x8eX\x8c()]}t\x85\x86\x87"
                                "aesuqr\x94hjc\x93RbQ((NKK)]}";
    uint64_t random = 5;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        const size_t length = 1 + draw(&random, sizeof bytes);
        for (size_t i = 0; i < length; i++) {
            const size_t choice = draw(&random, 8);
            bytes[i] = choice == 0 ? (uint8_t)draw(&random, 4) : (uint8_t)known[draw(&random, sizeof known - 1)];
        }
        bytes[length - 1] = '.';
        uint8_t *copy = exact_copy(bytes, length);
        read_any(read_quietly, copy, length);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_numbers),
        cmocka_unit_test(builds_texts),
        cmocka_unit_test(refuses_bad_names),
        cmocka_unit_test(builds_containers),
        cmocka_unit_test(keeps_calls_as_values),
        cmocka_unit_test(reads_from_the_middle),
        cmocka_unit_test(numbers_the_memo),
        cmocka_unit_test(refuses_globals_by_name),
        cmocka_unit_test(shortens_names),
        cmocka_unit_test(knows_few_opcodes),
        cmocka_unit_test(keeps_to_the_protocol),
        cmocka_unit_test(refuses_wrong_stacks),
        cmocka_unit_test(checks_lengths),
        cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(takes_any_depth),
        cmocka_unit_test(takes_cycles),
        cmocka_unit_test(shares_what_the_memo_holds),
        cmocka_unit_test(has_limits),
        cmocka_unit_test(survives_nonsense),
    };
    return encl_test_main(tests);
}
