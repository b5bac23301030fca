"""Curves as an SVG picture: axes, a legend at the curves' ends, nothing else."""

import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 62, 104, 28, 48
INK, GRID, BAND = "#3c4454", "#dfe3ea", "#eef3ee"
STROKES = [("#2563b8", ""), ("#b8540c", "7 4"), ("#1e7a45", "2 4"), ("#7a3fa0", "9 3 2 3")]
LABEL_HEIGHT = 15


class Axis:
    """From numbers to places. Linear axes begin at 0, logarithmic ones at the smallest number."""

    def __init__(self, values, begin, end, logarithmic):
        self.begin, self.end, self.logarithmic = begin, end, logarithmic
        self.least = min(values) if logarithmic else 0
        self.most = max(values) if max(values) > self.least else self.least * 2 + 1

    def place(self, value):
        if self.logarithmic:
            part = math.log(value / self.least) / math.log(self.most / self.least)
        else:
            part = (value - self.least) / (self.most - self.least)
        return self.begin + part * (self.end - self.begin)

    def marks(self):
        """1, 2 and 5 times powers of ten: all of them where they are powers apart, else about six in even steps."""
        if self.logarithmic:
            low, high = math.floor(math.log10(self.least)), math.ceil(math.log10(self.most))
            marks = [step * 10.0**power for power in range(low, high + 1) for step in (1, 2, 5)]
        else:
            rough = (self.most - self.least) / 6
            unit = 10.0 ** math.floor(math.log10(rough))
            step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
            marks = [step * i for i in range(int(self.most / step) + 1)]
        return [mark for mark in marks if self.least <= mark <= self.most]


class Chart:
    def __init__(self, title, x_title, y_title, x_logarithmic=True, y_logarithmic=False, x_text="{:g}".format):
        self.title, self.x_title, self.y_title = title, x_title, y_title
        self.x_logarithmic, self.y_logarithmic, self.x_text = x_logarithmic, y_logarithmic, x_text
        self.curves = []
        self.bands = []

    def curve(self, name, points):
        """points: (x, y), above 0 where the axis is logarithmic."""
        if points:
            self.curves.append((name, sorted(points)))

    def band(self, x_range, y_range):
        """A part of the plane that is shaded, behind the curves."""
        self.bands.append((x_range, y_range))

    def svg(self):
        points = [point for _, values in self.curves for point in values]
        xs = sorted({x for x, _ in points})
        x = Axis(xs, LEFT, WIDTH - RIGHT, self.x_logarithmic)
        y = Axis([y * scale for _, y in points for scale in (1, 1.08)], HEIGHT - BOTTOM, TOP, self.y_logarithmic)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            f"<title>{html.escape(self.title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        ]
        for (left, right), (low, high) in self.bands:
            parts.append(
                f'<rect x="{x.place(left):.1f}" y="{y.place(high):.1f}" width="{x.place(right) - x.place(left):.1f}" '
                f'height="{y.place(low) - y.place(high):.1f}" fill="{BAND}"/>'
            )
        parts += self.grid(xs, x, y) + self.lines(x, y) + self.labels(y)
        parts.append(text(LEFT, 14, self.y_title, "start"))
        parts.append(text(WIDTH - RIGHT, HEIGHT - 8, self.x_title, "end"))
        return "\n".join(parts) + "\n</svg>\n"

    def grid(self, xs, x, y):
        parts = []
        for mark in y.marks():
            at = y.place(mark)
            parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            parts.append(text(LEFT - 8, at + 4, f"{mark:g}", "end"))
        step = math.ceil(len(xs) / 10)  # as many as can be read
        parts += [text(x.place(value), HEIGHT - BOTTOM + 18, self.x_text(value), "middle") for value in xs[::step]]
        return parts

    def lines(self, x, y):
        parts = []
        for i, (_, values) in enumerate(self.curves):
            colour, dash = STROKES[i % len(STROKES)]
            places = [(f"{x.place(a):.1f}", f"{y.place(b):.1f}") for a, b in values]
            path = "L".join(f"{a} {b}" for a, b in places)
            parts.append(
                f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"'
                + (f' stroke-dasharray="{dash}"/>' if dash else "/>")
            )
            if len(values) <= 16:
                parts += [f'<circle cx="{a}" cy="{b}" r="2.5" fill="{colour}"/>' for a, b in places]
        return parts

    def labels(self, y):
        """The curves' names at their ends, kept apart."""
        ends = sorted((y.place(values[-1][1]), i) for i, (_, values) in enumerate(self.curves))
        parts, at = [], -math.inf
        for end, i in ends:
            at = max(at + LABEL_HEIGHT, end)
            parts.append(text(WIDTH - RIGHT + 8, at + 4, self.curves[i][0], "start", STROKES[i % len(STROKES)][0]))
        return parts


def text(x, y, words, anchor, colour=INK):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html.escape(words)}</text>'
