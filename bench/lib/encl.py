"""encl, seen from outside: each function runs the program once and gives numbers back."""

import fcntl
import os
import select
import shutil
import tempfile
import time

from lib import process

TEXT = "\u7684"  # a Chinese character is a token, whatever the vocabulary
SPECIAL_TOKENS = 2
SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)  # Python before 3.10 has no name for it
SHORTEST = ("--min-ms", "1", "--max-ms", "1")
POCL = "/etc/OpenCL/vendors/pocl.icd"


class Encl:
    """The program, with caches of its own, which are gone when it is closed."""

    def __init__(self, program, min_ms, max_ms, limit_s):
        self.program, self.min_ms, self.max_ms, self.limit_s = program, min_ms, max_ms, limit_s
        self.folder = tempfile.mkdtemp(prefix="encl-peers-")
        self.environment = {"ENCL_CACHE_DIR": os.path.join(self.folder, "cache")}

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, words, environment=None, **how):
        return process.run(
            [self.program, "--quiet", *words], self.limit_s, {**self.environment, **(environment or {})}, **how
        )

    def bench(self, words, precision=None, environment=None):
        """Header and results of `encl bench …`."""
        globals_ = ["--json"] + (["--precision", precision] if precision else [])
        ended = self.run([*globals_, "bench", *words], environment, codes=(0, 1))
        lines = process.json_lines(ended.out)
        for line in lines:
            if line.get("status") == "error":
                raise process.Failure(f"{line.get('case_id')}: {line.get('reason')}")
        if ended.code != 0:
            raise process.Failure(process.last_line(ended.err))
        if len(lines) < 2 or "schema" not in lines[0] or lines[-1].get("complete") is not True:
            raise process.Failure(
                f"bench {words[0]}: found {len(lines)} lines, expected a header, results and a footer"
            )
        return lines[0], lines[1:-1]

    def peak(self):
        return self.bench(["peak", "--quick"])

    def try_precision(self, precision):
        """A benchmark's header, and the milliseconds of a small run; a Failure where the precision is refused."""
        words = ["model", "--shape", "rbt3", "--batch", "1", "--seq", "128", "--tokens", *SHORTEST]
        header, results = self.bench(words, precision)
        return header, process.number_of(results[0], "p50_us") / 1e3

    def latency(self, model, precision, shapes, rows, environment=None):
        """{shape: (median ms, samples in ms)}. rows: "all", every token's last hidden state; "first", of the
        first token alone."""
        found = {}
        for batches, lengths in processes_of(shapes):
            words = ["model", "--shape", model, "--batch", comma_list(batches), "--seq", comma_list(lengths)]
            words += ["--tokens"] if rows == "all" else ["--pooling", "cls"]
            words += ["--min-ms", str(self.min_ms), "--max-ms", str(self.max_ms)]
            _, results = self.bench(words, precision, environment)
            for result in results:
                shape = (process.number_of(result, "batch"), process.number_of(result, "seq"))
                samples = [ns / 1e6 for ns in result.get("samples_ns", [])]
                found[shape] = (process.number_of(result, "p50_us") / 1e3, samples)
        for batch, length in shapes:
            if (batch, length) not in found:
                raise process.Failure(f"bench model: found no result of {batch}x{length}, expected one a shape")
        return found

    def texts_file(self, texts):
        path = self.path("texts.txt")
        write_lines(path, texts)
        return path

    def token_counts(self, model_path, texts, longest):
        words = ["--json", "tokenize", model_path, "--max-length", str(longest)]
        return [len(line["ids"]) for line in process.json_lines(self.run(words, stdin=self.texts_file(texts)).out)]

    def corpus(self, model, precision, counts):
        """Tokens a second of a stream of texts of these lengths, every token's last hidden state: of two passes. They
        are so long that the first one counts too."""
        lengths = self.path("lengths.txt")
        write_lines(lengths, map(str, counts))
        words = ["model", "--shape", model, "--lengths", lengths, "--tokens", "--samples", "1", *SHORTEST]
        _, results = self.bench(words, precision)
        return [sum(counts) / process.number_of(results[0], key) * 1e6 for key in ("first_us", "p50_us")]

    def tokenizer(self, model_path, texts, longest):
        """Seconds for all texts on one thread, and all samples."""
        words = ["tokenizer", model_path, "--input", self.texts_file(texts), "--max-length", str(longest)]
        _, results = self.bench([*words, "--min-ms", "200", "--max-ms", "1000"])
        return process.number_of(results[0], "p50_us") / 1e6, [ns / 1e9 for ns in results[0].get("samples_ns", [])]

    def embed_words(self, model_path, precision, tokens):
        return ["--json", "--precision", precision, "embed", model_path, TEXT * (tokens - SPECIAL_TOKENS)]

    def start(self, model_path, precision, tokens):
        """A fresh process with warm caches, from its start to its end: seconds, and the most memory resident."""
        ended = self.run(self.embed_words(model_path, precision, tokens))
        return ended.seconds, ended.peak_bytes

    def first_run(self, model_path, precision, tokens):
        """The same where nothing was ever compiled. Drivers keep compiled kernels too."""
        with tempfile.TemporaryDirectory(dir=self.folder) as empty:
            caches = (
                "ENCL_CACHE_DIR",
                "POCL_CACHE_DIR",
                "CUDA_CACHE_PATH",
                "MESA_SHADER_CACHE_DIR",
                "NEO_CACHE_DIR",
                "AMD_COMGR_CACHE_DIR",
            )
            environment = {name: os.path.join(empty, name) for name in caches}
            for folder in environment.values():
                os.mkdir(folder)
            return self.run(self.embed_words(model_path, precision, tokens), environment).seconds

    def resident_bytes(self, model_path, precision, tokens):
        """Memory after the first result. Its pipe holds less than a result, so encl stands still in the midst of it."""
        page = os.sysconf("SC_PAGE_SIZE")
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, SET_PIPE_SIZE, page)
        child = process.start(
            [self.program, "--quiet", *self.embed_words(model_path, precision, tokens)],
            self.environment,
            stdout=write_end,
            stderr=process.subprocess.DEVNULL,
        )
        os.close(write_end)
        try:
            if not select.select([read_end], [], [], self.limit_s)[0]:
                raise process.Failure(f"no result in {self.limit_s:g} s")
            time.sleep(0.05)  # until it stands still
            with open(f"/proc/{child.pid}/statm", encoding="ascii") as file:
                resident = int(file.read().split()[1]) * page
            if not os.read(read_end, page) or resident == 0:
                raise process.Failure("it ended before its memory could be read")
            return resident
        finally:
            os.close(read_end)
            process.end_group(child)
            child.wait()

    def weight_bytes(self, model, precision, tokens):
        """What the weights take on the device, in this precision."""
        _, results = self.bench(
            ["model", "--shape", model, "--batch", "1", "--seq", str(tokens), *SHORTEST],
            precision,
        )
        return process.number_of(results[0], "weight_bytes")

    def packed(self, model_path, precision):
        """The path of the model as one packed file, which is made where it is not there yet."""
        path = self.path(f"{precision}.encl")
        if not os.path.exists(path):
            self.run(["--precision", precision, "pack", model_path, path])
        return path


