#!/usr/bin/env python3
"""Makes folders of sentence-transformers with a Dense layer and tests/golden/task/sentence.json, what it answers.

    python tests/golden/make_sentence_goldens.py    needs torch 2.15.0, transformers 5.23.0, sentence-transformers 6.2.0

tiny-sentence-dense is laid out as versions up to 5 write it, with all poolings, include_prompt false, Dense (Tanh) and
Normalize; tiny-sentence-identity is as version 6.2 saves it, with two poolings and Dense (Identity, no bias). Weights
are drawn from a seed; answers are computed in float64, one text at a time, and rounded to 7 digits.

Layout of sentence.json: {made_with: {torch, transformers, sentence_transformers}, cases: [case, …]}, one case a line
    fixture         folder in tests/fixtures
    pooling         null: the folder as it is; else what to put into 1_Pooling/config.json of the folder, with Dense and
                    Normalize taken out of modules.json
    prompt          name of the prompt that is put before the text, or null
    text            without the prompt; cut at max_seq_length tokens
    embedding       [numbers]
"""

import itertools
import shutil
import warnings

import sentence_transformers
import torch
import transformers
from make_model_goldens import MIXED, PROMPTS, VERSIONS, make_model, rounded, vocabulary, write_json
from make_task_goldens import write_cases
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from transformers import BertModel

HIDDEN = 32
MODES = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
TEXTS = MIXED[1:]


def pooling_config(modes, include_prompt=True):
    return {"word_embedding_dimension": HIDDEN, **{f"pooling_mode_{mode}": mode in modes for mode in MODES},
            "include_prompt": include_prompt}


def dense_weight(outputs, inputs, seed):
    return 0.3 * torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))


def make_dense(words):
    """Files as the versions up to 5 write them."""
    folder, _ = make_model("tiny-sentence-dense", words, BertModel, torch.float16, seed=31, num_hidden_layers=1)
    names = {"0": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense", "3_Normalize": "Normalize"}
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(names.items())])
    for part in ("1_Pooling", "2_Dense"):
        (folder / part).mkdir()
    write_json(folder / "1_Pooling" / "config.json", pooling_config(MODES, False))
    inputs, outputs = len(MODES) * HIDDEN, 16
    write_json(folder / "2_Dense" / "config.json", {
        "in_features": inputs, "out_features": outputs, "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh"})
    save_file({"linear.weight": 0.3 * dense_weight(outputs, inputs, 1), "linear.bias": dense_weight(1, outputs, 2)[0]},
              folder / "2_Dense" / "model.safetensors")
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", {
        "__version__": {"sentence_transformers": "5.1.0", "transformers": transformers.__version__},
        "prompts": PROMPTS, "default_prompt_name": None, "similarity_fn_name": "cosine"})
    return folder


def make_identity(words):
    """Files as this version saves them."""
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
    source, _ = make_model("tiny-sentence-identity", words, BertModel, torch.float16, seed=32, num_hidden_layers=1)
    dense = Dense(2 * HIDDEN, 24, bias=False, activation_function=torch.nn.Identity())
    dense.linear.weight.data = dense_weight(24, 2 * HIDDEN, 3)
    model = SentenceTransformer(device="cpu", modules=[
        Transformer(str(source), max_seq_length=64, model_kwargs={"dtype": torch.float16}),
        Pooling(HIDDEN, ["lasttoken", "mean"]), dense])
    folder = source.with_name("tiny-sentence-saved")
    model.save(str(folder), create_model_card=False)
    shutil.copy(source / "vocab.txt", folder)
    shutil.rmtree(source)
    return folder.rename(source)


def encode(model, text, prompt):
    embedding = model.encode([text], prompt_name=prompt, convert_to_tensor=True, show_progress_bar=False)[0]
    assert embedding.dtype == torch.float64
    return rounded(embedding)


def load(folder):
    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float64}).double()


def folder_cases(folder, prompts):
    model = load(folder)
    for prompt, text in itertools.product(prompts, TEXTS):
        yield {"fixture": folder.name, "pooling": None, "prompt": prompt, "text": text,
               "embedding": encode(model, text, prompt)}


def pooling_cases(folder):
    """Every pooling alone and some together, with and without the prompt's tokens."""
    whole = load(folder)
    from sentence_transformers.sentence_transformer.modules import Pooling
    together = [("lasttoken", "cls_token"), ("max_tokens", "mean_tokens"),
                ("weightedmean_tokens", "mean_sqrt_len_tokens")]
    for modes in [*((mode,) for mode in MODES), *together]:
        for include_prompt in (True, False):
            config = pooling_config(modes, include_prompt)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = SentenceTransformer(modules=[whole[0], Pooling(**config)], prompts=PROMPTS, device="cpu")
            for prompt, text in ((None, TEXTS[1]), ("query", TEXTS[2])):
                yield {"fixture": folder.name, "pooling": config, "prompt": prompt, "text": text,
                       "embedding": encode(model, text, prompt)}


def main():
    torch.set_num_threads(1)
    words = vocabulary()
    VERSIONS["sentence_transformers"] = sentence_transformers.__version__
    dense = make_dense(words)
    identity = make_identity(words)
    write_cases("sentence.json", [*folder_cases(dense, (None, *PROMPTS)), *folder_cases(identity, (None,)),
                                  *pooling_cases(dense)])


if __name__ == "__main__":
    main()
