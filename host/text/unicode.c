#include "host/text/unicode.h"

#include <string.h>

#include <utf8proc.h>

// Of Unicode White_Space, cleaning drops U+000B, U+000C and U+0085 and keeps the rest.
static const encl_unicode_range spaces[] = {
    {0x9, 0xA, 1},       {0xD, 0xD, 1},       {0x20, 0x20, 1},     {0xA0, 0xA0, 1},     {0x1680, 0x1680, 1},
    {0x2000, 0x200A, 1}, {0x2028, 0x2029, 1}, {0x202F, 0x202F, 1}, {0x205F, 0x205F, 1}, {0x3000, 0x3000, 1},
};

// Cc, Cf and Co as the reference's Unicode data has them, and U+FFFD.
static const encl_unicode_range dropped[] = {
    {0x0, 0x8, 1},         {0xB, 0xC, 1},         {0xE, 0x1F, 1},        {0x7F, 0x9F, 1},       {0xAD, 0xAD, 1},
    {0x600, 0x605, 1},     {0x61C, 0x61C, 1},     {0x6DD, 0x6DD, 1},     {0x70F, 0x70F, 1},     {0x180E, 0x180E, 1},
    {0x200B, 0x200F, 1},   {0x202A, 0x202E, 1},   {0x2060, 0x2064, 1},   {0x2066, 0x206F, 1},   {0xE000, 0xF8FF, 1},
    {0xFEFF, 0xFEFF, 1},   {0xFFF9, 0xFFFB, 1},   {0xFFFD, 0xFFFD, 1},   {0x110BD, 0x110BD, 1}, {0x1BCA0, 0x1BCA3, 1},
    {0x1D173, 0x1D17A, 1}, {0xE0001, 0xE0001, 1}, {0xE0020, 0xE007F, 1}, {0xF0000, 0xFFFFD, 1}, {0x100000, 0x10FFFD, 1},
};

// The blocks that BERT calls Chinese characters; U+2B820 to U+2B91F are left out by the reference.
static const encl_unicode_range ideographs[] = {
    {0x3400, 0x4DBF, 1},   {0x4E00, 0x9FFF, 1},   {0xF900, 0xFAFF, 1},   {0x20000, 0x2A6DF, 1},
    {0x2A700, 0x2B81F, 1}, {0x2B920, 0x2CEAF, 1}, {0x2F800, 0x2FA1F, 1},
};

static const encl_unicode_range ascii_punctuation[] = {
    {0x21, 0x2F, 1}, {0x3A, 0x40, 1}, {0x5B, 0x60, 1}, {0x7B, 0x7E, 1}};

// One row a property; the generated counts are no constant expressions, hence pointers.
static const struct {
    const encl_unicode_range *ranges;
    const size_t *count; // NULL: `fixed`
    size_t fixed;
    uint8_t class;
} properties[] = {
    {spaces, NULL, sizeof spaces / sizeof spaces[0], ENCL_UNICODE_SPACE},
    {dropped, NULL, sizeof dropped / sizeof dropped[0], ENCL_UNICODE_DROP},
    {ideographs, NULL, sizeof ideographs / sizeof ideographs[0], ENCL_UNICODE_CJK},
    {ascii_punctuation, NULL, sizeof ascii_punctuation / sizeof ascii_punctuation[0], ENCL_UNICODE_PUNCTUATION},
    {encl_unicode_punctuation, &encl_unicode_punctuation_count, 0, ENCL_UNICODE_PUNCTUATION},
    {encl_unicode_marks, &encl_unicode_marks_count, 0, ENCL_UNICODE_MARK},
    {encl_unicode_decomposed, &encl_unicode_decomposed_count, 0, ENCL_UNICODE_DECOMPOSED},
    {encl_unicode_ordered, &encl_unicode_ordered_count, 0, ENCL_UNICODE_ORDERED},
    {encl_unicode_cased, &encl_unicode_cased_count, 0, ENCL_UNICODE_CASED},
};
enum { PROPERTIES = sizeof properties / sizeof properties[0] };

static size_t property_count(size_t property) {
    return properties[property].count != NULL ? *properties[property].count : properties[property].fixed;
}

static bool in_range(const encl_unicode_range *range, uint32_t code_point) {
    return code_point >= range->first && code_point <= range->last && (code_point - range->first) % range->step == 0;
}

// Ranges ascend and are disjoint.
static bool in_ranges(const encl_unicode_range *ranges, size_t count, uint32_t code_point) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (ranges[middle].first <= code_point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && in_range(&ranges[low - 1], code_point);
}