def show_pocl_alone(encl):
    """Other platforms cost every process a quarter of a second, and memory."""
    if "OCL_ICD_VENDORS" in os.environ or not os.path.exists(POCL):
        return
    folder = encl.path("platforms")
    os.mkdir(folder)
    shutil.copy(POCL, folder)
    encl.environment["OCL_ICD_VENDORS"] = folder


def processes_of(shapes):
    """Batches and lengths of as few processes as do: each measures every batch with every length."""
    by_batch, by_length = {}, {}
    for batch, length in shapes:
        by_batch.setdefault(batch, []).append(length)
        by_length.setdefault(length, []).append(batch)
    if len(by_batch) <= len(by_length):
        return [([batch], lengths) for batch, lengths in by_batch.items()]
    return [(batches, [length]) for length, batches in by_length.items()]


def comma_list(numbers):
    return ",".join(map(str, numbers))


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def describe(header):
    """What the header of a benchmark says of program and devices, as `key: value`."""
    device = (header.get("devices") or [{}])[0]
    program = header.get("encl", {})
    return {
        "encl": f"{program.get('version')} ({program.get('commit')}), "
        f"{program.get('compiler')}, {program.get('build_flags')}",
        "device": device.get("name"),
        "driver": f"{device.get('platform')} {device.get('driver')}",
    }


def peaks_of(results):
    """{figure: (value, unit)} of `bench peak`: the best rate of each kind."""
    best = {}
    for result in results:
        if result.get("status") == "ok" and result.get("unit") in ("GB/s", "GF/s", "Gop/s"):
            name = result["case_id"].removeprefix("peak ")
            best[name] = (process.number_of(result, "value"), result["unit"])
    return best


def refusal(error):
    """encl's own words for why it does not do something."""
    return str(error).split("encl: error: ", 1)[-1].removeprefix("encl: ")
