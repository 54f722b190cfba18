"""A tiny BertModel, laid out as torch exports and onnxruntime quantises it, comes back as it was."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from transformers import BertConfig, BertModel

from ptuning.backbones.onnx_weights import state_dict_from_onnx


@pytest.fixture
def state() -> dict[str, Tensor]:
    config = BertConfig(vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12)
    return {f"bert.{name}": tensor for name, tensor in BertModel(config).state_dict().items()}


def is_linear(name: str) -> bool:
    return name.endswith(".weight") and "embeddings" not in name and "LayerNorm" not in name


def save(path: Path, nodes: list[onnx.NodeProto], arrays: dict[str, np.ndarray]) -> Path:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    initialisers = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "bert", [], [output], initialisers)), path)
    return path


def node_name(weight: str, scope: str, suffix: str) -> str:
    """As exported: "bert.encoder.layer.0.x.weight" is used by "/bert/encoder/layer.0/x/MatMul"."""
    path = weight.removesuffix(".weight").replace(".", "/").replace("layer/", "layer.")
    return f"{scope}/{path}/{suffix}"


def test_fp32_comes_back_exactly(state: dict[str, Tensor], tmp_path: Path) -> None:
    arrays, nodes = {"/bert/Constant_output_0": np.array([3])}, []
    for number, (name, tensor) in enumerate(state.items()):
        if is_linear(name):
            arrays[f"onnx::MatMul_{number}"] = tensor.numpy().T
            operands = ["x", f"onnx::MatMul_{number}"]
            nodes.append(helper.make_node("MatMul", operands, ["y"], name=node_name(name, "", "MatMul")))
        else:
            arrays[name] = tensor.numpy()
    # Attention multiplies activations: a MatMul without a weight.
    nodes.append(helper.make_node("MatMul", ["q", "k"], ["y"], name="/bert/encoder/layer.0/attention/self/MatMul"))

    found = state_dict_from_onnx(save(tmp_path / "fp32.onnx", nodes, arrays))
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) and found[name].is_contiguous() for name in state)


def test_a_called_sequential_is_no_part_of_the_name(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/model/model.0/auto_model/dense/MatMul")
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = state_dict_from_onnx(save(tmp_path / "sequential.onnx", [node], {"onnx::MatMul_1": weight}))
    assert list(found) == ["model.0.auto_model.dense.weight"]
    assert torch.equal(found["model.0.auto_model.dense.weight"], torch.tensor(weight.T))


def quantised(name: str, array: np.ndarray, kind: type[np.int8] | type[np.uint8]) -> dict[str, np.ndarray]:
    """One scale and zero point for the array, as dynamic quantisation writes them."""
    limits = np.iinfo(kind)
    low, high = min(array.min(), 0.0), max(array.max(), 1e-3)
    scale = np.float32((high - low) / 255)
    zero_point = np.clip(np.round(limits.min - low / scale), limits.min, limits.max)
    values = np.clip(np.round(array / scale) + zero_point, limits.min, limits.max)
    parts = {"quantized": values.astype(kind), "scale": scale, "zero_point": zero_point.astype(kind)}
    return {f"{name}_{part}": np.asarray(value) for part, value in parts.items()}


def test_int8_comes_back_within_half_a_step(state: dict[str, Tensor], tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    nodes = []
    for number, (name, tensor) in enumerate(state.items()):
        pooler = "pooler" in name  # a Gemm turned into a MatMulInteger keeps its name and loses its transposition
        if is_linear(name):
            stored = name if pooler else f"onnx::MatMul_{number}"
            arrays |= quantised(stored, tensor.numpy().T, np.int8)
            operands = ["x_quantized", f"{stored}_quantized", "x_zero_point", f"{stored}_zero_point"]
            suffix = "Gemm_MatMul_quant" if pooler else "MatMul_quant"
            nodes.append(helper.make_node("MatMulInteger", operands, ["y"], name=node_name(name, "", suffix)))
        elif "embeddings.weight" in name:
            arrays |= quantised(name, tensor.numpy(), np.uint8)
        else:
            arrays[name] = tensor.numpy()

    found = state_dict_from_onnx(save(tmp_path / "int8.onnx", nodes, arrays))
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        half_step = (tensor.max().clamp(min=1e-3) - tensor.min().clamp(max=0)).item() / 255 / 2
        exact = not is_linear(name) and "embeddings.weight" not in name
        # Clipping at the rounded zero point costs up to another half step at the ends of the range.
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0 if exact else 2.01 * half_step)
