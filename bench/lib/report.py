"""The table of a comparison, as Markdown, and a file with every sample."""

import json
import os

from lib import cells


def number(value, decimals):
    return "" if value is None else f"{value:,.{decimals}f}"


def limit_text(cell):
    limit = cells.limit_of(cell.key)
    if limit is None:
        return ""
    if cell.key.work == "first-run":
        return f"≤ {limit:g} s"
    return f"{'≥' if cell.work.higher_is_better else '≤'} {limit:g}"


def failure_text(series):
    return series.failure.replace("|", "\\|")


def row(cell):
    decimals = cell.work.decimals
    name, reference = cell.reference()
    ratio = cell.ratio()
    by_round = cell.ratios_by_round()
    failures = [f"{who}: {failure_text(series)}" for who, series in cell.others.items() if series.failure]
    return [
        cell.key.model,
        cell.key.shape,
        cell.key.precision,
        number(cell.encl.median, decimals) if cell.encl.values else failure_text(cell.encl),
        number(cell.encl.spread_pct, 1),
        str(len(cell.encl.values)),
        name or "; ".join(failures),
        number(reference.median, decimals) if reference else "",
        number(reference.spread_pct, 1) if reference else "",
        str(len(reference.values)) if reference else "",
        number(ratio, 3) if cell.key.work != "first-run" else "",
        f"{min(by_round):.2f} … {max(by_round):.2f}" if len(by_round) > 1 else "",
        limit_text(cell),
        {True: "yes", False: "no", None: ""}[cell.is_met()],
    ]


def table(headings, rows):
    """Columns in which no row says anything are left out."""
    used = [i for i in range(len(headings)) if any(line[i] for line in rows)]
    lines = [[headings[i] for i in used], ["---"] * len(used), *[[line[i] for i in used] for line in rows]]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def markdown(found, machine, peaks, refused, notes):
    """found: Cells. refused: {precision: why}. All that docs/performance.md wants to know."""
    text = "".join(f"- {name}: {value}\n" for name, value in machine.items())
    if peaks:
        text += "- peak: " + ", ".join(f"{name} {value:,.0f} {unit}" for name, (value, unit) in peaks.items()) + "\n"
    for precision, why in refused.items():
        text += f"- {precision}: {why}\n"
    text += "".join(f"- {note}\n" for note in notes)
    for work, about in cells.WORKS.items():
        rows = [row(cell) for cell in found.of_work(work)]
        if not rows:
            continue
        unit = about.unit
        headings = [
            "model",
            "batch × tokens",
            "precision",
            f"encl, {unit}",
            "spread %",
            "n",
            "beside",
            f"beside, {unit}",
            "spread %",
            "n",
            "encl ÷ beside",
            "by round",
            "to reach",
            "met",
        ]
        text += f"\n{about.title}\n\n{table(headings, rows)}"
    limits = [cell.is_met() for cell in found.cells.values()]
    text += f"\n{limits.count(True)} targets met, {limits.count(False)} missed\n"
    return text


class Samples:
    """A file of JSON Lines: header, every figure as it came, cells, footer. It gets its name when it is whole."""

    def __init__(self, path):
        self.path, self.part = path, path + ".part"
        self.file = open(self.part, "w", encoding="utf-8")

    def line(self, **values):
        self.file.write(json.dumps(values, ensure_ascii=False) + "\n")

    def cells(self, found):
        for cell in found.cells.values():
            name, reference = cell.reference()
            self.line(
                kind="cell",
                **cell.key._asdict(),
                unit=cell.work.unit,
                encl=cell.encl.median,
                encl_n=len(cell.encl.values),
                encl_spread_pct=cell.encl.spread_pct,
                encl_failure=cell.encl.failure or None,
                beside=name,
                beside_median=reference.median if reference else None,
                beside_n=len(reference.values) if reference else None,
                beside_spread_pct=reference.spread_pct if reference else None,
                ratio=cell.ratio(),
                to_reach=cells.limit_of(cell.key),
                met=cell.is_met(),
            )

    def close(self, complete):
        self.line(kind="end", complete=complete)
        self.file.close()
        os.replace(self.part, self.path)
