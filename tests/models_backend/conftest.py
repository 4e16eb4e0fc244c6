"""A tiny data set, and checkpoints trained on it once a session."""

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models_backend import brief, tiny


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Bitwise comparisons between processes need the same number of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def briefly_fitted_head() -> Iterator[None]:
    """The network that measures faithfulness is fitted in half a second less.

    For tests of what is done with the measure; that it measures is in test_early_stopping.
    """
    with brief.fit_of_the_head():
        yield


@pytest.fixture(scope="session", autouse=True)
def _pages_of_signals_are_drawn_once() -> Iterator[None]:
    """Draw a page for each kind of what it may show; those of other numbers have that picture.

    Drawing takes two thirds of a second, and a run draws its page anew with each candidate.
    """
    from models_backend.recipes import early_stopping, guard

    drawn: dict[tuple[object, ...], bytes] = {}

    def once(draw: Callable[..., bytes], content: dict[str, Any], *more: object) -> bytes:
        kind = draw, *more, *_kind_of_page(content)
        if kind not in drawn:
            drawn[kind] = draw(content, *more)
        return drawn[kind]

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((early_stopping, "plot"), (guard, "plot_guard")):
            patch.setattr(module, name, functools.partial(once, getattr(module, name)))
        yield


def _kind_of_page(content: dict[str, Any]) -> Iterator[object]:
    """Yield all that is not a usual number: what is missing, empty, infinite or said in words."""
    entries = content["entries"]
    yield len(entries) > 1
    for entry in [*entries[:1], *entries[-1:], content]:
        for name, value in sorted(entry.items()):
            is_finite = isinstance(value, int | float) and math.isfinite(value)
            yield name, type(value), is_finite, bool(value) if is_finite else None


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny pretrain configuration."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(tiny.PRETRAIN)
    return path


@pytest.fixture(scope="session")
def checkpoint_dir(
    tmp_path_factory: pytest.TempPathFactory, data: Path, config: Path, one_thread: None
) -> Path:
    """A pre-trained checkpoint; tests only read it."""
    from models_backend import train

    run = tmp_path_factory.mktemp("runs") / "tiny"
    assert train.main([str(config), "--data", str(data), "--out", str(run)]) == 0
    return run / "checkpoint"


@pytest.fixture(scope="session")
def parents(
    tmp_path_factory: pytest.TempPathFactory, data: Path, checkpoint_dir: Path
) -> dict[str, Path]:
    """A pre-trained checkpoint of every family; tests only read them."""
    from models_backend import train

    folder = tmp_path_factory.mktemp("families")
    found = {"latent_diffusion": checkpoint_dir}
    for family, text in (
        ("pixel_diffusion", tiny.PIXEL_DIFFUSION),
        ("masked_transformer", tiny.MASKED_TRANSFORMER),
    ):
        config = folder / f"{family}.toml"
        config.write_text(text.replace("steps = 12", "steps = 2"))
        run = folder / family
        assert train.main([str(config), "--data", str(data), "--out", str(run)]) == 0
        found[family] = run / "checkpoint"
    return found
