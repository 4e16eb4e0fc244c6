"""Warm pipelines within a budget of memory, and parts that shrink where memory runs out."""

import queue
import threading
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from models_backend.errors import InputError
from models_backend.families.denoised import Denoised
from models_backend.families.settings import SamplingSettings
from models_backend.sampling.image_sampler import ImageSampler
from models_backend.sampling.parts import DecodesAtOnce
from models_backend.sampling.pipeline_cache import PipelineCache

ONE, TWO, THREE = Path("one"), Path("two"), Path("three")


class Pipeline:
    """As large as it is told, and out of memory with more images than `room` at once."""

    def __init__(
        self, size: int = 1, room: int = 100, decoding_room: int = 100, shared: int = 1000
    ) -> None:
        self.size, self.room, self.decoding_room = size, room, decoding_room
        self.shared = shared  # images that fit, those to be decoded and those denoised together
        self.held = 0
        self.asked: list[int] = []
        self.decoded: list[int] = []
        self.unloaded = False

    def memory_bytes(self) -> int:
        return self.size

    def unload(self) -> None:
        self.unloaded = True

    def denoise(self, *, prompts, seeds, settings) -> Denoised:
        self.asked.append(len(prompts))
        if len(prompts) > min(self.room, self.shared - self.held):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.held += len(prompts)
        return Denoised(torch.tensor([float(seed) for seed in seeds]))

    def readings(self, prompts) -> list[None]:
        return [None] * len(prompts)

    def decode(self, denoised: Denoised) -> list[Image.Image]:
        assert not self.unloaded
        self.decoded.append(len(denoised))
        if len(denoised) > self.decoding_room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.held -= len(denoised)
        return [Image.new("RGB", (1, 1), (int(each), 0, 0)) for each in denoised.latents]


def sample_all(sampler: ImageSampler, directory: Path, count: int) -> list[int]:
    """Return the seeds that the images made tell of, in the order they came."""
    parts = sampler.parts(
        directory,
        prompts=["a cat"] * count,
        seeds=list(range(count)),
        settings=SamplingSettings(),
    )
    return [image.getpixel((0, 0))[0] for part in parts for image in part.decode()]


def make_sampler(monkeypatch, pipelines: dict[Path, Pipeline], memory: int = 10) -> ImageSampler:
    sampler = ImageSampler(memory_bytes=memory, images_per_step=8)
    sampler.pipelines = PipelineCache(memory, lambda directory: pipelines[directory])
    return sampler


# ---- loaded pipelines ---------------------------------------------------------------------------


def test_warm_pipeline_is_not_loaded_again():
    loads = []
    cache = PipelineCache(10, lambda directory: loads.append(directory) or Pipeline())
    assert cache.get(ONE, 1) is cache.get(ONE, 1)
    assert loads == [ONE]


def test_least_recently_used_is_dropped_when_room_is_needed():
    pipelines = {ONE: Pipeline(4), TWO: Pipeline(4), THREE: Pipeline(4)}
    cache = PipelineCache(10, lambda directory: pipelines[directory])
    for directory in (ONE, TWO, ONE, THREE):
        cache.get(directory, 4)
    assert cache.directories == [ONE, THREE]
    assert [pipelines[each].unloaded for each in (ONE, TWO, THREE)] == [False, True, False]


def test_measured_size_counts_not_the_expected_one():
    pipelines = {ONE: Pipeline(4), TWO: Pipeline(9)}
    cache = PipelineCache(10, lambda directory: pipelines[directory])
    cache.get(ONE, 4)
    cache.get(TWO, 1)
    assert (cache.directories, cache.used_bytes) == ([TWO], 9)


def test_one_larger_than_the_budget_is_loaded_alone():
    cache = PipelineCache(10, lambda directory: Pipeline(50))
    cache.get(ONE, 50)
    assert cache.directories == [ONE]


def test_loading_that_runs_out_of_memory_is_tried_again_in_an_empty_cache():
    pipelines = {ONE: Pipeline(1)}
    failures = [torch.OutOfMemoryError("CUDA out of memory")]

    def load(directory):
        if directory == TWO and failures:
            raise failures.pop()
        return pipelines.setdefault(directory, Pipeline(1))

    cache = PipelineCache(10, load)
    cache.get(ONE, 1)
    cache.get(TWO, 1)
    assert cache.directories == [TWO]
    assert pipelines[ONE].unloaded


def test_loading_that_fails_for_another_reason_drops_nothing():
    def load(directory):
        if directory == TWO:
            raise RuntimeError("not a pipeline")
        return Pipeline()

    cache = PipelineCache(10, load)
    cache.get(ONE, 1)
    with pytest.raises(RuntimeError, match="not a pipeline"):
        cache.get(TWO, 1)
    assert cache.directories == [ONE]


# ---- parts --------------------------------------------------------------------------------------


def test_images_come_in_parts_and_in_order(monkeypatch):
    pipeline = Pipeline()
    assert sample_all(make_sampler(monkeypatch, {ONE: pipeline}), ONE, 20) == list(range(20))
    assert pipeline.asked == [8, 8, 4]


