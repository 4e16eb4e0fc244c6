"""Checkpoints made by chance and spoiled: each is accepted or refused in one line, none crashes.

`CHECKPOINT_CASES` is how many of each of seven kinds are tried: 720 by `make fuzz-checkpoints`, by
default a quick look.
"""

import io
import json
import os
import struct
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalplatform.checkpoints.layout import inspect
from evalplatform.checkpoints.verification.archives import Limits, unpack
from evalplatform.checkpoints.verification.safetensors_header import read_header
from evalplatform.core.errors import BadInputError
from tests.checkpoints import hostile

CASES = int(os.environ.get("CHECKPOINT_CASES", "75"))
TABLE = "unet/diffusion_pytorch_model.safetensors.index.json"
fuzz = settings(
    max_examples=CASES, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip

texts = st.text(max_size=12) | st.sampled_from(
    [
        "unet",
        "diffusers",
        "UNet2DConditionModel",
        "../a",
        "a\0b",
        "\ud800",
        "F32",
        "lora_A",
        "",
        "__metadata__",
    ]
)
numbers = st.integers(-2, 2**70) | st.floats() | st.booleans() | st.none()
values = st.recursive(
    texts | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def one_line(work):
    """Let a refusal pass that says in one line what is wrong; anything else is a crash."""
    said = ""
    with suppress(BadInputError):
        try:
            work()
        except BadInputError as error:
            said = str(error)
            raise
    assert said.isprintable(), ascii(said)
    assert not said or 20 < len(said.encode()) < 4000


def written(folder: Path, name: str, content: bytes) -> Path:
    with suppress(FileExistsError):
        hostile.pipeline(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


entries = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F16", "I64", "BOOL", "F8_E4M3"]) | values,
        "shape": st.lists(st.integers(-1, 2**65), max_size=9) | values,
        "data_offsets": st.lists(st.integers(-1, 2**65), min_size=2, max_size=2) | values,
    },
)


@fuzz
@given(
    header=st.dictionaries(texts, entries | values, max_size=4) | values,
    data=st.binary(max_size=16),
    length=st.none() | st.integers(0, 2**64 - 1),
)
def test_safetensors_headers(header, data, length):
    text = dumped(header)
    content = struct.pack("<Q", len(text) if length is None else length) + text + data
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        Path(file.name).write_bytes(content)
        one_line(lambda: read_header(Path(file.name), "unet/model.safetensors"))


@fuzz
@given(content=st.binary(max_size=200))
def test_files_of_chance(content):
    with tempfile.TemporaryDirectory() as folder:
        for name in ("model_index.json", hostile.WEIGHTS, "tokenizer/spiece.model", "a.txt"):
            one_line(lambda name=name: inspect(written(Path(folder) / name[:2], name, content)))


JSONS = ["model_index.json", "unet/config.json", TABLE, "metadata.json", "config/model_index.json"]


@fuzz
@given(
    name=st.sampled_from(JSONS),
    changes=st.dictionaries(
        texts
        | st.sampled_from(["_class_name", "unet", "vae", "weight_map", "auto_map", "format",
                           "family", "files", "sha256", "config", "licences", "parent_sha256"]),
        values | st.lists(texts, max_size=3),
        max_size=5,
    ),
    keep=st.booleans(),
)  # fmt: skip
def test_configurations_tables_and_metadata(name, changes, keep):
    with tempfile.TemporaryDirectory() as root:
        folder = hostile.pipeline(Path(root) / "p")
        if name == "metadata.json":
            hostile.with_metadata(folder)
        if name.startswith("config/"):
            folder = hostile.single_file(Path(root) / "s")
        before = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        one_line(lambda: inspect(written(folder, name, dumped((before if keep else {}) | changes))))


@fuzz
@given(
    name=st.sampled_from(JSONS),
    content=st.binary(max_size=60) | values.map(dumped),
)
def test_json_that_is_none_or_no_object(name, content):
    with tempfile.TemporaryDirectory() as root:
        one_line(lambda: inspect(written(Path(root) / "p", name, content)))


names = st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name and "/" not in name)


@fuzz
@given(
    parts=st.lists(
        names | st.sampled_from(["unet", "checkpoint-5", "a\nb", "model.fp16"]),
        min_size=1,
        max_size=4,
    ),
    suffix=st.sampled_from(
        ["", ".json", ".txt", ".safetensors", ".bin", ".safetensors.index.json"]
    ),
)
def test_names_in_a_directory(parts, suffix):
    with tempfile.TemporaryDirectory() as root:
        folder = hostile.pipeline(Path(root) / "p")
        path = folder.joinpath(*parts[:-1], parts[-1] + suffix)
        with suppress(OSError, ValueError, UnicodeError):  # no name for this file system
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"{}")
        one_line(lambda: inspect(folder))


def plain(kind: str) -> bytes:
    """Return the good pipeline as an archive."""
    whole = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in hostile.members().items():
                archive.writestr(name, data)
        return whole.getvalue()
    with tarfile.open(fileobj=whole, mode="w" if kind == "tar" else "w:gz") as archive:
        for name, data in hostile.members().items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return whole.getvalue()


ARCHIVES = {kind: plain(kind) for kind in ("zip", "tar", "tar.gz")}


@fuzz
@given(
    kind=st.sampled_from(sorted(ARCHIVES)),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.binary(min_size=0, max_size=8), st.integers(0, 8)),
        min_size=1, max_size=6,
    ),
    cut=st.none() | st.floats(0, 1),
)  # fmt: skip
def test_archives_spoiled_by_bytes(kind, edits, cut):
    content = ARCHIVES[kind]
    for place, put, removed in edits:
        at = int(place * len(content))
        content = content[:at] + put + content[at + removed :]
    if cut is not None:
        content = content[: int(cut * len(content))]
    with tempfile.TemporaryDirectory() as root:
        archive, into = Path(root) / f"a.{kind}", Path(root) / "into"
        archive.write_bytes(content)
        into.mkdir()
        one_line(lambda: inspect(unpack(archive, into, Limits(bytes=2**20))))
        assert {path.name for path in Path(root).iterdir()} == {archive.name, "into"}


@fuzz
@given(
    members=st.lists(
        st.tuples(
            st.text(max_size=30), st.binary(max_size=20), st.sampled_from(list("0123456xgLKS"))
        ),
        max_size=4,
    ),
    compressed=st.booleans(),
    link=st.text(max_size=10),
)
def test_tar_members_of_every_kind(members, compressed, link):
    whole = io.BytesIO()
    with (
        suppress(ValueError, UnicodeError),
        tarfile.open(fileobj=whole, mode="w:gz" if compressed else "w") as archive,
    ):
        for name, data, kind in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(data), kind.encode(), link
            archive.addfile(member, io.BytesIO(data))
    with tempfile.TemporaryDirectory() as root:
        archive, into = Path(root) / "a.tar", Path(root) / "into"
        archive.write_bytes(whole.getvalue())
        into.mkdir()
        one_line(lambda: inspect(unpack(archive, into, Limits(bytes=2**20))))
        assert {path.name for path in Path(root).iterdir()} == {"a.tar", "into"}
