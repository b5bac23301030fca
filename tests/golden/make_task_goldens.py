#!/usr/bin/env python3
"""Makes the fixtures of the task heads and what the pipelines of Hugging Face answer: tests/golden/task/*.json.

    python tests/golden/make_task_goldens.py [fixtures]    needs torch 2.15.0, transformers 5.23.0
    python tests/golden/make_task_goldens.py qa            needs transformers 4.57.6: later ones have no such pipeline

The first writes the fixtures and all goldens but qa.json; tiny-bert, tiny-bert-bf16 and tiny-pretraining must be there
(make_model_goldens.py). Weights are drawn from a seed and stored as float16; answers are computed in float64 from the
weights as stored, one text at a time, and rounded to 7 digits. Every answer is computed a second time with weights that
are off by 1e-5 of themselves, and the script fails if anything but the scores, or those by much, differs: no golden
hangs on a near tie.

Every file: {made_with: {torch, transformers}, cases: [case, …]}, one case a line. Texts longer than the model takes (80
tokens) are truncated unless `stride` or windows say otherwise. Offsets count code points. In all cases
    fixture             folder in tests/fixtures
fill_mask.json
    text, top_k
    masks               [[{score, token, token_str, sequence}, …], …]: one list for every mask, also for a single one
                        (the pipeline gives no outer list then)
next_sentence.json
    text, pair
    logits, scores      [2]: 0: the pair follows the text
classify.json
    text, pair          pair may be null
    function            softmax, sigmoid or none: what makes scores of logits
    logits              [labels]
    labels              [{label, score}, …], all of them, best first
multiple_choice.json
    text, choices
    logits, scores      [choices]
ner.json
    text
    strategy            none, simple, first, average or max
    stride              tokens that windows share, or null: truncated
    entities            [{entity or entity_group, score, index (strategy none only), word, start, end}, …]
ner_words.json
    words               tokenized one by one, as columns of a corpus are
    labels              of every word, that of its first token; null where none of its tokens is left
    scores              the probability of that label, or null
qa.json
    question, context, max_seq_len, doc_stride (tokens that windows share)
    top_k, max_answer_len, handle_impossible_answer, align_to_words
    windows             how many
    answers             [{score, start, end, answer}, …], at most top_k, also for a single one
"""

import argparse
import copy
import json

import torch
import transformers
from make_model_goldens import FIXTURES, GOLDEN, POSITIONS, VERSIONS, make_model, rounded, vocabulary, write_json
from transformers import (BertForMaskedLM, BertForMultipleChoice, BertForNextSentencePrediction,
                          BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification,
                          BertTokenizerFast, pipeline)

# ---- Answers that do not hang on a near tie ------------------------------------------------------------------


def shaken(model):
    """A copy with every weight off by 1e-5 of itself, which is more than float32 makes of it."""
    generator = torch.Generator().manual_seed(99)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1 + 1e-5 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return other


