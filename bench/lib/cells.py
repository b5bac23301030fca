"""What is compared, with which limit, and what was measured of it."""

import dataclasses
import statistics
from typing import NamedTuple


class Key(NamedTuple):
    work: str
    model: str
    shape: str  # "8x128", or "" where the work has no shape
    precision: str


class Work(NamedTuple):
    title: str
    unit: str
    decimals: int
    higher_is_better: bool = False


WORKS = {
    "all": Work("Every token's row computed", "ms", 2),
    "first": Work("Only the first token's row needed (`--pooling cls`; peers compute every row)", "ms", 2),
    "corpus": Work("Corpus of mixed lengths", "tokens/s", 0, higher_is_better=True),
    "tokenizer": Work("Tokenizer, one thread", "ms", 2),
    "start": Work("Fresh process to first embedding, warm caches, 1x32", "s", 3),
    "start-packed": Work("The same from a packed file", "s", 3),
    "first-run": Work("Very first run, empty caches", "s", 2),
    "memory": Work("Resident after the first result, 1x128, against the weights", "MB", 0),
    "memory-packed": Work("The same from a packed file", "MB", 0),
    "peak-memory": Work("Most memory resident in a fresh process, 1x32", "MB", 0),
}
ANY = "any"  # the model of a row that says of all that they were refused
PRECISIONS = ("fp32", "bf16", "int8")
FIRST_RUN_LIMIT_S = 6.0  # a limit in itself, not a ratio


def limit_of(key):
    """What the ratio encl / reference may be at most (at least, where more is better); None: nobody said."""
    if key.model == ANY:
        return None
    short = key.shape in ("1x16", "1x32")
    limits = {
        "all": {"fp32": 0.95, "bf16": 0.88, "int8": 0.85},
        "first": {"fp32": 0.85, "bf16": 0.80, "int8": 0.80} if short else {"fp32": 0.72, "bf16": 0.65, "int8": 0.65},
        "corpus": {"fp32": 1.15, "int8": 1.25},
        "tokenizer": {"": 0.5},
        "start": {"fp32": 0.4},
        "start-packed": {"fp32": 0.4},
        "first-run": {"fp32": FIRST_RUN_LIMIT_S},
        "memory": dict.fromkeys(PRECISIONS, 1.25),
        "memory-packed": dict.fromkeys(PRECISIONS, 1.25),
    }
    return limits.get(key.work, {}).get(key.precision)


@dataclasses.dataclass
class Series:
    """One program's figures of a cell: one a round, which is a median of samples where a run gives several."""

    values: list = dataclasses.field(default_factory=list)
    failure: str = ""

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    @property
    def spread_pct(self):
        """How far the rounds lie apart."""
        return (max(self.values) - min(self.values)) / self.median * 100 if len(self.values) > 1 else None


class Cell:
    def __init__(self, key):
        self.key, self.work = key, WORKS[key.work]
        self.encl = Series()
        self.others = {}  # peers by name, or what else is compared with

    def reference(self):
        """The best of the others: its name and series; (None, None): there is none."""
        measured = [(series.median, name) for name, series in self.others.items() if series.values]
        if not measured:
            return None, None
        name = (max if self.work.higher_is_better else min)(measured)[1]
        return name, self.others[name]

    def ratio(self):
        _, reference = self.reference()
        if self.key.work == "first-run":
            return self.encl.median
        return self.encl.median / reference.median if self.encl.values and reference else None

    def ratios_by_round(self):
        _, reference = self.reference()
        return [own / other for own, other in zip(self.encl.values, reference.values)] if reference else []

    def is_met(self):
        """None: there is no limit, or no ratio."""
        limit, ratio = limit_of(self.key), self.ratio()
        if limit is None or ratio is None:
            return None
        return ratio >= limit if self.work.higher_is_better else ratio <= limit


class Cells:
    """All cells, in the order in which they were asked for."""

    def __init__(self):
        self.cells = {}

    def cell(self, key):
        if key not in self.cells:
            self.cells[key] = Cell(key)
        return self.cells[key]

    def series(self, key, who):
        """who: "encl", or another's name."""
        cell = self.cell(key)
        return cell.encl if who == "encl" else cell.others.setdefault(who, Series())

    def of_work(self, work):
        return [cell for key, cell in self.cells.items() if key.work == work]
