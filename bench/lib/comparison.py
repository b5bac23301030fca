"""Runs encl and its peers in turn and keeps what each call gives. A call that failed is not tried again."""

from lib import cells, process
from lib.encl import refusal

LONGEST = 256  # tokens of a text of the corpus
CORPUS_BATCH = 32  # texts in a batch of the peers; encl cuts its own
FIRST_RUN_ROUNDS = 2
STARTS = 3  # fresh processes a round
SLOW = 3  # times what fp32 takes: a precision that is not worth measuring
START_TOKENS, MEMORY_TOKENS = 32, 128

PEERS = {"fp32": ["openvino"], "bf16": ["openvino-bf16"], "int8": ["onnxruntime-int8"]}
START_PEERS = {"fp32": ["onnxruntime"], "bf16": ["openvino-bf16"], "int8": ["onnxruntime-int8"]}
FIRST_TOKEN_MODELS = ("rbt3",)


def shape_text(shape):
    return f"{shape[0]}x{shape[1]}"


class Comparison:
    def __init__(self, encl, peers, samples, options, model_path):
        self.encl, self.peers, self.samples, self.options, self.model_path = encl, peers, samples, options, model_path
        self.found = cells.Cells()
        self.refused = {}
        self.failed = set()  # calls
        self.texts, self.tsv, self.counts = [], None, []
        self.round = 0

    # ---- What is kept --------------------------------------------------------------------------------------

    def keep(self, key, who, value, values=()):
        """A round's figure, and the samples that it is the median of."""
        self.found.series(key, who).values.append(value)
        self.samples.line(
            kind="sample",
            round=self.round,
            **key._asdict(),
            who=who,
            unit=cells.WORKS[key.work].unit,
            value=value,
            samples=[float(f"{v:.6g}") for v in values],
        )

    def attempt(self, who, what, keys, call):
        """True where the call came to its end."""
        if (who, what) in self.failed:
            return False
        try:
            call()
            return True
        except process.Failure as failure:
            self.failed.add((who, what))
            for key in keys:
                self.found.series(key, who).failure = f"failed: {failure}"
                self.samples.line(kind="failure", round=self.round, **key._asdict(), who=who, reason=str(failure))
            return False

    # ---- Latency -------------------------------------------------------------------------------------------

    def shape_keys(self, work, model, precision):
        return {shape: cells.Key(work, model, shape_text(shape), precision) for shape in self.options.shapes}

    def encl_latency(self, work, model, precision):
        keys = self.shape_keys(work, model, precision)

        def call():
            for shape, (ms, values) in self.encl.latency(model, precision, self.options.shapes, work).items():
                self.keep(keys[shape], "encl", ms, values)

        self.attempt("encl", (work, model, precision), keys.values(), call)

    def peer_latency(self, works, model, precision, peer):
        """Peers compute every row, whatever is needed: one call serves the table of every work."""
        keys = {work: self.shape_keys(work, model, precision) for work in works}

        def call():
            for shape, ms in self.peers.latency(model, peer, self.options.shapes).items():
                for work in works:
                    if shape in keys[work]:
                        self.keep(keys[work][shape], peer, ms)

        self.attempt(peer, ("latency", model), [key for work in works for key in keys[work].values()], call)

    def latency_steps(self, model, precision):
        works = [w for w in ("all", "first") if w in self.options.works and (w == "all" or model in FIRST_TOKEN_MODELS)]
        seconds = len(self.options.shapes) * (1.3 + 1.2 * self.options.max_ms / 1000)
        own = [
            (f"encl {model} {precision}, {work}", seconds, lambda w=work: self.encl_latency(w, model, precision))
            for work in works
        ]
        other = (
            [
                (
                    f"{peer} {model}",
                    3.2 * len(self.options.shapes) + 3,
                    lambda p=peer: self.peer_latency(works, model, precision, p),
                )
                for peer in self.peers_of(PEERS, precision)
            ]
            if works
            else []
        )
        return own, other

    # ---- The corpus, and the tokenizer ---------------------------------------------------------------------

    def open_corpus(self, path, most):
        """The second column, but for the first line, as the runner of the peers reads it."""
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        texts = [line for line in lines[1:] if "\t" in line][:most]
        if not texts:
            raise process.Failure(f"{path}: found no text, expected lines of two columns below a line of names")
        self.tsv = self.encl.path("corpus.tsv")
        with open(self.tsv, "w", encoding="utf-8") as file:
            file.write("\n".join([lines[0], *texts]) + "\n")
        self.texts = [line.split("\t", 1)[1] for line in texts]
        self.counts = self.encl.token_counts(self.model_path, self.texts, LONGEST)

    def encl_corpus(self, model, precision):
        key = cells.Key("corpus", model, "", precision)

        def call():
            for rate in self.encl.corpus(model, precision, self.counts):
                self.keep(key, "encl", rate)

        self.attempt("encl", ("corpus", precision), [key], call)

    def peer_corpus(self, model, precision, peer):
        key = cells.Key("corpus", model, "", precision)
        tokenizer = cells.Key("tokenizer", "", "", "")

        def call():
            tokens, rate, tokenize_s = self.peers.corpus(model, peer, CORPUS_BATCH, self.tsv)
            if abs(tokens - sum(self.counts)) > 0.01 * tokens:
                raise process.Failure(f"it found {tokens} tokens in the corpus, encl {sum(self.counts)}")
            self.keep(key, peer, rate)
            if "tokenizer" in self.options.works:
                self.keep(tokenizer, "the peers' tokenizer", tokenize_s * 1e3)

        self.attempt(peer, "corpus", [key], call)

    def encl_tokenizer(self):
        key = cells.Key("tokenizer", "", "", "")

        def call():
            seconds, values = self.encl.tokenizer(self.model_path, self.texts, LONGEST)
            self.keep(key, "encl", seconds * 1e3, [value * 1e3 for value in values])

        self.attempt("encl", "tokenizer", [key], call)

    def corpus_steps(self, precision):
        """Once: a peer, encl, the peer again. It takes so long that more would say little more."""
        if "corpus" not in self.options.works or not self.tsv or self.round > 0:
            return [], []
        model = self.options.models[-1]  # the smaller one, as limits are set for it
        seconds = sum(self.counts) / {"fp32": 4000, "bf16": 6000, "int8": 8000}[precision]
        own = [(f"encl corpus {precision}", 2 * seconds + 2, lambda: self.encl_corpus(model, precision))]
        other = [
            (f"{peer} corpus", seconds + 4, lambda p=peer: self.peer_corpus(model, precision, p))
            for peer in self.peers_of(PEERS, precision)
        ]
        return other + own + other, []

    # ---- Start and memory ----------------------------------------------------------------------------------

    def encl_start(self, work, path, precision):
        key = cells.Key(work, "base", "", precision)
        peak = cells.Key("peak-memory", "base", "", precision)

        def call():
            if self.round == 0:
                self.encl.start(path(), precision, START_TOKENS)  # fills caches
            for _ in range(STARTS):
                seconds, peak_bytes = self.encl.start(path(), precision, START_TOKENS)
                self.keep(key, "encl", seconds)
                if work == "start" and "peak-memory" in self.options.works:
                    self.keep(peak, "encl", peak_bytes / 1e6)

        self.attempt("encl", (work, precision), [key], call)

    def peer_start(self, precision, peer):
        works = [work for work in ("start", "start-packed") if work in self.options.works]
        keys = [cells.Key(work, "base", "", precision) for work in works]
        peak = cells.Key("peak-memory", "base", "", precision)

        def call():
            if self.round == 0:
                self.peers.start("base", peer)
            for _ in range(STARTS):
                seconds, peak_bytes = self.peers.start("base", peer)
                for key in keys:
                    self.keep(key, peer, seconds)
                if "peak-memory" in self.options.works:
                    self.keep(peak, peer, peak_bytes / 1e6)

        self.attempt(peer, "start", keys, call)

    def first_run(self, precision):
        key = cells.Key("first-run", "base", "", precision)
        self.attempt(
            "encl",
            ("first-run", precision),
            [key],
            lambda: self.keep(key, "encl", self.encl.first_run(self.model_path, precision, START_TOKENS)),
        )

    def memory(self, work, path, precision):
        key = cells.Key(work, "base", "1x128", precision)

        def call():
            self.keep(key, "encl", self.encl.resident_bytes(path(), precision, MEMORY_TOKENS) / 1e6)
            self.keep(key, "weights", self.encl.weight_bytes("base", precision, MEMORY_TOKENS) / 1e6)

        self.attempt("encl", (work, precision), [key], call)

    def packed(self, precision):
        return lambda: self.encl.packed(self.model_path, precision)

    def start_steps(self, precision):
        forms = (("", lambda: self.model_path), ("-packed", self.packed(precision)))
        own, other = [], []
        for suffix, path in forms:
            if "start" + suffix in self.options.works:
                own.append(
                    (
                        f"encl start{suffix} {precision}",
                        3,
                        lambda w="start" + suffix, p=path: self.encl_start(w, p, precision),
                    )
                )
        if own:
            other = [
                (f"{peer} start", 6, lambda p=peer: self.peer_start(precision, p))
                for peer in self.peers_of(START_PEERS, precision)
            ]
        for suffix, path in forms:
            if "memory" + suffix in self.options.works:
                own.append(
                    (
                        f"encl memory{suffix} {precision}",
                        3,
                        lambda w="memory" + suffix, p=path: self.memory(w, p, precision),
                    )
                )
        if "first-run" in self.options.works and self.round < FIRST_RUN_ROUNDS:
            own.append((f"encl first run {precision}", 8, lambda: self.first_run(precision)))
        return own, other

    # ---- A round -------------------------------------------------------------------------------------------

    def peers_of(self, table, precision):
        return table[precision] if self.peers else []

    def steps(self):
        """(what, about how many seconds, call) of this round. Who goes first changes from round to round."""
        pairs = []
        for precision in self.options.precisions:
            if precision in self.refused:
                continue
            pairs += [self.latency_steps(model, precision) for model in self.options.models]
            pairs += [self.corpus_steps(precision), self.start_steps(precision)]
        if self.tsv and "tokenizer" in self.options.works:
            pairs.append(([("encl tokenizer", 2, self.encl_tokenizer)], []))
        found = []
        for own, other in pairs:
            found += own + other if self.round % 2 == 0 else other + own
        return found

    def try_precisions(self):
        """Also fills the caches, so that no timed process compiles. A precision without fast kernels on this device
        would take hours and say no more than this first run."""
        usual = self.encl.try_precision("fp32")[1]
        for precision in self.options.precisions:
            try:
                ms = self.encl.try_precision(precision)[1]
                if ms > SLOW * usual:
                    self.refuse(precision, f"too slow here: rbt3 at 1x128 takes {ms:.0f} ms, in fp32 {usual:.0f} ms")
            except process.Failure as failure:
                why = refusal(failure)
                self.refuse(precision, f"refused: {why}")
                if "precision" not in why:  # something else is wrong
                    self.failed.add(("encl", precision))

    def refuse(self, precision, why):
        """In every table, so that nobody takes silence for success."""
        self.refused[precision] = why
        for work in self.options.works:
            if work not in ("tokenizer", "corpus") or (work == "corpus" and self.tsv):
                key = cells.Key(work, cells.ANY, "", precision)
                self.found.series(key, "encl").failure = "not measured: see above"
                self.samples.line(kind="refused", **key._asdict(), who="encl", reason=self.refused[precision])


def seconds_of(steps):
    return sum(seconds for _, seconds, _ in steps)
