"""How diffusers and transformers name a component's weights, and which of several sets to take.

A folder may hold the same weights in several precisions side by side. File names:
https://huggingface.co/docs/diffusers/using-diffusers/loading#checkpoint-variants.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from evalplatform.core.errors import BadInputError

_BASE = r"(?P<base>diffusion_pytorch_model|model)"
_WEIGHTS = re.compile(
    _BASE + r"(?:\.(?P<variant>\w+))?(?P<shard>-\d{5}-of-\d{5})?(?:\.(?P<late>\w+))?\.safetensors"
)
_TABLE = re.compile(
    _BASE + r"(?:\.(?P<variant>\w+))?\.safetensors\.index(?:\.(?P<late>\w+))?\.json"
)


def is_weight(name: str) -> bool:
    """Whether a file of a pipeline's directory is weights, or a table of their shards."""
    return name.endswith(".safetensors") or is_table(name)


def is_table(name: str) -> bool:
    """Whether a file tells which shard holds which tensor, of whatever variant."""
    return _TABLE.fullmatch(PurePosixPath(name).name) is not None or name.endswith(
        ".safetensors.index.json"
    )


def variant_of(name: str) -> str | None:
    """Return the variant of weights or of their table, "" for the plain ones; None for others."""
    file_name = PurePosixPath(name).name
    match = _WEIGHTS.fullmatch(file_name) or _TABLE.fullmatch(file_name)
    return (match["variant"] or match["late"] or "") if match else None


def plain_name(name: str) -> str:
    """Return weights' or a table's name without its variant; other names as they are."""
    path = PurePosixPath(name)
    if weights := _WEIGHTS.fullmatch(path.name):
        return str(path.with_name(f"{weights['base']}{weights['shard'] or ''}.safetensors"))
    if table := _TABLE.fullmatch(path.name):
        return str(path.with_name(f"{table['base']}.safetensors.index.json"))
    return name


def plain_table(content: bytes) -> bytes:
    """Return a table of shards (weight_map) whose shards are named without their variant."""
    table = json.loads(content)
    table["weight_map"] = {
        tensor: plain_name(shard) for tensor, shard in table["weight_map"].items()
    }
    return json.dumps(table, indent=2).encode()


def one_set_each(files: Iterable[str]) -> dict[str, str]:
    """Return which files to take, as name to be kept under: name it has now.

    Of each folder's weights one variant is taken, the plain one where there is one; the names of
    another lose their variant, so that what is kept is a plain pipeline.

    Raises `BadInputError` where one set lies there whole and in shards.
    """
    taken: dict[str, str] = {}
    by_folder: defaultdict[PurePosixPath, defaultdict[str, list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for name in files:
        variant = variant_of(name)
        if variant is None:
            taken[name] = name
        else:
            by_folder[PurePosixPath(name).parent][variant].append(name)
    for folder, variants in by_folder.items():
        whole = [key for key, names in variants.items() if not all(map(is_table, names))]
        chosen = variants[min(whole or variants)]
        _refuse_whole_beside_shards(folder, chosen)
        taken |= {plain_name(name): name for name in chosen}
    return taken


def _refuse_whole_beside_shards(folder: PurePosixPath, chosen: list[str]) -> None:
    matches = [match for name in chosen if (match := _WEIGHTS.fullmatch(PurePosixPath(name).name))]
    whole = {match["base"] for match in matches if not match["shard"]}
    sharded = {match["base"] for match in matches if match["shard"]}
    if whole & sharded:
        raise BadInputError(
            f"{folder} holds its weights whole and in shards; leave one of them out, or the "
            "same weights would count twice."
        )
