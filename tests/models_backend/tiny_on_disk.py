"""Tiny diffusers pipelines, written by a process of its own: this one stays without torch."""

from pathlib import Path

from tests import warm


def write(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a pipeline of `tiny_pipelines.PIPELINES`; a seed makes the weights."""
    process = warm.start("tests.models_backend.tiny_pipelines", name, folder.absolute(), seed)
    assert process.wait() == 0
    return folder


def write_lora(pipeline: Path, file: Path, names: str = "kohya") -> Path:
    """Write a LoRA for a pipeline, see `tiny_loras.write`."""
    process = warm.start("tests.models_backend.tiny_loras", pipeline.absolute(), file, names)
    assert process.wait() == 0
    return file