def test_parts_are_halved_until_they_fit_and_the_size_is_remembered(monkeypatch, caplog):
    pipeline = Pipeline(room=3)
    sampler = make_sampler(monkeypatch, {ONE: pipeline})
    assert sample_all(sampler, ONE, 9) == list(range(9))
    assert pipeline.asked == [8, 4, 2, 2, 2, 2, 1]
    pipeline.asked.clear()
    sample_all(sampler, ONE, 4)
    assert pipeline.asked == [2, 2]
    assert "going on with 4" in caplog.text


def test_other_pipelines_go_before_parts_are_halved(monkeypatch):
    pipelines = {ONE: Pipeline(), TWO: Pipeline(room=8)}
    sampler = make_sampler(monkeypatch, pipelines)
    sample_all(sampler, ONE, 1)
    pipelines[TWO].room = 4
    sample_all(sampler, TWO, 8)
    assert pipelines[ONE].unloaded
    assert pipelines[TWO].asked == [8, 8, 4, 4]


def test_image_that_does_not_fit_alone_is_a_clear_error(monkeypatch):
    sampler = make_sampler(monkeypatch, {ONE: Pipeline(room=0)})
    with pytest.raises(InputError, match=r"one image does not fit .* use a smaller size"):
        sample_all(sampler, ONE, 4)


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch):
    pipeline = Pipeline()
    pipeline.denoise = lambda **_: (_ for _ in ()).throw(RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        sample_all(make_sampler(monkeypatch, {ONE: pipeline}), ONE, 4)


def test_decoding_that_runs_out_of_memory_goes_on_in_halves():
    pipeline = Pipeline(decoding_room=2)
    images = DecodesAtOnce().decode(pipeline, Denoised(torch.arange(7.0)))
    assert [image.getpixel((0, 0))[0] for image in images] == list(range(7))


def test_what_fits_when_decoding_is_remembered_over_parts_and_requests(monkeypatch):
    pipeline = Pipeline(decoding_room=3)
    sampler = make_sampler(monkeypatch, {ONE: pipeline})
    assert sample_all(sampler, ONE, 20) == list(range(20))
    assert sample_all(sampler, ONE, 4) == list(range(4))
    assert pipeline.decoded == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    assert pipeline.asked == [8, 8, 4, 4]  # denoising fits, and is not cut down


def test_memory_that_decoding_takes_does_not_halve_denoising_for_good(monkeypatch, caplog):
    """The second part does not fit beside the first, which is still to be decoded."""
    pipeline = Pipeline(shared=10)
    sampler = make_sampler(monkeypatch, {ONE: pipeline})
    sampler.device = torch.device("cuda")  # where parts are decoded by another thread
    parts = sampler.parts(
        ONE, prompts=["a"] * 24, seeds=list(range(24)), settings=SamplingSettings()
    )
    waiting: queue.Queue = queue.Queue()
    sizes = []

    def decode_them() -> None:
        while (part := waiting.get()) is not None:
            while len(pipeline.asked) < 2:  # the next one is being denoised
                time.sleep(0.001)
            sizes.append(len(part.decode()))

    writer = threading.Thread(target=decode_them)
    writer.start()
    for part in parts:
        waiting.put(part)
    waiting.put(None)
    writer.join()
    assert sizes == [8, 8, 8]
    assert pipeline.asked == [8, 8, 8, 8]  # one failed, and the third was not tried in vain
    assert "going on one after the other" in caplog.text


def test_pipeline_is_not_dropped_before_its_last_part_is_decoded(monkeypatch):
    """The writer is slow; the next batch's checkpoint needs the room meanwhile."""
    pipelines = {ONE: Pipeline(9), TWO: Pipeline(9)}
    sampler = make_sampler(monkeypatch, pipelines)
    ask = {"prompts": ["a"], "seeds": [1], "settings": SamplingSettings()}
    (part,) = sampler.parts(ONE, **ask)
    begun = threading.Event()

    def next_batch():
        begun.set()
        for each in sampler.parts(TWO, **ask):
            each.discard()

    thread = threading.Thread(target=next_batch)
    thread.start()
    begun.wait()
    thread.join(0.2)
    assert thread.is_alive()
    assert not pipelines[ONE].unloaded
    part.decode()
    thread.join(10)
    assert pipelines[ONE].unloaded


def test_part_is_decoded_once(monkeypatch):
    (part,) = make_sampler(monkeypatch, {ONE: Pipeline()}).parts(
        ONE, prompts=["a"], seeds=[1], settings=SamplingSettings()
    )
    part.decode()
    with pytest.raises(ValueError, match="decoded or discarded before"):
        part.decode()


def test_failed_decoding_on_a_cpu_does_not_block_the_next_checkpoint(monkeypatch):
    pipelines = {ONE: Pipeline(9, decoding_room=0), TWO: Pipeline(9)}
    sampler = make_sampler(monkeypatch, pipelines)
    sampler.device = torch.device("cpu")
    with pytest.raises(torch.OutOfMemoryError):
        sample_all(sampler, ONE, 2)
    thread = threading.Thread(target=sample_all, args=(sampler, TWO, 2), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
