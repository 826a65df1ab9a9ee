"""The names of the number formats; free of torch, so that a wrong one is refused at once."""

from typing import Literal

Precision = Literal["fp32", "tf32", "bf16", "fp16", "int8"]
PrecisionChoice = Literal["auto", "fp32", "tf32", "bf16", "fp16", "int8"]
TrainingPrecision = Literal["auto", "fp32", "bf16"]
