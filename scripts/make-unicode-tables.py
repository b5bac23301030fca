#!/usr/bin/env python3
"""Writes host/text/unicode_ranges.c: the Unicode properties that decide where tokens begin and end.

usage: make-unicode-tables.py > host/text/unicode_ranges.c
needs: Python 3.11 or later (lower case of Unicode 14.0 at least) and unicodedataplus 16.0 (Age)

The Hugging Face tokenizers library keeps the data of several Unicode versions at once, each in a crate of its own,
and a vocabulary was trained with what they say. So each property is pinned to the version that it has there:
punctuation and nonspacing marks to 8.0, canonical decomposition and order to 9.0, lower case to 17.0.
"""

import sys

import unicodedataplus

# Capital letters that came with Unicode 16.0 and 17.0: first, last, step, distance to the small letter. A utf8proc
# older than these does not know them.
NEW_CAPITALS = [
    (0x1C89, 0x1C89, 1, 1),
    (0xA7CB, 0xA7CB, 1, 0x0264 - 0xA7CB),
    (0xA7CC, 0xA7CE, 2, 1),
    (0xA7D2, 0xA7D4, 2, 1),
    (0xA7DA, 0xA7DA, 1, 1),
    (0xA7DC, 0xA7DC, 1, 0x019B - 0xA7DC),
    (0x10D50, 0x10D65, 1, 0x20),
    (0x16EA0, 0x16EB8, 1, 0x1B),
]
ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def age(code_point):
    text = unicodedataplus.age(chr(code_point))
    parts = text.split(".") if text and text[0].isdigit() else ["99", "0"]
    return int(parts[0]), int(parts[1])


def category(code_point):
    return unicodedataplus.category(chr(code_point))


def punctuation(code_point):
    # U+166D and U+111C9 changed their category after 8.0.
    return code_point in (0x166D, 0x111C9) or (age(code_point) <= (8, 0) and category(code_point).startswith("P"))


def mark(code_point):
    # The exceptions changed their category between 8.0 and 16.0.
    if code_point in (0x1885, 0x1886, 0xA9BD, 0x111C9):
        return False
    return code_point in (0x1734, 0x1171E) or (age(code_point) <= (8, 0) and category(code_point) == "Mn")


def decomposes(code_point):
    text = chr(code_point)
    return age(code_point) <= (9, 0) and unicodedataplus.normalize("NFD", text) != text


def ordered(code_point):
    return age(code_point) <= (9, 0) and unicodedataplus.combining(chr(code_point)) != 0


def cased(code_point):
    return age(code_point) <= (14, 0) and chr(code_point).lower() != chr(code_point)


def ranges(code_points):
    """[first, last, step] rows; step 2 where every other code point has the property, as in bicameral blocks."""
    rows = []
    for c in code_points:
        if rows and c - rows[-1][1] == rows[-1][2]:
            rows[-1][1] = c
        elif rows and rows[-1][0] == rows[-1][1] and c - rows[-1][1] == 2:
            rows[-1][1:] = [c, 2]
        else:
            rows.append([c, c, 1])
    return rows


def write_rows(name, rows):
    cells = ["{0x%04X, 0x%04X, %d}," % tuple(row) for row in rows]
    print(f"const encl_unicode_range {name}[] = {{")
    for i in range(0, len(cells), 4):
        print("    " + " ".join(cells[i : i + 4]))
    print("};")
    print(f"const size_t {name}_count = {len(rows)};\n")


def main():
    if unicodedataplus.unidata_version != "16.0.0":
        sys.exit(f"unicodedataplus has Unicode {unicodedataplus.unidata_version}, expected 16.0.0")
    print("// Made by scripts/make-unicode-tables.py from the Unicode Character Database; do not edit.")
    print("// clang-format off")
    print('#include "host/text/unicode.h"\n')
    print("// General category P*, Unicode 8.0.")
    write_rows("encl_unicode_punctuation", ranges(c for c in ALL if punctuation(c)))
    print("// General category Mn, Unicode 8.0.")
    write_rows("encl_unicode_marks", ranges(c for c in ALL if mark(c)))
    print("// Has a canonical decomposition, Unicode 9.0.")
    write_rows("encl_unicode_decomposed", ranges(c for c in ALL if decomposes(c)))
    print("// Canonical combining class is not 0, Unicode 9.0.")
    write_rows("encl_unicode_ordered", ranges(c for c in ALL if ordered(c)))
    print("// Lower case differs, up to Unicode 14.0 (utf8proc has the mapping) and of NEW_CAPITALS below.")
    write_rows("encl_unicode_cased", ranges(c for c in ALL if cased(c)))
    print("// Capital letters of Unicode 16.0 and 17.0, with the distance to their small letters.")
    print("const encl_unicode_capital encl_unicode_new_capitals[] = {")
    for first, last, step, distance in NEW_CAPITALS:
        print(f"    {{{{0x{first:04X}, 0x{last:04X}, {step}}}, {distance}}},")
    print("};")
    print(f"const size_t encl_unicode_new_capitals_count = {len(NEW_CAPITALS)};")


if __name__ == "__main__":
    main()
