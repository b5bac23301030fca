#include "host/task/window.h"

#include <string.h>

// ---- Windows ----------------------------------------------------------------------------------------------

void encl_windows_start(int64_t index, size_t tokens, size_t room, size_t step, encl_windows *windows) {
    *windows = (encl_windows){.tokens = tokens, .room = room, .step = step, .window.index = index};
}

bool encl_windows_next(encl_windows *windows) {
    encl_window *window = &windows->window;
    if (windows->over || window->last) {
        windows->over = true;
        return false;
    }
    // Only before the first window is a window empty and not the last.
    window->first += window->count > 0 ? windows->step : 0;
    const size_t left = windows->tokens - window->first;
    window->count = left < windows->room ? left : windows->room;
    window->last = window->count == left;
    return true;
}

// ---- Notes ------------------------------------------------------------------------------------------------

// header, starts[count], ends[count], text with its NUL
typedef struct header {
    encl_window window;
    size_t length;
    bool has_text;
} header;

encl_status encl_window_write(const encl_window *window, const encl_encoding *encoding, const char *text, size_t length,
                              encl_string *bytes) {
    encl_status status = ENCL_OK;
    const header head = {*window, length, text != NULL};
    const size_t size = window->count * sizeof(int32_t);
    bytes->length = 0;
    ENCL_TRY(encl_string_append(bytes, (const char *)&head, sizeof head));
    if (size > 0) {
        ENCL_TRY(encl_string_append(bytes, (const char *)(encoding->starts + window->first), size));
        ENCL_TRY(encl_string_append(bytes, (const char *)(encoding->ends + window->first), size));
    }
    if (text != NULL) {
        ENCL_TRY(encl_string_append(bytes, text, length));
        ENCL_TRY(encl_string_append(bytes, "", 1));
    }
cleanup:
    return status;
}

void encl_window_read(const void *bytes, encl_window_note *note) {
    const header *head = bytes;
    const int32_t *numbers = (const int32_t *)(const void *)(head + 1);
    const size_t count = head->window.count;
    *note = (encl_window_note){
        .window = head->window,
        .starts = numbers,
        .ends = numbers + count,
        .text = head->has_text ? (const char *)(numbers + 2 * count) : NULL,
        .length = head->length,
    };
}

// ---- Places -----------------------------------------------------------------------------------------------

static bool continues(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t encl_place_go(encl_place *place, int32_t code_point) {
    while (place->code_point < code_point && place->byte < place->length) {
        do {
            place->byte++;
        } while (place->byte < place->length && continues(place->text[place->byte]));
        place->code_point++;
    }
    while (place->code_point > code_point && place->byte > 0) {
        do {
            place->byte--;
        } while (place->byte > 0 && continues(place->text[place->byte]));
        place->code_point--;
    }
    return place->byte;
}
