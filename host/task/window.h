// Windows over texts that are longer than a model takes, for the tasks that say where in a text something is.
//
//   tokens   0 1 2 3 4 5 6 7 8 9      room 5, overlap 2, so step 3
//   windows  0 1 2 3 4
//                  3 4 5 6 7
//                        6 7 8 9      one reaches the end: the last
#ifndef ENCL_TASK_WINDOW_H
#define ENCL_TASK_WINDOW_H

#include "host/encl_model.h"
#include "runtime/base/memory.h"

// One window: tokens [first, first + count) of a text.
typedef struct encl_window {
    int64_t index; // of the text
    size_t first, count;
    bool last; // of the text
} encl_window;

// The windows of one text, in turn.
typedef struct encl_windows {
    size_t tokens; // of the text
    size_t room;   // of a window, at least 1 where there are tokens
    size_t step;   // from one window's start to the next's, 1 … room
    encl_window window;
    bool over;
} encl_windows;

// A text without tokens has one window, an empty one.
void encl_windows_start(int64_t index, size_t tokens, size_t room, size_t step, encl_windows *windows);
// Moves to the next window; false where there is none.
bool encl_windows_next(encl_windows *windows);

// What has to be known again when a window's logits are there; travels as a sequence's note.
typedef struct encl_window_note {
    encl_window window;
    const int32_t *starts; // [window.count] code points of the text
    const int32_t *ends;
    const char *text; // the text, NUL-terminated; NULL: it did not come along
    size_t length;    // its bytes; where there is none, what the task put there
} encl_window_note;

// Writes the note of a window over an encoding (which holds the text's tokens only) into bytes. text may be NULL, as it
// is needed once.
encl_status encl_window_write(const encl_window *window, const encl_encoding *encoding, const char *text, size_t length,
                              encl_string *bytes);
// Reads it; pointers go into the bytes.
void encl_window_read(const void *bytes, encl_window_note *note);

// A place in valid UTF-8: code point and byte. Zero-initialise but for the text.
typedef struct encl_place {
    const char *text;
    size_t length;
    int32_t code_point;
    size_t byte;
} encl_place;
// Goes to a code point, forward or back, as far as the text reaches; gives its byte.
size_t encl_place_go(encl_place *place, int32_t code_point);

#endif
