#!/usr/bin/env python3
"""Draws how fast a device reads, writes and copies buffers by their size, as an SVG picture.

usage: encl bench peak --csv peaks.csv; bench/plot-peaks.py peaks.csv > bandwidth.svg
"""
import csv
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 62, 84, 24, 48
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
CURVES = {"read": ("#2563b8", ""), "write": ("#b8540c", "7 4"), "copy": ("#1e7a45", "2 4")}


def points(path):
    curves = {name: [] for name in CURVES}
    device = ""
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            words = row["case_id"].split()  # peak read 16 KiB
            if len(words) == 4 and words[1] in curves and row["status"] == "ok":
                curves[words[1]].append((int(words[2]) * UNITS[words[3]], float(row["value"])))
                device = row.get("device_name") or device
    return device, {name: sorted(values) for name, values in curves.items() if values}


def size_text(size):
    unit = max((u for u in UNITS if UNITS[u] <= size), key=UNITS.get)
    return f"{size // UNITS[unit]} {unit}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    device, curves = points(sys.argv[1])
    if not curves:
        sys.exit(f"{sys.argv[1]}: found no bandwidth, expected rows such as 'peak read 16 KiB'")
    sizes = [size for values in curves.values() for size, _ in values]
    rates = [rate for values in curves.values() for _, rate in values]
    low = 10 ** math.floor(math.log10(min(rates)))
    high = max(rates) * 1.3

    def x(size):
        part = math.log(size / min(sizes)) / math.log(max(sizes) / min(sizes))
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(rate):
        return HEIGHT - BOTTOM - math.log(rate / low) / math.log(high / low) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f"<title>Bandwidth by buffer size{': ' + device if device else ''}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    rate = low
    while rate <= high:
        for step in (1, 2, 5):
            if low <= rate * step <= high:
                at = y(rate * step)
                out.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#dfe3ea"/>')
                out.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" fill="#3c4454">{rate * step:g}</text>')
        rate *= 10
    for i, size in enumerate(sorted(set(sizes))):
        if i % 2 == 0:
            out.append(
                f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#3c4454">{size_text(size)}</text>'
            )
    for name, values in curves.items():
        colour, dash = CURVES[name]
        path = "L".join(f"{x(size):.1f} {y(rate):.1f}" for size, rate in values)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    ends = sorted((y(values[-1][1]), name) for name, values in curves.items())
    at = -math.inf
    for end, name in ends:
        at = max(at + 15, end)  # labels keep apart
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{at + 4:.1f}" fill="{CURVES[name][0]}">{name}</text>')
    out.append(f'<text x="{LEFT}" y="14" fill="#3c4454">GB/s</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end" fill="#3c4454">buffer size</text>')
    print("\n".join(out) + "\n</svg>")


if __name__ == "__main__":
    main()
