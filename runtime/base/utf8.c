// UTF-8 as RFC 3629 and Unicode table 3-7 define it.
#include <string.h>

#include "runtime/base/json.h"

// Bytes of the character that starts `text`, 0 where it is no well-formed one.
static size_t character_bytes(const unsigned char *text, size_t length) {
    const unsigned char lead = text[0];
    if (lead < 0x80) {
        return 1;
    }
    const size_t bytes = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (lead < 0xc2 || bytes == 0 || bytes > length) {
        return 0;
    }
    // The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF.
    const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

size_t encl_utf8_valid_prefix(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t position = 0;
    while (position < length) {
        uint64_t eight;
        if (length - position >= sizeof eight) {
            memcpy(&eight, bytes + position, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                position += sizeof eight;
                continue;
            }
        }
        const size_t taken = character_bytes(bytes + position, length - position);
        if (taken == 0) {
            break;
        }
        position += taken;
    }
    return position;
}

void encl_utf8_make_printable(char *text, size_t length) {
    for (size_t bad = encl_utf8_valid_prefix(text, length); bad < length;
         bad += encl_utf8_valid_prefix(text + bad, length - bad)) {
        text[bad] = '?';
    }
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == 0x7f) {
            text[i] = ' ';
        }
    }
}
