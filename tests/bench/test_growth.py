"""bench/growth with a program that stands in for encl, whose times are known; and the pictures' axes."""

import csv
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "../../bench")
ENCL = os.path.join(HERE, "fakes/encl")
sys.path.insert(0, BENCH)

from lib.chart import Axis, Chart  # noqa: E402


class GrowthTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_growth(self, *words, fault=""):
        words = [os.path.join(BENCH, "growth"), "--encl", ENCL, "--output", self.folder.name, *words]
        environment = {**os.environ, "FAKE_FAULT": fault, "TMPDIR": self.folder.name}
        ended = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, timeout=120, check=False, env=environment
        )
        left = [name for name in os.listdir(self.folder.name) if name.startswith("encl-")]
        self.assertEqual(left, [])
        return ended

    def test_curves(self):
        ended = self.run_growth("--threads", "1", "--rounds", "2")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("1 thread: 2000.0 µs a token from 128 to 4096 tokens, ±0.0 %: flat within 5 %", ended.stdout)
        with open(os.path.join(self.folder.name, "growth.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        by_curve = {
            name: [row for row in rows if row["curve"] == name] for name in ("tokens", "sequences", "lengths", "layers")
        }
        self.assertEqual(
            [int(row["tokens"]) for row in by_curve["tokens"]], [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]
        )
        self.assertEqual([int(row["sequences"]) for row in by_curve["sequences"]], [1, 4, 16, 64, 256])
        self.assertEqual([int(row["length"]) for row in by_curve["lengths"]], [8, 16, 32, 64, 128, 256, 512])
        self.assertEqual([int(row["layers"]) for row in by_curve["layers"]], [3, 6, 12, 18, 24])
        last = by_curve["layers"][-1]
        self.assertEqual((float(last["ms"]), float(last["us_a_token"]), int(last["n"])), (512, 4000, 2))
        for row in rows:
            self.assertAlmostEqual(float(row["tokens_per_s"]) * float(row["us_a_token"]), 1e6, delta=2e2)
        for name in by_curve:
            path = os.path.join(self.folder.name, f"growth-{name}.svg")
            self.assertTrue(xml.parse(path).getroot().tag.endswith("svg"))
            self.assertLess(os.path.getsize(path), 8192)

    def test_wrong(self):
        for fault, words, message in (
            ("nonsense", [], "found 'Hello', expected a JSON object"),
            ("case", [], "the device is lost"),
            ("", ["--precision", "bf16"], "no kernels of this precision"),
            ("", ["--encl", "/no/such/program"], "/no/such/program: No such file"),
            ("", ["--threads", "0"], "--threads: expected whole numbers from 1"),
            ("", ["--threads", "two"], "--threads: expected whole numbers from 1"),
        ):
            with self.subTest(message):
                ended = self.run_growth("--quick", *words, fault=fault)
                self.assertIn(ended.returncode, (1, 2))
                self.assertIn(message, ended.stderr)
                self.assertNotIn("Traceback", ended.stderr)


class ChartTest(unittest.TestCase):
    def test_axes(self):
        axis = Axis([0.5, 200], 0, 100, logarithmic=True)
        self.assertEqual([round(axis.place(value), 6) for value in (0.5, 10, 200)], [0, 50, 100])
        self.assertEqual(axis.marks(), [0.5, 1, 2, 5, 10, 20, 50, 100, 200])
        axis = Axis([3, 24], 100, 0, logarithmic=False)
        self.assertEqual([axis.place(value) for value in (0, 12, 24)], [100, 50, 0])
        self.assertEqual(axis.marks(), [0, 5, 10, 15, 20])

    def test_one_point(self):
        chart = Chart("a < b", "x", "y")
        chart.curve("only", [(128, 5.0)])
        root = xml.fromstring(chart.svg())
        self.assertEqual(root[0].text, "a < b")


if __name__ == "__main__":
    unittest.main()
