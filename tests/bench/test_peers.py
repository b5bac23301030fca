"""bench/peers with programs that stand in for encl and for the peers, whose figures are known."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "../../bench/peers")
ENCL = os.path.join(HERE, "fakes/encl")
RUNNER = os.path.join(HERE, "fakes/runner")
SOME = ["--shapes", "1x16,8x128", "--model", "rbt3", "--work", "all,first"]


class Outcome:
    def __init__(self, folder, words, environment):
        begin = time.monotonic()
        ended = subprocess.run(
            [sys.executable, PEERS, "--encl", ENCL, "--output", folder, *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment},
        )
        self.code, self.out, self.err, self.seconds = (
            ended.returncode,
            ended.stdout,
            ended.stderr,
            time.monotonic() - begin,
        )
        path = os.path.join(folder, "peers.jsonl")
        self.lines = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.lines = [json.loads(line) for line in file]

    def cell(self, work, shape="", precision="fp32"):
        found = [
            line
            for line in self.lines
            if (line["kind"], line.get("work"), line.get("shape"), line.get("precision"))
            == ("cell", work, shape, precision)
        ]
        assert len(found) == 1, (work, shape, precision, found, self.err)
        return found[0]

    def row(self, *words):
        found = [line for line in self.out.splitlines() if all(f"| {word} |" in line for word in words)]
        assert found, (words, self.out, self.err)
        return found[0]


class PeersTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_peers(self, *words, fault="", **environment):
        environment = {"FAKE_FAULT": fault, "PEERS": "", "PEERS_MODELS": "", "TMPDIR": self.folder.name, **environment}
        outcome = Outcome(self.folder.name, words, environment)
        left = [name for name in os.listdir(self.folder.name) if name.startswith("encl-peers-")]
        self.assertEqual(left, [])  # nothing stays behind
        return outcome

    def with_runner(self, fault, *words, **environment):
        return self.run_peers("--peers", f"'{RUNNER}' {fault}", "--models", self.folder.name, *words, **environment)

    def corpus(self):
        path = os.path.join(self.folder.name, "corpus.tsv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("label\ttext\n1\ta b\n0\ta b c d\ttail\n")
        return path

    def test_ratios(self):
        outcome = self.with_runner("well", *SOME, "--precision", "fp32,int8", "--rounds", "2")
        self.assertEqual(outcome.code, 0, outcome.err)
        cell = outcome.cell("all", "8x128")
        self.assertEqual((cell["encl"], cell["beside"], cell["beside_median"]), (1024, "openvino", 2048))
        self.assertEqual((cell["ratio"], cell["to_reach"], cell["met"], cell["encl_n"]), (0.5, 0.95, True, 2))
        self.assertEqual(outcome.cell("first", "8x128")["ratio"], 0.25)
        self.assertEqual(outcome.cell("first", "1x16")["to_reach"], 0.85)
        self.assertEqual(outcome.cell("all", "1x16", "int8")["beside"], "onnxruntime-int8")
        self.assertIn("| 1,024.00 |", outcome.row("8x128", "fp32", "0.500", "0.50 … 0.50", "≤ 0.95", "yes"))
        self.assertIn("8 targets met, 0 missed", outcome.out)
        self.assertEqual(outcome.lines[0]["peaks"], {"fp32_fma": 200, "copy 1 KiB": 10})
        self.assertEqual(outcome.lines[-1], {"kind": "end", "complete": True})
        samples = [
            line["value"]
            for line in outcome.lines
            if line["kind"] == "sample"
            and line["who"] == "encl"
            and line["work"] == "all"
            and line["shape"] == "1x16"
            and line["precision"] == "fp32"
        ]
        self.assertEqual(samples, [16, 16])
        with open(os.path.join(self.folder.name, "peers.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), outcome.out)

    def test_all_works(self):
        outcome = self.with_runner(
            "well", "--quick", "--model", "rbt3", "--precision", "fp32", "--corpus", self.corpus()
        )
        self.assertEqual(outcome.code, 0, outcome.out + outcome.err)
        self.assertEqual((outcome.cell("corpus")["ratio"], outcome.cell("corpus")["encl_n"]), (2, 2))
        self.assertEqual((outcome.cell("corpus")["beside_median"], outcome.cell("corpus")["beside_n"]), (1000, 2))
        self.assertEqual(outcome.cell("corpus")["met"], True)
        tokenizer = outcome.cell("tokenizer", precision="")
        self.assertEqual((tokenizer["encl"], tokenizer["beside_median"], tokenizer["ratio"]), (2, 10, 0.2))
        memory = outcome.cell("memory", "1x128")
        self.assertEqual((memory["beside"], memory["beside_median"], memory["met"]), ("weights", 0.0004, False))
        self.assertGreater(memory["encl"], 1)
        self.assertGreaterEqual(outcome.cell("start")["beside_median"], 0.2)
        self.assertEqual(outcome.cell("start-packed")["encl_n"], 3)
        self.assertEqual(outcome.cell("first-run")["met"], True)

    def test_alone(self):
        outcome = self.run_peers(*SOME, "--precision", "fp32")
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertIn("no peers (--peers): encl alone", outcome.out)
        self.assertIsNone(outcome.cell("all", "1x16")["ratio"])
        self.assertIn("| 16.00 |", outcome.row("1x16"))
        self.assertIn("0 targets met, 0 missed", outcome.out)

    def test_refused(self):
        outcome = self.with_runner("well", *SOME, "--precision", "fp32,bf16")
        self.assertEqual(outcome.code, 0, outcome.err)  # a refusal is an answer
        self.assertIn("- bf16: refused: --precision bf16: no kernels of this precision", outcome.out)
        self.assertIn("not measured: see above", outcome.row("bf16"))
        self.assertFalse(any(line.get("who") == "openvino-bf16" for line in outcome.lines))

    def test_slow(self):
        outcome = self.run_peers(*SOME, "--precision", "fp32,int8", fault="slow")
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertIn("- int8: too slow here: rbt3 at 1x128 takes 512 ms, in fp32 128 ms", outcome.out)
        self.assertIn("not measured: see above", outcome.row("int8"))

    def test_bad_runner(self):
        for fault, words in (
            ("dies", "exit code 1: no such library"),
            ("killed", "ended by signal 9"),
            ("nonsense", "line 1: found 'loading the model', expected a JSON object"),
            ("negative", "median_ms: found -1, expected a number above 0"),
            ("text", 'median_ms: found "fast"'),
            ("infinite", "median_ms: found Infinity"),
            ("forgets", "found no line of 1x16"),
        ):
            with self.subTest(fault):
                outcome = self.with_runner(fault, *SOME, "--precision", "fp32", "--rounds", "2")
                self.assertEqual(outcome.code, 1)
                self.assertIn(words, outcome.out)
                self.assertEqual(outcome.cell("all", "8x128")["encl"], 1024)  # encl is measured all the same
                self.assertEqual(outcome.err.count("openvino rbt3"), 2)

    def test_hanging_runner(self):
        outcome = self.with_runner("hangs", *SOME, "--precision", "fp32", "--limit", "1", "--rounds", "3")
        self.assertEqual(outcome.code, 1)
        self.assertIn("it took longer than 1 s and was ended", outcome.out)
        self.assertLess(outcome.seconds, 30)

    def test_other_tokens(self):
        outcome = self.with_runner("miscounts", "--work", "corpus", "--precision", "fp32", "--corpus", self.corpus())
        self.assertEqual(outcome.code, 1)
        self.assertIn("it found 22 tokens in the corpus, encl 11", outcome.out)

    def test_no_runner(self):
        outcome = self.run_peers(
            "--peers", "/no/such/runner", "--models", self.folder.name, *SOME, "--precision", "fp32"
        )
        self.assertEqual(outcome.code, 1)
        self.assertIn("/no/such/runner: No such file or directory", outcome.out)

    def test_bad_encl(self):
        outcome = self.run_peers(*SOME, fault="nonsense")
        self.assertEqual(outcome.code, 1)
        self.assertIn("line 1: found 'Hello', expected a JSON object", outcome.err)
        outcome = self.run_peers(
            "--work", "start-packed", "--precision", "fp32", "--models", self.folder.name, fault="unknown"
        )
        self.assertEqual(outcome.code, 1)
        self.assertIn("unknown command 'pack'", outcome.out)

    def test_misuse(self):
        for words, message in (
            (["--shapes", "1x"], "found '1x'"),
            (["--rounds", "0"], "--rounds"),
            (["--precision", "fp8"], "found 'fp8'"),
            (["--work", "nap"], "found 'nap'"),
            (["--peers", "x"], "found no --models"),
        ):
            outcome = self.run_peers(*words)
            self.assertEqual(outcome.code, 2, words)
            self.assertIn(message, outcome.err)

    def test_interrupted(self):
        words = [
            sys.executable,
            PEERS,
            "--encl",
            ENCL,
            "--output",
            self.folder.name,
            "--peers",
            f"{RUNNER} hangs",
            "--models",
            self.folder.name,
            *SOME,
            "--precision",
            "fp32",
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            for line in child.stderr:
                if "2 of 3" in line:  # now the peer hangs
                    break
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130)
        self.assertIn("interrupted: not all was measured", out)
        self.assertIn("| 16.00 |", out)
        with open(os.path.join(self.folder.name, "peers.jsonl"), encoding="utf-8") as file:
            self.assertEqual(json.loads(file.readlines()[-1]), {"kind": "end", "complete": False})

    @unittest.skipUnless(os.environ.get("ENCL_BINARY"), "ENCL_BINARY names no program")
    def test_encl_itself(self):
        """That encl says what is asked of it here, and takes the model that is made for who has none."""
        sys.path.insert(0, os.path.dirname(PEERS))
        from lib import made_model

        model = made_model.make(self.folder.name, layers=1)
        self.assertTrue(model.endswith("made-1x768"))
        os.symlink(model, os.path.join(self.folder.name, "base"))
        outcome = self.run_peers(
            "--encl",
            os.environ["ENCL_BINARY"],
            "--models",
            self.folder.name,
            "--quick",
            "--shapes",
            "1x16,2x8",
            "--model",
            "rbt3",
            "--precision",
            "fp32",
            "--corpus",
            self.corpus(),
            "--work",
            "all,first,corpus,tokenizer,start,memory",
            "--max-ms",
            "2",
        )
        if outcome.code != 0 and "no OpenCL device" in outcome.err:
            self.skipTest(outcome.err)
        self.assertEqual(outcome.code, 0, outcome.out + outcome.err)
        for work, shape in (
            ("all", "1x16"),
            ("all", "2x8"),
            ("first", "1x16"),
            ("corpus", ""),
            ("start", ""),
            ("memory", "1x128"),
        ):
            self.assertGreater(outcome.cell(work, shape)["encl"], 0)

    def test_bad_corpus(self):
        path = os.path.join(self.folder.name, "empty.tsv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("label\ttext\n")
        for name, message in ((path, "found no text"), ("/no/such/file", "No such file")):
            outcome = self.run_peers("--corpus", name, "--models", self.folder.name)
            self.assertEqual(outcome.code, 1)
            self.assertIn(message, outcome.err)
            self.assertNotIn("Traceback", outcome.err)


if __name__ == "__main__":
    unittest.main()
