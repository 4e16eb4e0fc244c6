"""A tiny data set, and checkpoints trained on it once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models_backend import tiny


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
    from models_backend.recipes import overfitting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overfitting, "_HEAD_STEPS", 30)
        yield


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
