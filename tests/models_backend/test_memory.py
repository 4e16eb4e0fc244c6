"""What weights take, giving them back, and telling too little memory from other errors."""

import gc
import weakref

import pytest
import torch
from torch import nn

from models_backend.checkpoints.loading import load_pipeline
from models_backend.families.base import Family
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.settings import SamplingSettings
from models_backend.nn.memory import is_out_of_memory, release_memory, tensor_bytes
from models_backend.sampling.generate import generate
from tests.models_backend import tiny_pipelines

CPU = torch.device("cpu")


def test_an_allocation_no_machine_can_make_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        torch.cuda.OutOfMemoryError(),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] data. DefaultCPUAllocator: not enough "
                     "memory: you tried to allocate 8 bytes."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    ],
)  # fmt: skip
def test_every_allocator_is_understood(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("out of memory"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_not_out_of_memory(error):
    assert not is_out_of_memory(error)


def test_an_error_raised_from_too_little_memory_is_that_too():
    error = ValueError("could not sample")
    assert not is_out_of_memory(error)
    error.__cause__ = MemoryError()
    assert is_out_of_memory(error)


def test_releasing_frees_what_the_failed_call_held():
    held = []

    def fail() -> None:
        activations = torch.zeros(1000)
        held.append(weakref.ref(activations))
        torch.empty(2**50, dtype=torch.uint8)

    try:
        fail()
    except RuntimeError as error:
        assert held[0]() is not None
        release_memory(error)
        assert held[0]() is None


def test_bytes_are_those_of_parameters_and_buffers_once():
    first = nn.Linear(10, 20, bias=False)
    tied = nn.Linear(10, 20, bias=False)
    tied.weight = first.weight
    normal = nn.BatchNorm1d(4)
    assert tensor_bytes([first, tied], CPU) == 10 * 20 * 4
    assert tensor_bytes([normal], CPU) == 4 * 4 * 4 + 8
    assert tensor_bytes([first, first.half()], CPU) == 10 * 20 * 2
    assert tensor_bytes([nn.Linear(3, 3, device="meta")], CPU) == 0


def stored_bytes(model: DiffusersPipeline) -> int:
    modules = [part for part in model.pipeline.components.values() if isinstance(part, nn.Module)]
    return sum(
        tensor.numel() * tensor.element_size()
        for module in modules
        for tensor in (*module.parameters(), *module.buffers())
    )


def test_a_pipelines_bytes_and_its_unloading(tmp_path):
    model = DiffusersPipeline(tiny_pipelines.stable_diffusion_3(tmp_path))
    weight = weakref.ref(model.denoiser.proj_out.weight)
    # T5's two names for its token embedding are one storage.
    assert 0.9 * stored_bytes(model) < model.memory_bytes() <= stored_bytes(model)
    assert len(model.modules()) == 5
    model.unload()
    gc.collect()
    assert weight() is None
    assert model.memory_bytes() == 0


def test_our_models_bytes_count_its_text_encoder_once_it_is_loaded(checkpoint_dir):
    model: Family = load_pipeline(checkpoint_dir, "cpu")
    before = model.memory_bytes()
    parameters = sum(p.numel() for p in model.unet.parameters())
    assert before > parameters * 4
    generate(model, prompts=["a cat"], seeds=[1], settings=SamplingSettings(steps=1))
    assert model.memory_bytes() > before + 80_000_000  # all-MiniLM-L6-v2 has 22 M parameters
    model.unload()
    assert model.memory_bytes() == 0
