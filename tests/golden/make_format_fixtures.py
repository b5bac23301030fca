#!/usr/bin/env python3
"""Writes the weights of tests/fixtures/tiny-pretraining in the other checkpoint formats, each with its own library.

    python tests/golden/make_format_fixtures.py torch         needs torch 2.15.0, transformers 5.23.0, safetensors
    python tests/golden/make_format_fixtures.py tensorflow    needs tensorflow-cpu 2.21.0
    python tests/golden/make_format_fixtures.py paddle        needs paddlepaddle 3.3.1
    python tests/golden/make_format_fixtures.py zip           needs none of them; after torch and tensorflow

One step at a time, as the libraries seldom live together; numpy, tiny-pretraining (make_model_goldens.py) and tiny-qa
(make_task_goldens.py) are all that the steps share. Nothing is drawn at random, so the same versions make the same
files, but for PyTorch's old form: it names storages by their addresses. Every step loads what it wrote with the library
again and compares it bit for bit. So tests/golden/model/tiny-pretraining.json holds for all models but those of tiny-qa,
for which tests/golden/task/qa.json holds, and the MLM head of tiny-tf1-untrained.

torch
    tiny-torch-zip        pytorch_model.bin as torch.save writes it
    tiny-torch-legacy     the same in the form before PyTorch 1.6
    tiny-torch-sharded    pytorch_model-0000x-of-00003.bin with pytorch_model.bin.index.json
    tiny-torch-strided    transposed, strided and shifted views of larger storages, a tied decoder, parameters,
                          LayerNorm.gamma/beta, int64 position_ids, one weight in float16 and one in bfloat16
    torch-types           types.bin and types-legacy.bin: a tensor `tensor_<dtype>` of every storage class, [2, 3] with
                          0 … 5 (bool: i % 2), `scalar` (float32, [], 7), `empty` (float32, [0, 3]), `expanded`
                          (float32, [2, 3] of 7 with both strides 0), `transposed` ([3, 2] view of 0 … 5, strides 1, 3),
                          `skipped` ([3] of int32, every second of 0 … 5 from 1 on); and what is to be refused:
                          new-types.bin (uint16, which has no storage class) and module.bin (a pickled torch.nn.Linear)
tensorflow
    tiny-tf1              bert_model.ckpt with kernels as [in, out], some slots of an optimizer and global_step
    tiny-tf1-partitioned  two partitioned tables, two shards, float16, bfloat16, a string, the file `checkpoint`
    tiny-tf1-qa           tiny-qa, with the names of Google's run_squad.py, in float16
    tiny-tf1-untrained    an MLM head as it is before training: gain 1, bias 0; bert_config_tiny.json
    tf1-types             types.ckpt: `tensor_<dtype>` as in torch-types and also uint16, `scalar` (float32, [], 7), `empty`
                          (float32, [0, 3]), `strings` ([2]: a, bc), `long` (uint8, [16500], i % 251) in 2 parts, whose
                          places in the index take 3 bytes, and `grid` (int32, [4, 6], 0 … 23) in 4 parts of 1 row
paddle
    tiny-paddle           model_state.pdparams in protocol 4 with a tied decoder, name -> (parameter's name, array);
                          beside them `epoch`, an integer, which is no tensor
    tiny-paddle-qa        tiny-qa with the prefix `roberta.`, in float16
    tiny-paddle-2         the same in protocol 2 without the decoder, name -> array, StructuredToParameterName@@
    paddle-types          types-2.pdparams to types-4.pdparams, in that protocol: `tensor_<dtype>` as in torch-types,
                          `scalar` (float32, [], 7), `empty` (float32, [0, 3]), `fortran` (float32, [3, 2]: rows 0 3,
                          1 4, 2 5, stored by columns), name -> array but `parameter` (float32, [2], 1 2), which is
                          name -> (parameter's name, array); and what is to be refused: lod.pdparams (calls eval)
zip
    tiny-zip/stored.zip   a folder with tiny-pretraining, stored
    tiny-zip/deflated.zip a folder with tiny-tf1, deflated, as archives of TensorFlow checkpoints are published
    tiny-zip/torch.zip    tiny-torch-zip without a folder, stored
"""

