"""A torch state dict out of an ONNX file that torch exported, whole or quantised to int8 by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

QUANTIZED = "_quantized"


def state_dict_from_onnx(path: Path) -> dict[str, Tensor]:
    """The weights and biases of the exported module, float32, under their torch names and in torch's layout.

    Exporting keeps most names, but may store the weight of a linear layer transposed and anonymous
    (`onnx::MatMul_470`). The MatMul node that uses it lies in the layer's scope and so tells its name.
    """
    graph = onnx.load(path).graph
    arrays = _dequantised({tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer})

    state = {name: array for name, array in arrays.items() if name.endswith((".weight", ".bias"))}
    for node in graph.node:
        if node.op_type in ("MatMul", "MatMulInteger"):
            weight = arrays.get(node.input[1].removesuffix(QUANTIZED))
            if weight is not None:  # None: a product of activations, as in attention
                # Named or not, the right operand of x @ W is laid [in, out]; torch keeps [out, in].
                state[f"{_module(node.name)}.weight"] = weight.T
    return {name: torch.tensor(array, dtype=torch.float32).contiguous() for name, array in state.items()}


def _dequantised(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, with `x` = (x_quantized - x_zero_point) * x_scale in place of those three."""
    plain = dict(stored)
    for key in stored:
        if key.endswith(QUANTIZED):
            name = key.removesuffix(QUANTIZED)
            scale, zero_point = plain.pop(f"{name}_scale"), plain.pop(f"{name}_zero_point")
            plain[name] = (plain.pop(key).astype(np.float32) - zero_point.astype(np.float32)) * scale
    return plain


def _module(node: str) -> str:
    """The dotted name of the module that a node lies in: "/layer.0/dense/MatMul" -> "layer.0.dense".

    A Sequential that was called is a scope beside its children's: "/model/model.0" is the module "model.0".
    """
    scopes = node.strip("/").split("/")[:-1]
    children = [*scopes[1:], ""]
    pairs = zip(scopes, children, strict=True)
    return ".".join(scope for scope, child in pairs if not child.startswith(f"{scope}."))
