#!/usr/bin/env python3
"""Makes tests/golden/metrics.json: scores of predictions as the libraries that papers use compute them.

    python tests/golden/make_metric_goldens.py    needs seqeval 1.2.2, nltk 3.10.4, scipy 1.17.1, scikit-learn 1.9.1

Words come from word_tokenize(text, preserve_line=True): NLTK's word tokenizer without the split into sentences before
it, which needs a trained model. The scores of reading comprehension have no library; this script computes them from
their description, so they agree with nothing but that: see `reading` and `law` below, most of whose cases have scores
that can be checked by hand and are asserted here. Numbers are rounded to 7 digits.

Layout of metrics.json
    made_with   {seqeval, nltk, scipy, scikit-learn}
    entities    [{name, expected: [[tag, …], …], predicted: [[tag, …], …],
                  entities: [[type, first, last], …] of predicted, all sentences in one with an O between them,
                  precision, recall, f1: of all entities together (seqeval's default mode),
                  classes: {type: {precision, recall, f1, support}}}]; what would be divided by 0 is 0
    rank        [{x, y, spearman}]; spearman null: not defined
    accuracy    [{expected, predicted, accuracy}]
    words       [{text, words}]
    reading     [{prediction, answers, exact, f1, segments: of prediction}]: CMRC 2018; exact 0 or 1, f1 0 … 1
    law         [{prediction, answers, exact, f1}]: CJRC
"""

import collections
import json
import math
import pathlib
import random
import warnings

import nltk
import scipy
import seqeval
import sklearn
from nltk.tokenize import word_tokenize
from scipy.stats import spearmanr
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import accuracy_score

GOLDEN = pathlib.Path(__file__).resolve().parent


def plain(number):
    return float(f"{float(number):.7g}")


# ---- Entities -----------------------------------------------------------------------------------------------

TAGGED = [
    ("equal", ["B-PER I-PER O B-LOC"], ["B-PER I-PER O B-LOC"]),
    ("border", ["B-PER I-PER O B-LOC"], ["B-PER O O B-LOC"]),
    ("type", ["B-PER I-PER O B-LOC"], ["B-ORG I-ORG O B-LOC"]),
    ("I after O starts", ["B-PER I-PER O B-LOC I-LOC"], ["I-PER I-PER O I-LOC I-LOC"]),
    ("I of another type starts", ["B-PER I-PER B-LOC I-LOC"], ["B-PER I-PER I-LOC I-LOC"]),
    ("I of another type within", ["B-PER I-PER I-PER"], ["B-PER I-LOC I-PER"]),
    ("B after B", ["B-PER B-PER I-PER"], ["B-PER B-PER B-PER"]),
    ("joined", ["B-PER B-PER"], ["B-PER I-PER"]),
    ("at both ends", ["B-LOC O O B-LOC"], ["B-LOC O O B-LOC"]),
    ("two sentences do not join", ["O B-PER", "I-PER O"], ["O B-PER", "I-PER O"]),
    ("last and first", ["O B-PER", "B-PER I-PER"], ["O B-PER", "I-PER I-PER"]),
    ("nothing at all", ["O O O"], ["O O O"]),
    ("nothing predicted", ["B-PER O", "B-LOC I-LOC"], ["O O", "O O"]),
    ("nothing expected", ["O O O"], ["B-PER I-PER O"]),
    ("a type only predicted", ["B-PER O O"], ["B-PER O B-ORG"]),
    ("a type with a hyphen", ["B-A-B I-A-B O B-A"], ["B-A-B I-A-B O B-B"]),
    ("Chinese types", ["B-人名 I-人名 O B-地名"], ["B-人名 I-人名 O B-人名"]),
    ("single tokens", ["B-PER", "O", "I-LOC"], ["B-PER", "I-LOC", "B-LOC"]),
]