def expect_close(found, expected, place):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, value in expected.items():
            expect_close(found[key], value, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{place}: {len(found)} and {len(expected)} items"
        for i, value in enumerate(expected):
            expect_close(found[i], value, f"{place}[{i}]")
    elif isinstance(expected, float):
        assert abs(found - expected) <= 1e-4 + 2e-3 * abs(expected), f"{place}: {found} and {expected}"
    else:
        assert found == expected, f"{place}: {found} and {expected}"


def plain(value):
    """Numbers rounded, NumPy's as Python's."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return float(f"{value:.7g}") if isinstance(value, float) else value


class Asker:
    """Asks a model and its shaken copy the same."""

    def __init__(self, kind, fixture):
        self.fixture = fixture
        self.tokenizer = BertTokenizerFast.from_pretrained(FIXTURES / fixture)
        model = kind.from_pretrained(FIXTURES / fixture, dtype=torch.float64, attn_implementation="eager").eval()
        self.models = [model, shaken(model)]

    def ask(self, answer, **question):
        """answer(model, **question) of the model, after the question."""
        with torch.no_grad():
            exact, other = (plain(answer(model, **question)) for model in self.models)
        place = f"{self.fixture} {question}"
        expect_close(other, exact, place)
        return {"fixture": self.fixture, **question, **exact}


class PipelineAsker(Asker):
    """The same with pipelines in place of models."""

    def __init__(self, task, kind, fixture):
        super().__init__(kind, fixture)
        self.models = [pipeline(task, model=model, tokenizer=self.tokenizer, device="cpu") for model in self.models]


def write_cases(name, cases):
    path = GOLDEN / "task" / name
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    text = f'{{"made_with": {json.dumps(VERSIONS)},\n"cases": [\n{lines}\n]}}\n'
    json.loads(text)
    path.write_text(text, encoding="utf-8")
    print(f"task/{name}: {len(cases)} cases, {len(text.encode())} bytes")


# ---- Fixtures -----------------------------------------------------------------------------------------------


def hidden_states(model):
    """Of some made-up sequences: [CLS] of each, and all other tokens."""
    ids = torch.randint(5, model.config.vocab_size, (8, 40), generator=torch.Generator().manual_seed(5))
    ids[:, 0] = 2
    with torch.no_grad():
        hidden = copy.deepcopy(model).float().bert(input_ids=ids).last_hidden_state
    return hidden[:, 0], hidden[:, 1:].flatten(0, 1)


def outside(vectors, direction):
    """What of the vectors [N, H] is not along the direction [H]."""
    return vectors - torch.outer(vectors @ direction, direction) / direction.square().sum()


def clearly(factor):
    """An adjustment of a classifier for texts: larger weights, for answers that tell texts apart."""
    def adjust(model):
        with torch.no_grad():
            model.classifier.weight.mul_(factor)
    return adjust


def for_tokens(model):
    """Without what all tokens share, by which one label would win nearly everywhere."""
    _, others = hidden_states(model)
    with torch.no_grad():
        model.classifier.weight.copy_(3 * outside(model.classifier.weight.float(), others.mean(0)))
        model.classifier.bias.zero_()


def for_answers(model):
    """Clear answers, and logits of [CLS] high enough that "no answer" wins now and then."""
    first, others = hidden_states(model)
    shared = others.mean(0)
    null = outside(first, shared).mean(0)
    with torch.no_grad():
        weight = 4 * outside(outside(model.qa_outputs.weight.float(), shared), null)
        model.qa_outputs.weight.copy_(weight + NULL_LOGIT * null / null.square().sum())


def reverse_labels(folder):
    """Labels in an order in which neither their place nor their text gives their number."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["id2label"] = dict(reversed(config["id2label"].items()))
    write_json(path, config)


TOPICS = ["体育", "财经", "房产", "家居", "教育", "科技", "时尚", "时政", "游戏", "娱乐", "other", "none of them"]
BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
PLAIN = ["O", "PER", "LOC"]
NULL_LOGIT = 4


def make_fixtures():
    words = vocabulary()

    def make(name, kind, seed, labels=None, adjust=None, **settings):
        if labels:
            settings["id2label"] = dict(enumerate(labels))
        return make_model(name, words, kind, torch.float16, seed=seed, adjust=adjust, num_hidden_layers=1,
                          **settings)[0]

    make("tiny-untied", BertForMaskedLM, 21, tie_word_embeddings=False)
    clear = clearly(6)
    reverse_labels(make("tiny-multi-label", BertForSequenceClassification, 22, TOPICS, clear,
                        problem_type="multi_label_classification"))
    make("tiny-regression", BertForSequenceClassification, 23, ["similarity"], clear, problem_type="regression")
    make("tiny-one-label", BertForSequenceClassification, 24, adjust=clear, num_labels=1)
    make("tiny-ner", BertForTokenClassification, 35, BIO, for_tokens)
    make("tiny-ner-plain", BertForTokenClassification, 26, PLAIN, for_tokens)
    make("tiny-qa", BertForQuestionAnswering, 27, adjust=for_answers)
    make("tiny-multiple-choice", BertForMultipleChoice, 28, adjust=clear)


# ---- Fill-mask ----------------------------------------------------------------------------------------------

LONG = "这本书写得很好，我一口气看完了。The quick brown fox walked to the river and the stone; " * 3

MASKED = [
    ("今天[MASK]气很好", 5), ("hello [MASK]!", 5), ("[MASK]", 3), ("他们在[MASK]里学[MASK]了什么？", 3),
    ("[MASK][MASK] world, it [MASK] the river. ok?", 2), ("The model[MASK] walk[MASK].", 4), ("[CLS]好[MASK][SEP]", 3),
    ("龘😀[MASK]，the end", 1), ("一[MASK]" + LONG, 2), (LONG[:20] + "[MASK]" + LONG[20:] + "[MASK]", 2),
]


def fill_mask(pipe, text, top_k):
    found = pipe(text, top_k=top_k, tokenizer_kwargs={"truncation": True, "max_length": POSITIONS})
    return {"masks": found if isinstance(found[0], list) else [found]}


def fill_mask_cases():
    for fixture in ("tiny-bert", "tiny-untied", "tiny-pretraining"):
        asker = PipelineAsker("fill-mask", BertForMaskedLM, fixture)
        for text, top_k in MASKED if fixture != "tiny-pretraining" else MASKED[:4]:
            yield asker.ask(fill_mask, text=text, top_k=top_k)


# ---- Next sentence, classification, multiple choice -----------------------------------------------------------

TEXTS = ["", "今天天气很好，我们去看海。", "hello world", "The quick brown fox walks to the river in world 42!",
         "这是BERT模型，it is a text。", LONG]
PAIRS = [("你好", "世界"), ("hello world", "这是一个文本，用来看模型的对与不对。"), ("他们在学校里学到了什么？", "什么都没学到。"),
         ("", "好"), (LONG, "后来呢？"), ("前文", LONG), (LONG, LONG)]


def encoded(tokenizer, text, pair=None):
    return tokenizer(text, pair, truncation=True, max_length=POSITIONS, return_tensors="pt")


def next_sentence_cases():
    asker = Asker(BertForNextSentencePrediction, "tiny-pretraining")

    def next_sentence(model, text, pair):
        logits = model(**encoded(asker.tokenizer, text, pair)).logits[0]
        return {"logits": rounded(logits), "scores": logits.softmax(0).tolist()}

    for text, pair in PAIRS:
        yield asker.ask(next_sentence, text=text, pair=pair)


def classify_cases():
    functions = {"tiny-bert-bf16": "softmax", "tiny-multi-label": "sigmoid", "tiny-regression": "none",
                 "tiny-one-label": "sigmoid"}
    for fixture, function in functions.items():
        asker = PipelineAsker("text-classification", BertForSequenceClassification, fixture)

        def classify(pipe, text, pair, function):
            inputs = text if pair is None else {"text": text, "text_pair": pair}
            labels = pipe(inputs, top_k=None, truncation=True, max_length=POSITIONS)
            # The pipeline computes in float32; the same again in float64.
            logits = pipe.model(**encoded(asker.tokenizer, text, pair)).logits[0]
            scores = {"softmax": logits.softmax(0), "sigmoid": logits.sigmoid(), "none": logits}[function].tolist()
            names = pipe.model.config.id2label
            exact = [{"label": names[i], "score": scores[i]}
                     for i in sorted(range(len(scores)), key=lambda i: -scores[i])]
            expect_close(labels, exact, f"{fixture} {text}")
            return {"logits": rounded(logits), "labels": exact}

        for text in TEXTS:
            yield asker.ask(classify, text=text, pair=None, function=function)
        for text, pair in PAIRS[:5]:
            yield asker.ask(classify, text=text, pair=pair, function=function)


def multiple_choice_cases():
    asker = Asker(BertForMultipleChoice, "tiny-multiple-choice")

    def multiple_choice(model, text, choices):
        inputs = asker.tokenizer([text] * len(choices), choices, truncation=True, max_length=POSITIONS, padding=True,
                                 return_tensors="pt")
        logits = model(**{name: value.unsqueeze(0) for name, value in inputs.items()}).logits[0]
        return {"logits": rounded(logits), "scores": logits.softmax(0).tolist()}

    for text, choices in (("他们在学校里学到了什么？", ["什么都没学到。", "学到了很多", "the model"]),
                          ("hello", ["world", "你好"]), ("今天天气怎么样", ["好", "不好", "一般", LONG])):
        yield asker.ask(multiple_choice, text=text, choices=choices)


# ---- Entities -----------------------------------------------------------------------------------------------

NER_TEXTS = [
    "", "他在北海上学，她去了西山。", "The quick brown fox walks to the river with hello-world 42!",
    "walking talked ally nation modeled riverstone quickly", "他们和Walker先生在Riverstone见面，说hello。",
    "龘先生😀去了the 𠀀 river，好。", "[MASK]在北海", "Ünïted cafe\u0301 wörld, ﬁne", "小王小王小王", LONG,
]
NER_LONG = LONG + "他们在Riverstone见到了Walker先生，后来龘先生也到了。" * 2
STRATEGIES = ("none", "simple", "first", "average", "max")


def ner(pipe, text, strategy, stride):
    options = {} if stride is None else {"stride": stride}
    pipe = pipeline("token-classification", model=pipe.model, tokenizer=pipe.tokenizer, device="cpu",
                    aggregation_strategy=strategy, **options)
    return {"entities": pipe(text)}


def ner_cases():
    for fixture in ("tiny-ner", "tiny-ner-plain"):
        asker = PipelineAsker("token-classification", BertForTokenClassification, fixture)
        for strategy in STRATEGIES:
            for text in NER_TEXTS:
                yield asker.ask(ner, text=text, strategy=strategy, stride=None)
            for stride in () if strategy == "none" else (0, 20):
                yield asker.ask(ner, text=NER_LONG, strategy=strategy, stride=stride)


WORDS = [
    list("他在北海上学，她去了西山。"), ["The", "quick", "riverstone", "walked", "to", "Walker", "."],
    ["他们", "和", "Walker", "先生", "在", "Riverstone", "见面", "，", "龘", "😀", "hello-world", "1998"],
    ["a", "\u200b", "b", "e\u0301", "[MASK]", "x" * 101], ["好"], list(LONG.replace(" ", "")),
]


def ner_words(model, tokenizer, words):
    inputs = tokenizer(words, is_split_into_words=True, truncation=True, max_length=POSITIONS, return_tensors="pt")
    scores = model(**inputs).logits[0].softmax(-1).max(-1)
    found = [None] * len(words)
    for token, word in reversed(list(enumerate(inputs.word_ids()))):
        if word is not None:
            found[word] = token
    return {"labels": [at and model.config.id2label[scores.indices[at].item()] for at in found],
            "scores": [at and scores.values[at].item() for at in found]}


def ner_words_cases():
    for fixture in ("tiny-ner", "tiny-ner-plain"):
        asker = Asker(BertForTokenClassification, fixture)
        for words in WORDS:
            yield asker.ask(lambda model, words: ner_words(model, asker.tokenizer, words), words=words)


# ---- Question answering -------------------------------------------------------------------------------------

QUESTIONS = [
    ("他在哪里？", "他在北海上学，她去了西山。"),
    ("Where is the fox?", "The quick brown fox walked to the riverstone, and it is hello-world."),
    ("谁见到了Walker？", "他们在Riverstone见到了Walker先生，后来龘先生也到了。The end of it."),
    ("什么书？", LONG),
    ("Who walked?", LONG + "他们在Riverstone见到了Walker先生，后来the Fox and the fox。" * 2),
]


def qa_settings():
    """Every setting away from where the others stand."""
    base = {"max_seq_len": POSITIONS, "doc_stride": 20, "top_k": 1, "max_answer_len": 15,
            "handle_impossible_answer": False, "align_to_words": True}
    for change in ({}, {"top_k": 3}, {"top_k": 3, "align_to_words": False}, {"max_seq_len": 32, "doc_stride": 8},
                   {"max_seq_len": 40, "doc_stride": 16, "top_k": 4, "handle_impossible_answer": True},
                   {"handle_impossible_answer": True}, {"max_answer_len": 2, "top_k": 2},
                   {"max_answer_len": 60, "max_seq_len": 64}):
        yield {**base, **change}


def qa(pipe, question, context, **settings):
    windows = pipe.tokenizer(question, context, truncation="only_second", max_length=settings["max_seq_len"],
                             stride=settings["doc_stride"], return_overflowing_tokens=True)["input_ids"]
    found = pipe(question=question, context=context, **settings)
    return {"windows": len(windows), "answers": found if isinstance(found, list) else [found]}


def qa_cases():
    asker = PipelineAsker("question-answering", BertForQuestionAnswering, "tiny-qa")
    for question, context in QUESTIONS:
        for settings in qa_settings():
            yield asker.ask(qa, question=question, context=context, **settings)


# ---- The list -----------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description="Make the fixtures of the task heads and their goldens.")
    parser.add_argument("step", nargs="?", choices=["fixtures", "qa"], default="fixtures")
    step = parser.parse_args().step
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    if step == "qa":
        write_cases("qa.json", list(qa_cases()))
        return
    make_fixtures()
    write_cases("fill_mask.json", list(fill_mask_cases()))
    write_cases("next_sentence.json", list(next_sentence_cases()))
    write_cases("classify.json", list(classify_cases()))
    write_cases("multiple_choice.json", list(multiple_choice_cases()))
    write_cases("ner.json", list(ner_cases()))
    write_cases("ner_words.json", list(ner_words_cases()))


if __name__ == "__main__":
    main()
