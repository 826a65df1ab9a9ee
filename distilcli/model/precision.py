"""Which number format a model computes in, and whether the processor can."""

from typing import Literal

import torch

from distilcli.errors import ResourceError

Precision = Literal["auto", "fp32", "bf16"]


def has_fast_bf16(device: torch.device) -> bool:
    """Say whether `device` multiplies bf16 matrices in hardware.

    A CPU without the instructions emulates them, many times slower than fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def choose_training_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the autocast type for training; auto takes bf16 where the hardware has it.

    Raises `ResourceError` where bf16 is asked for and would be emulated.
    """
    if precision == "fp32":
        return torch.float32
    if has_fast_bf16(device):
        return torch.bfloat16
    if precision == "bf16":
        raise ResourceError(
            f"this {device.type} has no bf16 instructions, emulation would be many times slower "
            "than fp32; use --precision fp32"
        )
    return torch.float32