static const encl_unicode_capital *new_capital(uint32_t code_point) {
    for (size_t i = 0; i < encl_unicode_new_capitals_count; i++) {
        if (in_range(&encl_unicode_new_capitals[i].range, code_point)) {
            return &encl_unicode_new_capitals[i];
        }
    }
    return NULL;
}

static void fill_range(uint8_t classes[ENCL_UNICODE_TABLE], const encl_unicode_range *range, uint8_t class) {
    for (uint32_t c = range->first; c <= range->last && c < ENCL_UNICODE_TABLE; c += range->step) {
        classes[c] |= class;
    }
}

void encl_unicode_fill(uint8_t classes[ENCL_UNICODE_TABLE]) {
    memset(classes, 0, ENCL_UNICODE_TABLE);
    for (size_t p = 0; p < PROPERTIES; p++) {
        const size_t count = property_count(p);
        for (size_t i = 0; i < count; i++) {
            fill_range(classes, &properties[p].ranges[i], properties[p].class);
        }
    }
    for (size_t i = 0; i < encl_unicode_new_capitals_count; i++) {
        fill_range(classes, &encl_unicode_new_capitals[i].range, ENCL_UNICODE_CASED);
    }
}

uint8_t encl_unicode_classes(uint32_t code_point) {
    uint8_t classes = new_capital(code_point) != NULL ? ENCL_UNICODE_CASED : 0;
    for (size_t p = 0; p < PROPERTIES; p++) {
        if (in_ranges(properties[p].ranges, property_count(p), code_point)) {
            classes |= properties[p].class;
        }
    }
    return classes;
}

size_t encl_unicode_decompose(uint32_t code_point, uint32_t parts[ENCL_UNICODE_PARTS]) {
    utf8proc_int32_t found[ENCL_UNICODE_PARTS];
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char((utf8proc_int32_t)code_point, found, ENCL_UNICODE_PARTS, UTF8PROC_DECOMPOSE, &boundary);
    if (count < 1 || count > ENCL_UNICODE_PARTS) {
        parts[0] = code_point;
        return 1;
    }
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        parts[i] = (uint32_t)found[i];
    }
    return (size_t)count;
}

uint8_t encl_unicode_order(uint32_t code_point) {
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)code_point)->combining_class;
}

uint32_t encl_unicode_lower(uint32_t code_point) {
    if (code_point < 0x80) {
        return code_point | 0x20;
    }
    const encl_unicode_capital *capital = new_capital(code_point);
    return capital != NULL ? (uint32_t)((int32_t)code_point + capital->distance)
                           : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
}

bool encl_unicode_is_space(uint32_t code_point) {
    return (code_point >= 0x9 && code_point <= 0xD) || code_point == 0x85 ||
           in_ranges(spaces, sizeof spaces / sizeof spaces[0], code_point);
}

bool encl_unicode_is_word(uint32_t code_point) {
    if (code_point >= 0x24B6 && code_point <= 0x24E9) {
        return true; // circled letters: Other_Alphabetic, though symbols
    }
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return code_point == 0x200C || code_point == 0x200D; // Join_Control
    }
}

bool encl_unicode_is_letter(uint32_t code_point) {
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return true;
    default:
        return false;
    }
}

bool encl_unicode_is_number(uint32_t code_point) {
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
    return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

bool encl_unicode_is_decimal(uint32_t code_point) {
    return utf8proc_category((utf8proc_int32_t)code_point) == UTF8PROC_CATEGORY_ND;
}

// Numeric_Type = Digit (UnicodeData.txt of 14.0, column 7 without column 6).
static const encl_unicode_range digits[] = {
    {0xB2, 0xB3, 1},     {0xB9, 0xB9, 1},       {0x1369, 0x1371, 1},   {0x19DA, 0x19DA, 1},   {0x2070, 0x2070, 1},
    {0x2074, 0x2079, 1}, {0x2080, 0x2089, 1},   {0x2460, 0x2468, 1},   {0x2474, 0x247C, 1},   {0x2488, 0x2490, 1},
    {0x24EA, 0x24EA, 1}, {0x24F5, 0x24FD, 1},   {0x24FF, 0x24FF, 1},   {0x2776, 0x277E, 1},   {0x2780, 0x2788, 1},
    {0x278A, 0x2792, 1}, {0x10A40, 0x10A43, 1}, {0x10E60, 0x10E68, 1}, {0x11052, 0x1105A, 1}, {0x1F100, 0x1F10A, 1},
};

bool encl_unicode_is_digit(uint32_t code_point) {
    return encl_unicode_is_decimal(code_point) || in_ranges(digits, sizeof digits / sizeof digits[0], code_point);
}
