"""Trains a small U-Net in double precision, in one or several processes, and logs every step.

In float32 the order of a sum already moves the losses (AdamW divides tiny gradients by their own
size), so that agreement would prove little; in float64 it must be exact to many digits.
Usage: python -m tests.models_backend.process_worker RUN MICRO_BATCH_SIZE [SPOILED IMAGE | shard]
"""

import sys
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import models_backend.training.trainer as engine
from models_backend.configuration.loops import LoopConfig
from models_backend.nn.architecture import UNetConfig
from models_backend.nn.unet import build_unet
from models_backend.runs.processes import leave_process_group
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer


class ShardingAccelerator(Accelerator):
    """Shards as accelerate does with FSDP2, which it offers on accelerators only, not on a CPU."""

    def prepare(self, *objects):
        module, optimizer = objects
        names = [name for name, _ in module.named_parameters()]
        mesh = init_device_mesh("cpu", (self.num_processes,))
        unet = module.module
        for part in [*unet.down_blocks, unet.mid_block, *unet.up_blocks, module]:
            fully_shard(part, mesh=mesh)
        sharded = dict(module.named_parameters())
        optimizer.param_groups[0]["params"] = [sharded[name] for name in names]
        return module, optimizer

    def no_sync(self, model):
        model.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            model.set_requires_gradient_sync(True)


ShardingAccelerator.no_sync = contextmanager(ShardingAccelerator.no_sync)


def fit(
    run: Path,
    *,
    micro_batch_size: int,
    steps: int = 12,
    spoil: int | None = None,
    shard: bool = False,
) -> Trainer:
    """Train; `spoil` makes the loss of that image infinite at step 3."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = UNetConfig(widths=(16, 32), heads=2)
    net = build_unet(sizes, latent_channels=4, text_width=8).double()
    z = torch.randn(12, 4, 4, 4).double()
    text, pooled = torch.randn(12, 3, 8).double(), torch.randn(12, 8).double()
    cpu = torch.device("cpu")

    def step(draw: StepDraw) -> StepLoss:
        images = torch.randperm(12, generator=draw)[:8][draw.rows]
        u = torch.rand(8, generator=draw)[draw.rows]
        noise = draw.noise((4, 4, 4), offset=0.02, device=cpu).double()
        t = (u * 1000).long()
        out = net(z[images] + noise, t, text[images], class_labels=pooled[images]).sample
        losses = (out - noise).square().mean(dim=(1, 2, 3))
        if draw.step == 3 and spoil is not None:
            losses = losses * torch.where(images == spoil, torch.inf, 1.0)
        return StepLoss(losses, images, {})

    loop = LoopConfig(
        steps=steps, batch_size=8, warmup_steps=2, save_every=5, micro_batch_size=micro_batch_size
    )
    trainer = Trainer(
        module=net, config=loop, seed=1, stage="unet", run=run,
        accelerator=ShardingAccelerator() if shard else None,
    )  # fmt: skip
    trainer.fit(step)
    # Whatever it was spread over, a family finds plain weights, and can train on.
    assert all(type(p) is torch.nn.Parameter for p in net.parameters())
    with torch.no_grad():
        net(z[:2], 5, text[:2], class_labels=pooled[:2])
    return trainer


if __name__ == "__main__":
    engine._LOG_EVERY = 1
    run, micro, *rest = sys.argv[1:]
    shard = rest == ["shard"]
    spoil = int(rest[0]) if rest and not shard else None
    try:
        fit(Path(run), micro_batch_size=int(micro), spoil=spoil, shard=shard)
    finally:
        leave_process_group()
