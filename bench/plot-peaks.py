#!/usr/bin/env python3
"""Draws how fast a device reads, writes and copies buffers by their size, as an SVG picture.

usage: encl bench peak --csv peaks.csv; bench/plot-peaks.py peaks.csv > bandwidth.svg
"""

import csv
import sys

sys.dont_write_bytecode = True

from lib.chart import Chart  # noqa: E402

UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
CURVES = ("read", "write", "copy")


def points(path):
    curves = {name: [] for name in CURVES}
    device = ""
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            words = row["case_id"].split()  # peak read 16 KiB
            if len(words) == 4 and words[1] in curves and row["status"] == "ok":
                curves[words[1]].append((int(words[2]) * UNITS[words[3]], float(row["value"])))
                device = row.get("device_name") or device
    return device, {name: values for name, values in curves.items() if values}


def size_text(size):
    unit = max((u for u in UNITS if UNITS[u] <= size), key=UNITS.get)
    return f"{size // UNITS[unit]} {unit}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    device, curves = points(sys.argv[1])
    if not curves:
        sys.exit(f"{sys.argv[1]}: found no bandwidth, expected rows such as 'peak read 16 KiB'")
    title = f"Bandwidth by buffer size{': ' + device if device else ''}"
    chart = Chart(title, "buffer size", "GB/s", y_logarithmic=True, x_text=size_text)
    for name, values in curves.items():
        chart.curve(name, values)
    print(chart.svg(), end="")


if __name__ == "__main__":
    main()
