"""One training loop: its length, batch, optimiser and states."""

from __future__ import annotations

from dataclasses import dataclass

from models_backend.configuration.checking import check_range
from models_backend.errors import InputError

OPTIMIZERS = ("adamw", "adamw8bit", "adafactor")


@dataclass(frozen=True)
class LoopConfig:
    """One training loop."""

    steps: int
    """Optimiser steps."""
    batch_size: int = 64
    """Of one optimiser step, over all processes and micro-batches."""
    micro_batch_size: int = 0
    """Rows one process computes at once; 0 is its whole share. Smaller accumulates gradients."""
    mixed_precision: str = "no"
    """`bf16` computes the forward pass in bfloat16; weights and optimiser stay in float32."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile the network with `torch.compile`: minutes at the start, then faster steps."""
    optimizer: str = "adamw"
    """`adamw8bit` keeps AdamW's two moments in a byte each (Dettmers et al. 2022), by the optional
    package bitsandbytes. `adafactor` keeps row and column means instead of two moments: 8 bytes a
    parameter less. Its learning rate is one of a weight's own size (Shazeer and Stern 2018)."""
    learning_rate: float = 1e-3
    """Peak of a linear warm-up and cosine decay."""
    warmup_steps: int = 100
    final_lr_share: float = 0.02
    """The last step's learning rate as a share of the peak."""
    weight_decay: float = 1e-4
    grad_clip: float = 1.0
    """Largest norm of the gradient."""
    ema_decay: float = 0.999
    """Decay of the averaged weights that are saved; 0 saves the last weights."""
    save_every: int = 200
    """Steps between resumable states."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range("steps", self.steps, 1, 10**8)
        check_range("batch_size", self.batch_size, 1, 10**6)
        check_range("micro_batch_size", self.micro_batch_size, 0, self.batch_size)
        if self.mixed_precision not in ("no", "bf16"):
            raise InputError(f"mixed_precision {self.mixed_precision!r}: accepted are no and bf16")
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer {self.optimizer!r}: accepted are {', '.join(OPTIMIZERS)}")
        check_range("learning_rate", self.learning_rate, 1e-9, 1.0)
        check_range("warmup_steps", self.warmup_steps, 0, 10**7)
        check_range("final_lr_share", self.final_lr_share, 0.0, 1.0)
        check_range("weight_decay", self.weight_decay, 0.0, 10.0)
        check_range("grad_clip", self.grad_clip, 1e-6, 1e6)
        check_range("ema_decay", self.ema_decay, 0.0, 0.999999)
        check_range("save_every", self.save_every, 1, 10**7)
