"""Finding, in what a person gives, the weights that change or complete a base: LoRAs and parts."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalplatform.checkpoints.verification.contents import check_file
from evalplatform.checkpoints.verification.names import check_name
from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.checkpoints.verification.wording import listed, shown
from evalplatform.core.errors import BadInputError

PLAIN, AVERAGED = "plain", "ema"
WEIGHTS = (AVERAGED, PLAIN)
_SUFFIX = "_ema"
_AVERAGED_TENSORS = "model_ema."
_LORA = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class PartSource:
    """Where a component's weights lie, and which were taken where there is a choice."""

    path: Path
    weights: str | None = None


def lora_file(source: Path) -> Path:
    """Return the one safetensors file of a LoRA: `source`, or what its folder holds.

    Raises `BadInputError` for a pickle, a folder with several, or a file that is not whole.
    """
    if source.is_dir():
        inside = sorted(source.glob("*.safetensors"))
        files = [path for path in inside if path.name == _LORA] or inside
        if len(files) != 1:
            found = listed(path.name for path in sorted(source.iterdir())) or "nothing"
            raise BadInputError(
                f"{source} holds no single LoRA ({_LORA}, or one other .safetensors): it has "
                f"{found}. Give the file itself; pickles are not accepted."
            )
        source = files[0]
    _check_weights(source)
    return source


def part_source(component: str, source: Path, weights: str | None) -> PartSource:
    """Return where the weights of a component lie in a file or folder that a person gives.

    A folder is the component's own, or holds it by its name, averaged weights as NAME_ema.

    Raises `BadInputError` where there are both kinds and nobody chose, or not the chosen ones.
    """
    if source.is_dir():
        found = _of_folder(component, source, weights)
        _check_shown(found.path)
        for path in sorted(found.path.rglob("*")):
            _check_in_folder(path, found.path)
        return found
    _check_weights(source)
    names = read_header(source, source.name).names
    has_averaged = any(name.startswith(_AVERAGED_TENSORS) for name in names)
    if has_averaged and weights is None:
        raise _undecided(source, f"{_AVERAGED_TENSORS}… and plain weights")
    if weights == AVERAGED and not has_averaged:
        raise BadInputError(
            f"{source} holds no EMA weights; take its plain weights.",
            by_command="--weights plain takes them.",
        )
    return PartSource(source, weights)


def holds_averages(directory: Path) -> bool:
    """Whether a pipeline's directory, or its single file, has averaged weights beside the plain."""
    single = directory / "model.safetensors"
    if single.is_file():
        names = read_header(single, single.name).names
        return any(name.startswith(_AVERAGED_TENSORS) for name in names)
    return bool(averaged_folders(directory))


def averaged_folders(directory: Path) -> list[str]:
    """Return the components of which a pipeline's directory has averaged weights too."""
    found = (path.name for path in sorted(directory.glob(f"*{_SUFFIX}")) if path.is_dir())
    return [name.removesuffix(_SUFFIX) for name in found]


def _of_folder(component: str, source: Path, weights: str | None) -> PartSource:
    plain, averaged = source / component, source / f"{component}{_SUFFIX}"
    has = {PLAIN: plain.is_dir(), AVERAGED: averaged.is_dir()}
    if not any(has.values()):
        if weights == AVERAGED and source.name != averaged.name:
            raise BadInputError(
                f"{source} holds no {averaged.name}/; take its plain weights.",
                by_command="--weights plain takes them.",
            )
        if not (source / "config.json").is_file() or not any(source.glob("*.safetensors")):
            raise BadInputError(
                f"{source} is no {component}: it needs config.json and .safetensors, or a folder "
                f"{component}/ with them. Save it with save_pretrained."
            )
        return PartSource(source, AVERAGED if source.name == averaged.name else weights)
    if all(has.values()) and weights is None:
        raise _undecided(source, f"{plain.name}/ and {averaged.name}/")
    chosen = weights or (PLAIN if has[PLAIN] else AVERAGED)
    if not has[chosen]:
        there = PLAIN if has[PLAIN] else AVERAGED
        raise BadInputError(
            f"{source} holds no {chosen} weights of the {component}; take its {there} weights.",
            by_command=f"--weights {there} takes them.",
        )
    return PartSource(plain if chosen == PLAIN else averaged, chosen)


def _undecided(source: Path, what: str) -> BadInputError:
    return BadInputError(
        f"{source} holds {what}: choose the weights, ema (averaged) or plain.",
        by_command="--weights ema or --weights plain does it.",
    )


def _check_weights(source: Path) -> None:
    if not source.is_file():
        raise BadInputError(f"{source} is not there; give a .safetensors file or a folder.")
    _check_shown(source)
    check_name(PurePosixPath(source.name))
    if source.suffix.lower() != ".safetensors":
        raise BadInputError(f"{source} is no .safetensors file; save the weights as one.")
    read_header(source, source.name)


def _check_shown(source: Path) -> None:
    """Refuse a name that no page shows and no database stores: the record keeps it."""
    if not source.name.isprintable():
        raise BadInputError(f"{shown(source)!r} names no weights; name them in plain characters.")


def _check_in_folder(path: Path, folder: Path) -> None:
    name = path.relative_to(folder).as_posix()
    if path.is_symlink():
        raise BadInputError(f"{folder}: {name} is a link; copy the file itself there.")
    if path.is_file():
        check_name(PurePosixPath(name))
        check_file(path, name)