import argparse
import json
import pathlib
import shutil
import zipfile

import numpy

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
BASE = FIXTURES / "tiny-pretraining"
ANSWERS = FIXTURES / "tiny-qa"
WORDS = "bert.embeddings.word_embeddings.weight"
HALF, BRAIN_HALF = ("bert.encoder.layer.1.intermediate.dense.weight", "bert.encoder.layer.1.output.dense.weight")

# ---- What all formats share ---------------------------------------------------------------------------------


def weights_of(folder):
    """Hugging Face name -> array. Reads safetensors itself: not every library's environment has it."""
    data = (folder / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in sorted(header.items()):
        begin, end = entry["data_offsets"]
        numbers = numpy.frombuffer(data[start + begin:start + end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        weights[name] = numbers.reshape(entry["shape"]).copy()
    return weights


def make_folder(name, *files):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(BASE / file, folder / file)
    return folder


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def expect_same(folder, found, expected):
    """Fails unless both hold the same names with the same bits."""
    assert sorted(found) == sorted(expected), (sorted(set(found) ^ set(expected)))
    for name, value in expected.items():
        array = numpy.asarray(found[name])
        assert array.dtype == value.dtype and array.shape == value.shape, (name, array.dtype, array.shape)
        assert numpy.array_equal(array, value), name
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.name}: {len(found)} tensors as expected, {size} bytes")


# ---- PyTorch ------------------------------------------------------------------------------------------------


def expect_loads(folder, weights):
    """Loads the folder with transformers and compares all that BertForPreTraining has."""
    import torch
    from transformers import BertForPreTraining
    model, report = BertForPreTraining.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    tied = {"cls.predictions.decoder.weight": weights[WORDS],
            "cls.predictions.decoder.bias": weights["cls.predictions.bias"]}
    found = {name: value.numpy() for name, value in model.state_dict().items()}
    expect_same(folder, found, {**weights, **tied})


def torch_strided(weights):
    """The same weights in every way that a view can lie in a storage."""
    import torch
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    # Three weights in one storage, one after another.
    names = [f"bert.encoder.layer.0.attention.self.{part}.weight" for part in ("query", "key", "value")]
    packed = torch.cat([tensors[name] for name in names])
    tensors.update(zip(names, packed.chunk(3)))
    # Columns of one storage; biases as its columns have a stride of 3 elements.
    names = [name.replace("weight", "bias") for name in names]
    tensors.update(zip(names, torch.stack([tensors[name] for name in names], dim=1).unbind(dim=1)))
    # A transposed matrix, every second row, the middle of a larger table, a middle block of columns.
    name = "bert.encoder.layer.1.attention.self.query.weight"
    tensors[name] = tensors[name].t().contiguous().t()
    name = "bert.encoder.layer.1.attention.self.key.weight"
    tensors[name] = torch.stack([tensors[name], -tensors[name]], dim=1).reshape(64, 32)[::2]
    name = "bert.embeddings.position_embeddings.weight"
    tensors[name] = torch.cat([torch.full((8, 32), 5.0), tensors[name], torch.full((8, 32), 6.0)])[8:88]
    name = "bert.pooler.dense.weight"
    tensors[name] = torch.cat([torch.full((32, 3), 7.0), tensors[name], torch.full((32, 5), 8.0)], dim=1)[:, 3:35]
    tensors[HALF] = tensors[HALF].half()
    tensors[BRAIN_HALF] = tensors[BRAIN_HALF].bfloat16()
    for name in ("bert.pooler.dense.bias", "cls.seq_relationship.weight", WORDS):
        tensors[name] = torch.nn.Parameter(tensors[name], requires_grad=name != WORDS)
    tensors["cls.predictions.decoder.weight"] = tensors[WORDS]
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    tensors["bert.embeddings.position_ids"] = torch.arange(80).expand((1, -1))
    return {old_layer_norm(name): value for name, value in tensors.items()}


def old_layer_norm(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def new_layer_norm(name):
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def make_torch_types():
    import torch
    kinds = "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool".split()
    tensors = {f"tensor_{kind}": torch.arange(6).reshape(2, 3).to(getattr(torch, kind)) for kind in kinds}
    tensors["tensor_bool"] = torch.arange(6).reshape(2, 3) % 2 == 1
    tensors["scalar"] = torch.tensor(7.0)
    tensors["empty"] = torch.empty(0, 3)
    tensors["expanded"] = torch.tensor([7.0]).expand(2, 3)
    tensors["transposed"] = torch.arange(6.0).reshape(2, 3).t()
    tensors["skipped"] = torch.arange(6, dtype=torch.int32)[1::2]
    folder = make_folder("torch-types")
    for file, is_zip in (("types.bin", True), ("types-legacy.bin", False)):
        torch.save(tensors, folder / file, _use_new_zipfile_serialization=is_zip)
        loaded = torch.load(folder / file, weights_only=True)
        for name, value in tensors.items():
            assert loaded[name].stride() == value.stride() and loaded[name].dtype == value.dtype
            assert torch.equal(loaded[name], value)
    torch.save({"weight": torch.arange(6).to(torch.uint16)}, folder / "new-types.bin")
    linear = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    torch.save(linear, folder / "module.bin")


def make_torch(weights):
    import collections
    import torch
    files = ("config.json", "tokenizer_config.json", "vocab.txt")
    tensors = collections.OrderedDict((name, torch.from_numpy(value)) for name, value in weights.items())

    folder = make_folder("tiny-torch-zip", *files)
    torch.save(tensors, folder / "pytorch_model.bin")
    expect_loads(folder, weights)

    folder = make_folder("tiny-torch-legacy", *files)
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    expect_loads(folder, weights)

    folder = make_folder("tiny-torch-sharded", *files)
    names = list(tensors)
    third = -(-len(names) // 3)
    places = {}
    for i in range(3):
        file = f"pytorch_model-{i + 1:05d}-of-00003.bin"
        part = {name: tensors[name] for name in names[i * third:(i + 1) * third]}
        torch.save(part, folder / file)
        places.update(dict.fromkeys(part, file))
    size = sum(value.nbytes for value in weights.values())
    write_json(folder / "pytorch_model.bin.index.json", {"metadata": {"total_size": size}, "weight_map": places})
    expect_loads(folder, weights)

    folder = make_folder("tiny-torch-strided", *files)
    torch.save(torch_strided(weights), folder / "pytorch_model.bin")
    expect_loads(folder, weights)
    make_torch_types()


# ---- TensorFlow 1 -------------------------------------------------------------------------------------------

TF_LEAVES = {"LayerNorm.weight": "LayerNorm/gamma", "LayerNorm.bias": "LayerNorm/beta"}
TF_NAMES = {"cls.predictions.bias": "cls/predictions/output_bias",
            "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
            "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
            "qa_outputs.weight": "cls/squad/output_weights", "qa_outputs.bias": "cls/squad/output_bias"}


def tensorflow_weight(name, value):
    """Name and array as Google's BERT has them."""
    if name in TF_NAMES:
        return TF_NAMES[name], value
    for leaf, renamed in TF_LEAVES.items():
        if name.endswith(leaf):
            return name[:-len(leaf)].replace("layer.", "layer_").replace(".", "/") + renamed, value
    path = name.replace("encoder.layer.", "encoder.layer_").replace(".", "/")
    if "embeddings" in name:
        return path.removesuffix("/weight"), value
    if path.endswith("/weight"):
        return path.removesuffix("weight") + "kernel", numpy.ascontiguousarray(value.T)
    return path, value


def tensorflow_slots(values):
    """What Adam keeps beside a few variables, and the step."""
    slots = {"global_step": numpy.array(1000, "<i8")}
    for name in ("bert/encoder/layer_0/attention/self/query/kernel", "bert/pooler/dense/bias",
                 "cls/seq_relationship/output_weights"):
        slots[f"{name}/adam_m"] = values[name] * numpy.float32(0.5)
        slots[f"{name}/adam_v"] = values[name] * values[name]
    return slots


def save_tensorflow(folder, values, parts, shards, file="bert_model.ckpt"):
    """Writes the checkpoint; parts: name -> how many along which axis; the last half of the names goes to shard 1."""
    import tensorflow
    tf = tensorflow.compat.v1

    def variable(name, value):
        if name in parts:
            count, axis = parts[name]

            def part_of(shape, dtype, partition_info):
                region = [slice(at, at + size) for at, size in zip(partition_info.var_offset, shape)]
                return tensorflow.constant(value[tuple(region)], dtype)

            return tf.get_variable(name, value.shape, value.dtype, part_of,
                                   partitioner=tf.fixed_size_partitioner(count, axis))
        return tf.get_variable(name.lstrip("_"), initializer=tensorflow.constant(value))

    with tensorflow.Graph().as_default():
        variables = {}
        for i, (name, value) in enumerate(values.items()):
            with tensorflow.device(f"/cpu:{i * shards // len(values)}"):
                variables[name] = variable(name, value)
        saver = tf.train.Saver(variables, sharded=shards > 1, save_relative_paths=True)
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": shards})) as session:
            session.run(tf.global_variables_initializer())
            saver.save(session, str(folder / file), write_meta_graph=False)


def expect_tensorflow(folder, values, file="bert_model.ckpt"):
    import tensorflow
    reader = tensorflow.train.load_checkpoint(str(folder / file))
    found = {name: numpy.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}
    strings = {name: value for name, value in values.items() if value.dtype.kind in "OS"}
    for name, value in strings.items():
        assert found.pop(name).tolist() == value.tolist()
    expect_same(folder, found, {name: value for name, value in values.items() if name not in strings})


def bert_config(source=BASE):
    """As Google writes it: neither model_type nor architectures, layer_norm_eps nor pad_token_id."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    names = ("attention_probs_dropout_prob", "hidden_act", "hidden_dropout_prob", "hidden_size", "initializer_range",
             "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers",
             "type_vocab_size", "vocab_size")
    return {"directionality": "bidi", **{name: config[name] for name in names}, "pooler_fc_size": 768,
            "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3, "pooler_size_per_head": 128,
            "pooler_type": "first_token_transform"}


def make_tensorflow_types():
    import ml_dtypes
    six = numpy.arange(6).reshape(2, 3)
    kinds = "float32 float16 float64 int64 int32 int16 int8 uint8 uint16".split()
    values = {f"tensor_{kind}": six.astype(kind) for kind in kinds}
    values.update({"tensor_bfloat16": six.astype(ml_dtypes.bfloat16), "tensor_bool": six % 2 == 1,
                   "scalar": numpy.float32(7), "empty": numpy.zeros((0, 3), "<f4"),
                   "strings": numpy.array([b"a", b"bc"], object), "long": (numpy.arange(16500) % 251).astype("u1"),
                   "grid": numpy.arange(24, dtype="<i4").reshape(4, 6)})
    folder = make_folder("tf1-types")
    save_tensorflow(folder, values, {"long": (2, 0), "grid": (4, 0)}, 1, "types.ckpt")
    (folder / "checkpoint").unlink()
    expect_tensorflow(folder, values, "types.ckpt")


def make_tensorflow(weights):
    import ml_dtypes
    values = dict(sorted(tensorflow_weight(name, value) for name, value in weights.items()))

    folder = make_folder("tiny-tf1", "vocab.txt")
    write_json(folder / "bert_config.json", bert_config())
    everything = {**values, **tensorflow_slots(values)}
    save_tensorflow(folder, everything, {}, 1)
    (folder / "checkpoint").unlink()
    expect_tensorflow(folder, everything)

    folder = make_folder("tiny-tf1-partitioned", "vocab.txt")
    write_json(folder / "bert_config.json", bert_config())
    mixed = dict(values)
    for name, dtype in ((HALF, numpy.float16), (BRAIN_HALF, ml_dtypes.bfloat16)):
        name, value = tensorflow_weight(name, weights[name])
        mixed[name] = value.astype(dtype)
    mixed["_CHECKPOINTABLE_OBJECT_GRAPH"] = numpy.array(b"any bytes \x00\xff", object)
    save_tensorflow(folder, mixed, {"bert/embeddings/word_embeddings": (3, 0),
                                    "bert/embeddings/position_embeddings": (2, 1)}, 2)
    expect_tensorflow(folder, mixed)

    folder = make_folder("tiny-tf1-qa", "vocab.txt")
    write_json(folder / "bert_config.json", bert_config(ANSWERS))
    answers = dict(sorted(tensorflow_weight(name, value) for name, value in weights_of(ANSWERS).items()))
    save_tensorflow(folder, answers, {}, 1)
    (folder / "checkpoint").unlink()
    expect_tensorflow(folder, answers)

    folder = make_folder("tiny-tf1-untrained", "vocab.txt")
    write_json(folder / "bert_config_tiny.json", bert_config())
    untrained = dict(values)
    for name, number in (("transform/LayerNorm/gamma", 1), ("transform/LayerNorm/beta", 0), ("output_bias", 0)):
        untrained["cls/predictions/" + name] = numpy.full_like(values["cls/predictions/" + name], number)
    save_tensorflow(folder, untrained, {}, 1)
    (folder / "checkpoint").unlink()
    expect_tensorflow(folder, untrained)
    make_tensorflow_types()


# ---- Paddle -------------------------------------------------------------------------------------------------

PADDLE_PARTS = {
    "attention.self.query": "self_attn.q_proj", "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj", "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1", "intermediate.dense": "linear1", "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
PADDLE_NAMES = {
    "bert.embeddings.LayerNorm": "bert.embeddings.layer_norm", "cls.predictions.transform.dense":
    "cls.predictions.transform", "cls.predictions.transform.LayerNorm": "cls.predictions.layer_norm",
}


def paddle_weight(name, value):
    """Name and array as PaddleNLP's BertForPretraining has them."""
    if name == "cls.predictions.bias":
        return "cls.predictions.decoder_bias", value
    path, leaf = name.rsplit(".", 1)
    if leaf == "weight" and value.ndim == 2 and "embeddings" not in name:
        value = numpy.ascontiguousarray(value.T)
    if path.startswith("bert.encoder.layer."):
        layer, part = path.removeprefix("bert.encoder.layer.").split(".", 1)
        path = f"bert.encoder.layers.{layer}.{PADDLE_PARTS[part]}"
    return f"{PADDLE_NAMES.get(path, path)}.{leaf}", value


def paddle_settings(source, kind, head):
    config = bert_config(source)
    arguments = {name: config[name] for name in sorted(config) if not name.startswith(("pooler", "direct"))}
    return {"init_args": [{**arguments, "pad_token_id": 0, "init_class": f"{kind}Model"}], "init_class": kind + head}


def save_paddle(folder, values, protocol, others=()):
    """A dict of tensors is a state dict, which is stored as arrays with a table of names; one that also holds other
    values is stored object by object."""
    import paddle
    paddle.device.set_device("cpu")
    tensors = {name: paddle.to_tensor(value) for name, value in values.items()}
    for i, tensor in enumerate(tensors.values()):
        tensor.name = f"parameter_{i}.w_0"
    path = str(folder / "model_state.pdparams")
    paddle.save({**tensors, **dict(others)}, path, protocol=protocol)
    found = paddle.load(path)
    expect_same(folder, {name: found[name].numpy() for name in found if name in values}, values)


def make_paddle_types():
    import paddle
    kinds = "float32 float16 float64 int64 int32 int16 int8 uint8".split()
    six = numpy.arange(6).reshape(2, 3)
    values = {f"tensor_{kind}": six.astype(kind) for kind in kinds}
    values.update({"tensor_bool": six % 2 == 1, "scalar": numpy.array(7, "<f4"), "empty": numpy.zeros((0, 3), "<f4"),
                   "fortran": numpy.asfortranarray(six.T.astype("<f4"))})
    parameter = paddle.to_tensor([1.0, 2.0])
    parameter.name = "parameter_0.w_0"
    folder = make_folder("paddle-types")
    for protocol in (2, 3, 4):
        path = folder / f"types-{protocol}.pdparams"
        paddle.save({**values, "parameter": parameter}, str(path), protocol=protocol)
        found = paddle.load(str(path), return_numpy=True)
        expect_same(folder, found, {**values, "parameter": parameter.numpy()})
    paddle.save({"weight": parameter.value().get_tensor(), "epoch": 1}, str(folder / "lod.pdparams"))


def make_paddle(weights):
    make_paddle_types()
    values = dict(paddle_weight(name, value) for name, value in weights.items())
    settings = paddle_settings(BASE, "Bert", "ForPretraining")

    folder = make_folder("tiny-paddle", "vocab.txt")
    write_json(folder / "model_config.json", settings)
    save_paddle(folder, {**values, "cls.predictions.decoder_weight": weights[WORDS]}, 4, {"epoch": 3})

    folder = make_folder("tiny-paddle-2", "vocab.txt")
    write_json(folder / "model_config.json", settings)
    save_paddle(folder, values, 2)

    folder = make_folder("tiny-paddle-qa", "vocab.txt")
    write_json(folder / "model_config.json", paddle_settings(ANSWERS, "Roberta", "ForQuestionAnswering"))
    answers = (paddle_weight(name, value) for name, value in weights_of(ANSWERS).items())
    save_paddle(folder, {name.replace("bert.", "roberta.").replace("qa_outputs", "classifier"): value
                         for name, value in answers}, 4)


# ---- Zip ----------------------------------------------------------------------------------------------------


def write_zip(name, source, top, method):
    """One file after another with a fixed date, the folder first, as zip programs write it."""
    path = FIXTURES / "tiny-zip" / name
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        if top:
            archive.writestr(zipfile.ZipInfo(top + "/", (2020, 1, 1, 0, 0, 0)), b"")
        for file in sorted(source.iterdir()):
            entry = zipfile.ZipInfo(f"{top}/{file.name}" if top else file.name, (2020, 1, 1, 0, 0, 0))
            entry.compress_type = method
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    print(f"tiny-zip/{name}: {path.stat().st_size} bytes")


def make_zip(_):
    write_zip("stored.zip", BASE, "tiny-pretraining", zipfile.ZIP_STORED)
    write_zip("deflated.zip", FIXTURES / "tiny-tf1", "tiny_wwm_L-2_H-32_A-2", zipfile.ZIP_DEFLATED)
    write_zip("torch.zip", FIXTURES / "tiny-torch-zip", "", zipfile.ZIP_STORED)


# ---- The list -----------------------------------------------------------------------------------------------

STEPS = {"torch": make_torch, "tensorflow": make_tensorflow, "paddle": make_paddle, "zip": make_zip}


def main():
    parser = argparse.ArgumentParser(description="Write tests/fixtures/tiny-pretraining in other formats.")
    parser.add_argument("step", choices=STEPS)
    STEPS[parser.parse_args().step](weights_of(BASE))


if __name__ == "__main__":
    main()
