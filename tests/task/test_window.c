// Windows over tokens, the notes that travel with them, and places in UTF-8.
#include "test.h"

#include <string.h>

#include "host/task/window.h"

// Every token is in a window, windows begin `step` apart, and only the last reaches the end.
static void check_windows(size_t tokens, size_t room, size_t step) {
    encl_windows windows;
    size_t count = 0;
    size_t covered = 0;
    encl_windows_start(7, tokens, room, step, &windows);
    while (encl_windows_next(&windows)) {
        const encl_window *window = &windows.window;
        assert_int_equal(window->index, 7);
        assert_int_equal(window->first, count * step);
        assert_true(window->first <= covered);
        assert_true(window->count <= room);
        assert_int_equal(window->last, window->first + window->count == tokens);
        assert_true(window->last || window->count == room);
        covered = window->first + window->count;
        count++;
    }
    assert_int_equal(covered, tokens);
    const size_t expected = tokens <= room ? 1 : 1 + (tokens - room + step - 1) / step;
    assert_int_equal(count, expected);
    assert_false(encl_windows_next(&windows));
    assert_false(encl_windows_next(&windows));
}

static void windows_cover_the_text(void **state) {
    (void)state;
    for (size_t tokens = 0; tokens < 40; tokens++) {
        for (size_t room = 1; room < 12; room++) {
            for (size_t step = 1; step <= room; step++) {
                check_windows(tokens, room, step);
            }
        }
    }
    check_windows(0, 0, 0); // a question that fills the window, and an empty context
}

static void notes_come_back(void **state) {
    (void)state;
    int32_t starts[] = {0, 1, 2, 3};
    int32_t ends[] = {1, 2, 3, 9};
    const encl_encoding encoding = {.starts = starts, .ends = ends, .count = 4};
    const encl_window window = {.index = 3, .first = 1, .count = 3, .last = true};
    encl_string bytes = {0};
    encl_window_note note;
    for (int turn = 0; turn < 2; turn++) { // a note replaces the one before
        assert_ok(encl_window_write(&window, &encoding, "text!!!", 4, &bytes));
        encl_window_read(bytes.text, &note);
        assert_int_equal(note.window.index, 3);
        assert_int_equal(note.window.first, 1);
        assert_int_equal(note.window.count, 3);
        assert_true(note.window.last);
        assert_memory_equal(note.starts, starts + 1, 3 * sizeof *starts);
        assert_memory_equal(note.ends, ends + 1, 3 * sizeof *ends);
        assert_string_equal(note.text, "text");
        assert_int_equal(note.length, 4);
        assert_true(note.text + 5 == bytes.text + bytes.length);
    }
    assert_ok(encl_window_write(&window, &encoding, NULL, 12, &bytes));
    encl_window_read(bytes.text, &note);
    assert_null(note.text);
    assert_int_equal(note.length, 12);
    assert_ok(encl_window_write(&(encl_window){.last = true}, &(encl_encoding){0}, "", 0, &bytes));
    encl_window_read(bytes.text, &note);
    assert_string_equal(note.text, "");
    encl_string_free(&bytes);
}

static void places_go_both_ways(void **state) {
    (void)state;
    static const char text[] = "a\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80z"; // a é 你 😀 z
    static const size_t bytes[] = {0, 1, 3, 6, 10, 11};
    encl_place place = {.text = text, .length = strlen(text)};
    for (int32_t from = 0; from < 6; from++) {
        for (int32_t to = 0; to < 6; to++) {
            assert_int_equal(encl_place_go(&place, from), bytes[from]);
            assert_int_equal(encl_place_go(&place, to), bytes[to]);
        }
    }
    assert_int_equal(encl_place_go(&place, 100), strlen(text)); // no farther than the text
    assert_int_equal(encl_place_go(&place, -1), 0);
    encl_place empty = {.text = ""};
    assert_int_equal(encl_place_go(&empty, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_text),
        cmocka_unit_test(notes_come_back),
        cmocka_unit_test(places_go_both_ways),
    };
    return encl_test_main(tests);
}
