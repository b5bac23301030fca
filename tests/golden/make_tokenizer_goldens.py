#!/usr/bin/env python3
"""Writes what Hugging Face tokenizers answer: tests/golden/tokenizer.json, tokenizer_files.json, tokenizer_full.json.

usage: python tests/golden/make_tokenizer_goldens.py [SHARED]
needs: transformers 5.23.0, tokenizers 0.23.3

tokenizer.json is made with tests/fixtures/tokenizer/vocab.txt. tokenizer_files.json holds small folders of files that
say different things, with the answers of AutoTokenizer. tokenizer_full.json is made with the vocabulary of
BERT-base Chinese and the ChnSentiCorp texts, SHARED/data/vocab_zh.txt and chnsenticorp_dev.tsv (default ../shared);
neither is in the repository, and without them only the first two files are written.
"""

import hashlib
import json
import os
import random
import shutil
import struct
import sys
import tempfile

import tokenizers
import transformers
from tokenizers import normalizers, pre_tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(HERE, "..", "fixtures", "tokenizer", "vocab.txt")

OPTIONS = {
    "uncased": {},
    "cased": {"do_lower_case": False},
    "cased, stripped": {"do_lower_case": False, "strip_accents": True},
    "lower case with accents": {"strip_accents": False},
    "CJK unsplit": {"tokenize_chinese_chars": False},
    "cased, CJK unsplit": {"do_lower_case": False, "tokenize_chinese_chars": False},
}

VECTORS = [
    "预测probability。", "Hello,WORLD! ", "你好[MASK]世界", "[mask]", "[CLS]x[SEP]", "[unused1]", "cafe\u0301",
    "e\u0301\u0301中", "A\u030AB", "İstanbul", "ΑΣ", "Straße", "iPhone12Pro", "a\u200Bb\u0085", "a\u00A0b\u3000c",
    "\uFEFF你 好", "\uF900", "𠀀中", "\U00030000好", "👍🏽", "각", "がぎ", "x" * 101, "￥100", "㎏①",
]

TEXTS = [
    "", " ", "\t\r\n", "\0", "a\0b", "x" * 100, "x" * 99 + "é", "é" * 100, "é" * 101, "a" * 100, "a" * 250,
    "今天天气很好，我们去北京大学看书。", "这家酒店的服务态度很好，房间干净，推荐！", "這間酒店環境和服務態度亦算不錯",
    "BERT是一个language model（语言模型）。", "Deep learning networks are unaffable, naïve and good.",
    "The GPU runs OpenCL kernels; the CPU doesn't.", "2024年1月1日 20:20", "价格是￥100～200元", "Hello  World\u2028ok",
    "hello\tworld\nhello\rworld", "[CLS][SEP][PAD][UNK][MASK]", "[MASK][MASK]好[MASK", "[[MASK]]", "[MASK ]", "[ MASK]",
    " [MASK] ", "a[MASK]b", "[MASK]\u0301", "e[SEP]\u0301", "\u0301", "\u0301\u0302", "中\u0301国", "\u0344a", "a\u0344",
    "\u1e0b\u0323", "d\u0323\u0307", "é\u0323", "a\u302e\u0301\U0001d165b", "a\U0001e000\u302e\U0001e94ab",
    "q\U0001d16d\u302e\U0001d165\u0300é", "\U00011938", "\u037e\u0387\u1fef\u212a\u212b\u2126", "ὈΔΥΣΣΕΎΣ ΣΑΣ", "ŒŒ œ ǅ ǈ",
    "ＡＢＣ１２３！？", "アイウ ガギグ ｶﾞ", "한국어 텍스트", "각\u11a8", "שלום עולם", "السلام عليكم", "नमस्ते दुनिया", "ภาษาไทย", "👨‍👩‍👧‍👦 😀!",
    "\u2e43\u2e5d\u2e42", "\U000111c9\u166d\u1734\u1885", "\ufe0f\ufe0e☺️", "\ufffd\ufffe\uffff", "\ue000\U000f0000a\U00100000",
    "\u3400\u4dbf\u4dc0\u9fff\ua000\ufaff\ufb00", "\U0002a6df\U0002a6e0\U0002b81f\U0002b820\U0002b920\U0002ceaf\U0002ceb0\U0002fa1f",
    "a_b-c.d/e\\f", "~~!!@@##$$%%^^&&**(())", "##ing ##好", "x\u00adb", "İI\u0307ıi̇", "a\u0345Σ", "\u1c89\ua7cb\ua7dc\U00010d50\U00016ea0",
    "你好世界你好", "abcde abcdex abcdxx", "aaaaaaaaaa", "http://example.org/?q=你好&x=1#top", "a\u180eb\u2060c\u061cd",
]