def random_tags(source, lengths, likeness=None):
    """Tags without any rule; with likeness, those of another with every fifth changed."""
    tags = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
    if likeness:
        return [" ".join(tag if source.random() < 0.8 else source.choice(tags) for tag in sentence.split())
                for sentence in likeness]
    return [" ".join(source.choice(tags) for _ in range(length)) for length in lengths]


def entity_cases():
    source = random.Random(1)
    tagged = list(TAGGED)
    for i in range(6):
        expected = random_tags(source, [source.randrange(1, 30) for _ in range(i + 1)])
        tagged.append((f"random {i}", expected, random_tags(source, None, expected)))
    for name, *both in tagged:
        expected, predicted = ([sentence.split() for sentence in sentences] for sentences in both)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = [plain(score(expected, predicted)) for score in (precision_score, recall_score, f1_score)]
            try:
                report = classification_report(expected, predicted, output_dict=True)
            except ValueError:  # of a report without any class
                report = {}
        classes = {kind: {"precision": plain(row["precision"]), "recall": plain(row["recall"]),
                          "f1": plain(row["f1-score"]), "support": int(row["support"])}
                   for kind, row in report.items() if not kind.endswith(" avg")}
        yield {"name": name, "expected": expected, "predicted": predicted, "entities": get_entities(predicted),
               "precision": scores[0], "recall": scores[1], "f1": scores[2], "classes": classes}


# ---- Ranks and accuracy -------------------------------------------------------------------------------------


def rank_cases():
    source = random.Random(2)
    lists = [
        ([1, 2, 3, 4], [1, 2, 3, 4]), ([1, 2, 3, 4], [4, 3, 2, 1]), ([1, 2], [5, 7]), ([1, 2, 3], [1, 3, 2]),
        ([1, 1, 2, 2, 3], [1, 2, 2, 3, 3]), ([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4]), ([5, 5, 5], [1, 2, 3]),
        ([0, 1, 2, 3, 4, 5, 5, 5], [0.9, 0.91, -0.3, 0.5, 0.5, 0.5, 1e-9, -1e-9]),
        ([-0.0, 0.0, 1.0], [1, 2, 3]), ([1e30, -1e30, 0], [3, 1, 2]),
        ([source.randrange(6) for _ in range(60)], [round(source.random(), 1) for _ in range(60)]),
        ([source.randrange(6) for _ in range(40)], [round(source.uniform(-1, 1), 6) for _ in range(40)]),
    ]
    for x, y in lists:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = spearmanr(x, y).statistic
        yield {"x": x, "y": y, "spearman": None if math.isnan(value) else plain(value)}


def accuracy_cases():
    source = random.Random(3)
    for count, classes in ((1, 1), (1, 2), (10, 2), (37, 3), (64, 10)):
        expected = [source.randrange(classes) for _ in range(count)]
        predicted = [label if source.random() < 0.7 else source.randrange(classes) for label in expected]
        yield {"expected": expected, "predicted": predicted, "accuracy": plain(accuracy_score(expected, predicted))}


# ---- Words --------------------------------------------------------------------------------------------------

SENTENCES = [
    "", " ", "word", "two words", "The end.", "U.S. Army.", "e.g. this", "3.14", "1,000,000", "10:30", "a:b", "a: b", "at 5:",
    "Hello, world!", "What?!", "wait...", "wait.. what....", "well…", "don't", "can't won't", "I'm he's we'll they've you're I'd",
    "DON'T HE'S WE'LL", "the dogs' bones", "James' book", "'quoted'", "say 'hello' now", "'tis 'twas", "rock 'n' roll",
    "\"double\" quotes", "she said \"no.\"", "(\"x\")", "'' empty ''", "``tex''", "“curly” ‘single’", "«chevrons»", "„low“",
    "cannot gonna gotta lemme gimme wanna", "more'n d'ye", "whaddya", "wanna-be", "AT&T", "R&D; 50% off #1 @home $5.00",
    "a--b", "a - b", "1990–1999 — now", "x*y", "a**b", "(a) [b] {c} <d>", "f(x)=[1,2]", "http://example.org/?q=1&x=2",
    "user@example.org", "C++ C#", "end.\"", "end.)", "end.'", "end. ", "end.  \"", "mr. x said.", "a.b.c.", ".5", "5.", "...",
    ".", ",", "a,b", "1,b", "a,1", ",1", "1,", "a ,", "é.", "naïve café.", "日本.", "over 9000!", "iphone 12 pro", "covid19",
    "2008年", "nba", "世界 cup", "ＡＢＣ１２３", "a\u3000b", "a\tb\nc", "a\u00a0b", "½ cup", "o'clock", "ol' man", "y'all",
    "it's", "it 's", "its'", "'s", "n't", "isn't it", "'re 've", "s's's", "''", "'", "\"", "\"\"", "a\"b", "\"a", "a\"",
    "a\" b", "( \"a", "5'10\"", "x' y", "x'' y", "x ' y",
]


