"""A model of base size with random weights and a vocabulary, for who has none at hand."""

import array
import json
import os
import random
import struct

VOCABULARY = 21128
HIDDEN, HEADS, INTERMEDIATE, POSITIONS, TYPES = 768, 12, 3072, 512, 2
BLOCK = 1 << 18  # numbers that are drawn; longer weights repeat them: what they are does not change a time


def weights(layers):
    """(name, shape), as Hugging Face names them."""
    rows = [
        ("embeddings.word_embeddings.weight", (VOCABULARY, HIDDEN)),
        ("embeddings.position_embeddings.weight", (POSITIONS, HIDDEN)),
        ("embeddings.token_type_embeddings.weight", (TYPES, HIDDEN)),
    ]
    linears = [
        ("attention.self.query", HIDDEN, HIDDEN),
        ("attention.self.key", HIDDEN, HIDDEN),
        ("attention.self.value", HIDDEN, HIDDEN),
        ("attention.output.dense", HIDDEN, HIDDEN),
        ("intermediate.dense", INTERMEDIATE, HIDDEN),
        ("output.dense", HIDDEN, INTERMEDIATE),
    ]
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        norms += [layer + "attention.output.LayerNorm", layer + "output.LayerNorm"]
        for name, out, into in linears:
            rows += [(f"{layer}{name}.weight", (out, into)), (f"{layer}{name}.bias", (out,))]
    for name in norms:
        rows += [(name + ".weight", (HIDDEN,)), (name + ".bias", (HIDDEN,))]
    return rows


def vocabulary():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [chr(code) for code in range(0x21, 0x7F)]
    words += [chr(0x4E00 + i) for i in range(VOCABULARY - len(words))]
    return "".join(word + "\n" for word in words)


def write_weights(path, layers):
    draw = random.Random(1)
    block = array.array("f", (draw.uniform(-0.035, 0.035) for _ in range(BLOCK))).tobytes()
    header, end = {}, 0
    for name, shape in weights(layers):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + 4 * count]}
        end += 4 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for row in header.values():
            left = row["data_offsets"][1] - row["data_offsets"][0]
            while left > 0:
                file.write(block[:left])
                left -= min(left, len(block))


def make(folder, layers):
    """The folder of a model, which is left as it is where it is there."""
    path = os.path.join(folder, f"made-{layers}x{HIDDEN}")
    if os.path.exists(os.path.join(path, "config.json")):
        return path
    os.makedirs(path, exist_ok=True)
    write_weights(os.path.join(path, "model.safetensors"), layers)
    with open(os.path.join(path, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write(vocabulary())
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_hidden_layers": layers,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": TYPES,
        "vocab_size": VOCABULARY,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:  # last: now it is whole
        json.dump(config, file, indent=1)
    return path