PAIRS = [
    ("今天天气很好", "我们去北京"), ("hello", "world"), ("", "world"), ("hello", ""), ("", ""), (" ", "hello"), ("hello", " "),
    ("你好[MASK]世界", "[SEP]hello[CLS]"), ("一二三十百千天", "一二三"), ("一二三", "一二三十百千天"), ("一二三十", "一二三十"),
    ("一二三十百", "一二三十"), ("一二", "一二三十百千天气今明年月"), ("一二三十百千天气今明年月", "一"),
]


def random_texts(seed, count):
    """Strings that mix what tokenizers stumble over."""
    source = random.Random(seed)
    pools = [
        lambda: source.choice("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789"),
        lambda: source.choice("你好世界中国人大学北京上海的了是不在有我他这预测概率模型语言"),
        lambda: chr(source.randrange(0, 0x21)),
        lambda: chr(source.randrange(0x7F, 0x100)),
        lambda: chr(source.choice([0x300, 0x301, 0x323, 0x327, 0x345, 0x302E, 0x1D165, 0x1E000, 0x1E94A, 0xFE0F, 0x20DD])),
        lambda: chr(source.randrange(0x100, 0x250)),
        lambda: chr(source.randrange(0x370, 0x600)),
        lambda: chr(source.randrange(0x600, 0x1200)),
        lambda: chr(source.randrange(0x1E00, 0x2070)),
        lambda: chr(source.randrange(0x2070, 0x3040)),
        lambda: chr(source.randrange(0x3040, 0x3100)),
        lambda: chr(source.randrange(0xAC00, 0xD7A4)),
        lambda: chr(source.randrange(0x1100, 0x1200)),
        lambda: chr(source.randrange(0x4E00, 0xA000)),
        lambda: chr(source.randrange(0xF900, 0x10000)),
        lambda: chr(source.randrange(0x10000, 0x20000)),
        lambda: chr(source.randrange(0x20000, 0x30000)),
        lambda: chr(source.choice([source.randrange(0x30000, 0x110000), source.randrange(0xE0000, 0xE0200)])),
        lambda: source.choice(["👍🏽", "👨‍👩‍👧", "😀", "🇨🇳", "❤️"]),
        lambda: source.choice(["[MASK]", "[CLS]", "[SEP]", "[UNK]", "[PAD]", "[mask]", "[MASK", "[unused1]"]),
        lambda: source.choice(" ,.!?，。！？、（）\u3000\u00a0\u2028"),
        lambda: source.choice(["hello", "World", "probability", "É", "ß", "İ", "Σ", "ǅ"]),
    ]
    for _ in range(count):
        some = source.sample(pools, source.randrange(1, 6))
        yield "".join(source.choice(some)() for _ in range(source.randrange(1, 25)))


def open_tokenizer(vocabulary, options):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(vocabulary, os.path.join(folder, "vocab.txt"))
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
            json.dump({"tokenizer_class": "BertTokenizer", **options}, file)
        return transformers.BertTokenizer.from_pretrained(folder)


def as_json(text):
    """A text, or its code points where a reader or an editor could stumble over them."""
    plain = all(c.isprintable() and ord(c) < 0x10000 for c in text)
    return text if plain else [ord(c) for c in text]