def word_cases():
    """Also random runs of what is left when the signs that CMRC 2018 deletes are gone."""
    source = random.Random(4)
    pieces = ["a", "b", "s", "t", "n", "d", "m", "can", "not", "gon", "na", "ll", "1", "23", "é", "'", "'", "\"", "''", ".", "..",
              ",", "?", "!", "(", ")", "[", "]", "<", ";", "@", "#", "$", "%", "&", "‘", "…", "—", "«", " ", " ", " ", "\u3000"]
    made_up = ["".join(source.choice(pieces) for _ in range(source.randrange(1, 14))) for _ in range(240)]
    for text in [*SENTENCES, *made_up]:
        yield {"text": text, "words": word_tokenize(text, preserve_line=True)}


# ---- Reading comprehension ----------------------------------------------------------------------------------

DELETED = set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")


def kept(text):
    return "".join(char for char in text.lower().strip() if char not in DELETED)


def segments(text):
    """Every Chinese character by itself, what is between them as words."""
    found, run = [], ""
    for char in kept(text):
        if "\u4e00" <= char <= "\u9fa5":
            found += [*word_tokenize(run, preserve_line=True), char]
            run = ""
        else:
            run += char
    return found + word_tokenize(run, preserve_line=True)


def longest_shared_run(a, b):
    best = 0
    for i in range(len(a)):
        for j in range(len(b)):
            length = 0
            while i + length < len(a) and j + length < len(b) and a[i + length] == b[j + length]:
                length += 1
            best = max(best, length)
    return best


def reading_f1(prediction, answer):
    found, expected = segments(prediction), segments(answer)
    shared = longest_shared_run(found, expected)
    return 2 * shared / (len(found) + len(expected)) if shared else 0.0


READING = [
    # Prediction, answers, and where it is plain to see: exact and f1.
    ("北京大学", ["北京大学"], 1, 1.0), ("北京", ["北京大学"], 0, 2 / 3), ("在北京大学", ["北京大学里"], 0, 0.8),
    ("北大学", ["北京大学"], 0, 4 / 7), ("上海", ["北京"], 0, 0.0), ("“北京”。", ["北京"], 1, 1.0),
    ("北京", ["上海", "北京", "北京市"], 1, 1.0), ("Apple公司", ["apple公司"], 1, 1.0), ("apple公司", ["苹果公司"], 0, 4 / 7),
    ("", ["北京"], 0, 0.0), ("。", ["北京"], 0, 0.0), ("2008年8月8日", ["2008年"], 0, 0.5), ("2008年 8月", ["2008年8月"], 0, 1.0),
    ("it isn't", ["it is"], 0, 0.8), ("10-20", ["1020"], 1, 1.0), ("甲‘乙", ["甲乙"], 0, 0.4), ("甲…", ["甲"], 0, 2 / 3),
    ("甲!", ["甲！"], 0, 2 / 3), ("3.5%", ["3.5"], 0, 2 / 3), ("  两边空白  ", ["两边空白"], 1, 1.0), ("《红楼梦》、曹雪芹", ["红楼梦曹雪芹"], 1, 1.0),
    ("The Quick (brown) fox", ["the quick brown fox"], 0, None), ("Mr. Smith's", ["Mr. Smith"], 0, None),
    ("龥龦", ["龥"], 0, 2 / 3), ("１２３", ["123"], 0, 0.0), ("我的dog's很大", ["我的dog很大"], 0, None),
    ("第一、第二、第三", ["第二，第三"], 0, None), ("甲乙甲乙丙", ["乙丙甲乙"], 0, 4 / 9), ("答案", [], 0, 0.0), ("\u3000北京", ["北京"], 1, 1.0),
]


