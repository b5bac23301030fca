#!/usr/bin/env python3
"""Converts the fixtures with encl and loads what it wrote with transformers: every weight must have the bits that it was
stored with. Run by hand after a change to `encl convert`; test_convert_command compares the same without Python.

    python tests/golden/check_converted.py build/release/encl        needs torch 2.15.0, transformers 5.23.0, safetensors

tests/fixtures/tiny-pretraining is what all fixtures of other formats were made of; make_format_fixtures.py says which
of their weights differ on purpose.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"

# Fixture -> tensors that are not tiny-pretraining's, or the file whose tensors they are.
OF_PRETRAINING = {
    "tiny-pretraining": (), "tiny-torch-zip": (), "tiny-torch-legacy": (), "tiny-torch-sharded": (),
    "tiny-torch-strided": (), "tiny-tf1": (), "tiny-tf1-partitioned": (),
    "tiny-tf1-untrained": ("cls.predictions.bias", "cls.predictions.transform.LayerNorm.bias",
                           "cls.predictions.transform.LayerNorm.weight"),
    "tiny-paddle": (), "tiny-paddle-2": (), "tiny-zip/stored.zip": (), "tiny-zip/deflated.zip": (),
    "tiny-zip/torch.zip": (),
}
OF_QA = ("tiny-qa", "tiny-tf1-qa", "tiny-paddle-qa")
OF_ITSELF = ("tiny-untied", "tiny-ner", "tiny-multi-label", "tiny-regression", "tiny-sentence", "tiny-sentence-dense",
             "tiny-sentence-identity", "tiny-bert", "tiny-bert-bf16", "tiny-bert-f16", "tiny-bert-odd",
             "tiny-bert-sharded", "tiny-multiple-choice")


def expected_weights(fixture):
    source = FIXTURES / ("tiny-pretraining" if fixture in OF_PRETRAINING else "tiny-qa" if fixture in OF_QA else fixture)
    weights = {}
    for file in sorted(source.glob("*.safetensors")):
        weights.update(load_file(file))
    return {name: value for name, value in weights.items() if name not in OF_PRETRAINING.get(fixture, ())}


def check(encl, fixture, folder):
    subprocess.run([encl, "convert", FIXTURES / fixture, folder, "--json"], check=True, stdout=subprocess.DEVNULL)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    name = config["architectures"][0]
    model, report = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not report[kind], (fixture, kind, report[kind])
    weights = model.state_dict()
    expected = expected_weights(fixture)
    for key, value in expected.items():
        plain = key.removeprefix("bert.")
        found = weights.get(plain, weights.get("bert." + plain))
        assert found is not None, (fixture, key)
        if fixture == "tiny-paddle-qa" and "position_embeddings" in key:
            found = found[:len(value)]  # the rest is zeros
        # Fixtures that mix dtypes hold a few weights rounded; those of the reference are exact in them.
        assert torch.equal(found, value.to(found.dtype)), (fixture, key)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer("Hello")["input_ids"] == tokenizer("hello")["input_ids"], fixture
    print(f"{fixture}: {name}, {len(expected)} tensors as stored")


def main():
    for fixture in (*OF_PRETRAINING, *OF_QA, *OF_ITSELF):
        with tempfile.TemporaryDirectory() as folder:
            check(pathlib.Path(sys.argv[1]).resolve(), fixture, pathlib.Path(folder) / "converted")


if __name__ == "__main__":
    main()