def case(tokenizer, option, text, pair=None, max_length=0):
    limits = {"truncation": "longest_first", "max_length": max_length} if max_length else {}
    encoded = tokenizer(
        text, pair, return_offsets_mapping=True, return_special_tokens_mask=True, return_token_type_ids=True, **limits
    )
    row = {"option": option, "text": as_json(text)}
    if pair is not None:
        row["pair"] = as_json(pair)
    if max_length:
        row["max_length"] = max_length
    row["ids"] = encoded["input_ids"]
    # The library shows an added token's normalized content; its content is what converts back to the id.
    contents = {id: str(token) for id, token in tokenizer.added_tokens_decoder.items()}
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    row["tokens"] = [as_json(contents.get(id, token)) for id, token in zip(encoded["input_ids"], tokens)]
    row["types"] = encoded["token_type_ids"]
    row["offsets"] = [position for offset in encoded["offset_mapping"] for position in offset]
    row["special"] = encoded["special_tokens_mask"]
    return row


def cases(vocabulary, randoms):
    opened = {name: open_tokenizer(vocabulary, options) for name, options in OPTIONS.items()}
    for name, tokenizer in opened.items():
        for text in VECTORS + TEXTS:
            yield case(tokenizer, name, text)
        for text in random_texts(name, randoms if name == "uncased" else randoms // 5):
            yield case(tokenizer, name, text)
    tokenizer = opened["uncased"]
    for text, pair in PAIRS:
        yield case(tokenizer, "uncased", text, pair)
        for max_length in list(range(1, 9)) + [11, 12]:
            yield case(tokenizer, "uncased", text, pair, max_length)
    for text in ["", "hello", "今天天气很好，我们去北京大学看书。"]:
        for max_length in range(1, 9):
            yield case(tokenizer, "uncased", text, None, max_length)
    source = random.Random(7)
    for _ in range(60):
        first, second = ("一二三十百千天气今明年月日" * 2)[: source.randrange(0, 20)], "大" * source.randrange(1, 20)
        yield case(tokenizer, "uncased", first, second, source.randrange(2, 30))


def every_code_point():
    return (chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def digest(lines):
    value = hashlib.sha256()
    for line in lines:
        value.update(line.encode() + b"\n")
    return value.hexdigest()


def properties():
    """One hash over all code points for each property of normalization and splitting."""

    def bert(clean, cjk, strip, lower):
        return normalizers.BertNormalizer(
            clean_text=clean, handle_chinese_chars=cjk, strip_accents=strip, lowercase=lower
        ).normalize_str

    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    rows = {name: digest(bert(True, *rest)(f"a{c}b") for c in every_code_point()) for name, rest in {
        "clean": (False, False, False), "cjk": (True, False, False), "strip_accents": (False, True, False),
        "lowercase": (False, False, True), "uncased": (True, True, True)}.items()}
    order = bert(True, False, True, False)
    rows["order"] = digest(order(f"a\U0001e000{c}\u302e\U0001e94ab") for c in every_code_point())
    pieces = {True: "punctuation", False: "other"}
    rows["punctuation"] = digest(pieces[len(split(f"a{c}b")) == 3] for c in every_code_point())
    return rows


SMALL = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c ab ##c ##b A B é e 中 国 ##国 新 词 新词 new word ##s ! [ ] < > x <x>".split()
SPECIALS = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
FILE_TEXTS = [
    "ab AB é中国 abc", "a [MASK] b[MASK]c", "中国", "x<x> <x>x <x>", " <x>  [mask]", "a新词b 新 词", "newwords NEWWORD word new",
    "a\x0bb\u0085c\u200b", "a  <y>  b", "zz[SEP]<y>z", "<Y> <y>", "new[MASK]word", "[CLS]<cls> </s>", "é <é> <É>",
    "wordnew word_new word new-word", "b新词新c 新词新", "新词新词新newword", "a \u3000<y>\u3000 中", "<y><y> <y>", "  <x>  <x>  ",
]


def added(content, **flags):
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"content": content, **{name: flags.get(name, False) for name in names}}


def pipeline(vocabulary=SMALL, more=(), **changes):
    """A tokenizer.json."""
    ids = {token: i for i, token in enumerate(vocabulary)}
    one = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
           {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    two = one + [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    whole = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [{"id": ids[token], **added(token, special=True)} for token in SPECIALS if token in ids]
        + [{"id": len(vocabulary) + i, **token} for i, token in enumerate(more)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": one, "pair": two,
            "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": ids},
    }
    return {**whole, **changes}


def normalizer(clean, cjk, strip, lower):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": cjk, "strip_accents": strip, "lowercase": lower}


GENERIC = {"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
           "unk_token": "[UNK]", "mask_token": "[MASK]"}
BERT = {"tokenizer_class": "BertTokenizer"}
LINES = "\n".join(SMALL) + "\n"
COUNT = len(SMALL)
FLAGGED = {
    str(COUNT): added("<y>", lstrip=True, rstrip=True, special=True),
    str(COUNT + 1): added("新词新", normalized=True),
    str(COUNT + 2): added("newword", normalized=True, single_word=True),
    str(COUNT + 3): added("<É>", normalized=True, lstrip=True, rstrip=True),
}
NAMED = {str(SMALL.index(token)): added(token, special=True) for token in SPECIALS}

FOLDERS = {
    "vocab.txt alone": {"vocab.txt": LINES},
    "the configuration wins over the normalizer": {
        "tokenizer.json": pipeline(normalizer=normalizer(True, True, None, True)), "tokenizer_config.json": {**BERT, "do_lower_case": False}},
    "the defaults win over the normalizer": {
        "tokenizer.json": pipeline(normalizer=normalizer(False, False, False, False)), "tokenizer_config.json": BERT},
    "the defaults win without a configuration": {"tokenizer.json": pipeline(normalizer=normalizer(True, False, False, False))},
    "the generic class takes the normalizer": {
        "tokenizer.json": pipeline(normalizer=normalizer(True, False, False, False)), "tokenizer_config.json": {**GENERIC, "do_lower_case": True}},
    "the generic class, not cleaned": {
        "tokenizer.json": pipeline(normalizer=normalizer(False, True, None, True)), "tokenizer_config.json": GENERIC},
    "the generic class, accents kept": {
        "tokenizer.json": pipeline(normalizer=normalizer(True, True, False, True)), "tokenizer_config.json": GENERIC},
    "the generic class, BertProcessing": {
        "tokenizer.json": pipeline(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}),
        "tokenizer_config.json": GENERIC},
    "tokenizer.json wins over vocab.txt": {"vocab.txt": "\n".join(SPECIALS + ["c", "b", "a"]), "tokenizer.json": pipeline()},
    "the old class name": {"vocab.txt": LINES, "tokenizer_config.json": {"tokenizer_class": "BertTokenizerFast", "strip_accents": False}},
    "added tokens of the configuration": {
        "vocab.txt": LINES, "tokenizer_config.json": {**BERT, "added_tokens_decoder": {**NAMED, **FLAGGED}}},
    "added tokens, cased": {
        "vocab.txt": LINES, "tokenizer_config.json": {**BERT, "do_lower_case": False, "added_tokens_decoder": {**NAMED, **FLAGGED}}},
    "added tokens of tokenizer.json": {"tokenizer.json": pipeline(more=list(FLAGGED.values())), "tokenizer_config.json": BERT},
    "added tokens of tokenizer.json, generic class": {
        "tokenizer.json": pipeline(more=list(FLAGGED.values())), "tokenizer_config.json": GENERIC},
    "an added token that the vocabulary has": {
        "vocab.txt": LINES,
        "tokenizer_config.json": {**BERT, "added_tokens_decoder": {**NAMED, str(SMALL.index("<x>")): added("<x>", special=True, single_word=True)}}},
    "added_tokens.json": {"vocab.txt": LINES, "added_tokens.json": {"newword": COUNT, "新词新": COUNT + 1}},
    "special_tokens_map.json": {
        "vocab.txt": LINES.replace("[CLS]", "<cls>").replace("[SEP]", "</s>"),
        "special_tokens_map.json": {"cls_token": "<cls>", "sep_token": {**added("</s>", lstrip=True)}, "mask_token": added("[MASK]", lstrip=True)}},
    "extra special tokens": {
        "vocab.txt": LINES, "tokenizer_config.json": {**BERT, "additional_special_tokens": ["<y>", "<x>", "中国"]}},
    "repeated lines": {
        "vocab.txt": LINES + "a\nb\n", "tokenizer_config.json": {**BERT, "additional_special_tokens": ["<y>"]}},
    "white space at line ends": {"vocab.txt": LINES.replace("\n", "\r\n").replace("a\r", "a \t\u3000\r")},
    "empty lines": {"vocab.txt": LINES.replace("ab\n", "\n\n")},
    "no last newline": {"vocab.txt": LINES.rstrip("\n")},
    "tokens in any order": {"tokenizer.json": pipeline(model={
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": dict(sorted({token: i for i, token in enumerate(SMALL)}.items()))})},
    "a limit that is none": {"vocab.txt": LINES, "tokenizer_config.json": {**BERT, "model_max_length": 1000000000000000019884624838656}},
}


def folder_cases():
    for name, files in FOLDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            for file_name, content in {"config.json": {"model_type": "bert"}, **files}.items():
                text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
                with open(os.path.join(folder, file_name), "w", encoding="utf-8", newline="\n") as file:
                    file.write(text)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        tokenizer.backend_tokenizer.no_truncation()
        rows = [case(tokenizer, name, text) for text in FILE_TEXTS] + [case(tokenizer, name, "a 中", "b [MASK]")]
        texts = {file_name: content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
                 for file_name, content in files.items()}
        for row in rows:
            del row["option"]
        yield {"name": name, "files": texts, "cases": rows}


def header(vocabulary):
    with open(vocabulary, "rb") as file:
        return {
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "vocabulary_sha256": hashlib.sha256(file.read()).hexdigest(),
        }


def corpus(vocabulary, path):
    """The hash of all ids, starts and ends (int32, little-endian) of all texts, one text after the other."""
    tokenizer = open_tokenizer(vocabulary, {})
    with open(path, encoding="utf-8", newline="\n") as file:
        texts = [line.rstrip("\n").split("\t", 1)[1] for line in file.readlines()[1:]]
    rows = []
    for max_length in (0, 128):
        limits = {"truncation": True, "max_length": max_length} if max_length else {}
        value, tokens = hashlib.sha256(), 0
        for text in texts:
            encoded = tokenizer(text, return_offsets_mapping=True, **limits)
            for numbers in (encoded["input_ids"], *zip(*encoded["offset_mapping"])):
                value.update(struct.pack(f"<{len(numbers)}i", *numbers))
            tokens += len(encoded["input_ids"])
        rows.append({"max_length": max_length, "texts": len(texts), "tokens": tokens, "sha256": value.hexdigest()})
    return rows


def write(name, top, rows):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        file.write("{\n")
        for key, value in top.items():
            file.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        file.write('"cases": [\n')
        file.write(",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows))
        file.write("\n]\n}\n")


def main():
    shared = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "..", "shared")
    write("tokenizer.json", {"made_with": header(FIXTURE), "options": OPTIONS, "properties": properties()}, cases(FIXTURE, 300))
    write("tokenizer_files.json", {"made_with": header(FIXTURE)}, folder_cases())
    full = os.path.join(shared, "data", "vocab_zh.txt")
    texts = os.path.join(shared, "data", "chnsenticorp_dev.tsv")
    if not os.path.exists(full) or not os.path.exists(texts):
        print(f"{full} or {texts} is not there: tokenizer_full.json stays as it is", file=sys.stderr)
        return
    write("tokenizer_full.json", {"made_with": header(full), "options": OPTIONS, "corpus": corpus(full, texts)}, cases(full, 150))


if __name__ == "__main__":
    main()