def reading_cases():
    for prediction, answers, exact, f1 in READING:
        found_exact = max((int(kept(prediction) == kept(answer)) for answer in answers), default=0)
        found_f1 = max((reading_f1(prediction, answer) for answer in answers), default=0.0)
        assert found_exact == exact and (f1 is None or math.isclose(found_f1, f1)), (prediction, found_exact, found_f1)
        yield {"prediction": prediction, "answers": answers, "exact": found_exact, "f1": plain(found_f1),
               "segments": segments(prediction)}


# ---- Reading of court records -------------------------------------------------------------------------------

LAW = [
    ("张三", ["张三"], 1, 1.0), ("张三", ["李四"], 0, 0.0), ("张三、李四", ["张三李四"], 1, 1.0), ("三张", ["张三"], 0, 1.0),
    ("", [""], 1, 1.0), ("。", ["，"], 1, 1.0), ("", ["张三"], 0, 0.0), ("张三", [""], 0, 0.0), ("2015年5月", ["2015年6月"], 0, 6 / 7),
    ("张三", ["张三", "张三"], 1, 1.0), ("张三", ["张三", "李四"], 0.5, 0.5), ("张三", ["张三", "李四", "王五"], 2 / 3, 2 / 3),
    ("张三", ["张三", "张三丰", "王五"], 2 / 3, (1 + 1 + 0.8) / 3), ("YES", ["yes"], 1, 1.0), ("50.5元", ["505 元"], 1, 1.0),
]


def letters(text):
    return "".join(char for char in text if char.isdigit() or char.isalpha()).lower()


def law_f1(prediction, answer):
    found, expected = letters(prediction), letters(answer)
    if not found and not expected:
        return 1.0
    shared = sum((collections.Counter(found) & collections.Counter(expected)).values())
    return 2 * shared / (len(found) + len(expected))


def law_exact(prediction, answer):
    return float(letters(prediction) == letters(answer))


def without_each(score, prediction, answers):
    """The best score, each answer left out in turn where there are several, and the mean of these."""
    scores = [score(prediction, answer) for answer in answers]
    if len(scores) == 1:
        return scores[0]
    return sum(max(scores[:i] + scores[i + 1:]) for i in range(len(scores))) / len(scores)


def law_cases():
    for prediction, answers, exact, f1 in LAW:
        found_exact = without_each(law_exact, prediction, answers)
        found_f1 = without_each(law_f1, prediction, answers)
        assert math.isclose(found_exact, exact) and math.isclose(found_f1, f1), (prediction, answers, found_exact, found_f1)
        yield {"prediction": prediction, "answers": answers, "exact": plain(found_exact), "f1": plain(found_f1)}


# ---- The list -----------------------------------------------------------------------------------------------


def main():
    parts = {"entities": entity_cases, "rank": rank_cases, "accuracy": accuracy_cases, "words": word_cases,
             "reading": reading_cases, "law": law_cases}
    versions = {"seqeval": seqeval.__version__ if hasattr(seqeval, "__version__") else "1.2.2",
                "nltk": nltk.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}
    text = f'{{"made_with": {json.dumps(versions)}'
    for name, cases in parts.items():
        lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases())
        text += f',\n"{name}": [\n{lines}\n]'
    text += "}\n"
    json.loads(text)
    (GOLDEN / "metrics.json").write_text(text, encoding="utf-8")
    print(f"metrics.json: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
