"""Which precision a device multiplies natively."""

from __future__ import annotations

import torch

# What torch calls the instructions of Intel's and AMD's processors, of Intel's tiles, and of ARM's.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


def native_precision(device: str) -> str:
    """`bf16` where the device that `runtime.device` names multiplies it natively, else `fp32`."""
    if device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if processor_multiplies_bf16() else "fp32"


def processor_multiplies_bf16() -> bool:
    """Whether the processor has the instructions, and torch oneDNN, which uses them."""
    has = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and any(has.get(name, False) for name in BF16_INSTRUCTIONS)
