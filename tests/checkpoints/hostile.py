"""A corpus of files that want to run code, to land elsewhere, to fill the disk or to mislead.

Each maker writes one source for `register_checkpoint` into an empty folder and returns it. Those
that carry code would create the file `canary`.
"""

import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save, save_file

from models_backend.checkpoint_format import FORMAT, content_sha256

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
INDEX = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
Maker = Callable[[Path, Path], Path]
MAKERS: dict[str, Maker] = {}


def hostile(maker: Maker) -> Maker:
    MAKERS[maker.__name__] = maker
    return maker


def pipeline(folder: Path) -> Path:
    """Write a small diffusers pipeline that would be accepted."""
    (folder / "unet").mkdir(parents=True)
    save_file({"w": np.ones(4, np.float32)}, folder / WEIGHTS)
    (folder / "unet/config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    return folder


def members() -> dict[str, bytes]:
    """Return the same pipeline as an archive's members."""
    return {
        "model_index.json": json.dumps(INDEX).encode(),
        "unet/config.json": b"{}",
        WEIGHTS: save({"w": np.ones(4, np.float32)}),
    }


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def bomb(canary: Path) -> bytes:
    """Return a pickle that runs a command when it is loaded."""
    return pickle.dumps(_Canary(canary))


def zipped(path: Path, content: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[arg-type]
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, extra: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    """Write the good members, then these."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members().items():
            information = tarfile.TarInfo(name)
            information.size = len(data)
            archive.addfile(information, io.BytesIO(data))
        for information, data in extra:
            archive.addfile(information, io.BytesIO(data))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0):
    information = tarfile.TarInfo(name)
    information.type, information.linkname, information.size = kind, link, size
    return information


def header_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def with_weights(folder: Path, content: bytes) -> Path:
    pipeline(folder / "p")
    (folder / "p" / WEIGHTS).write_bytes(content)
    return folder / "p"


def with_file(folder: Path, name: str, content: bytes) -> Path:
    pipeline(folder / "p")
    (folder / "p" / name).parent.mkdir(exist_ok=True)
    (folder / "p" / name).write_bytes(content)
    return folder / "p"


def with_metadata(folder: Path, **lies: object) -> Path:
    """Write what the trainer would have written of these files, but for the lies."""
    hashes = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    told = {
        "format": FORMAT, "name": "evil", "role": "pretrained", "family": "latent_diffusion",
        "sha256": content_sha256(hashes),
        "files": {name: {"sha256": digest} for name, digest in hashes.items()},
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(told | lies))
    return folder


# ---- code ---------------------------------------------------------------------------------------


@hostile
def pickle_in_a_directory(folder: Path, canary: Path) -> Path:
    return with_file(folder, "unet/pytorch_model.bin", bomb(canary))


@hostile
def pickle_in_a_zip(folder: Path, canary: Path) -> Path:
    return zipped(folder / "a.zip", members() | {"unet/model.pt": bomb(canary)})


@hostile
def pickle_alone(folder: Path, canary: Path) -> Path:
    (folder / "model.ckpt").write_bytes(bomb(canary))
    return folder / "model.ckpt"


@hostile
def pickle_called_safetensors(folder: Path, canary: Path) -> Path:
    return with_weights(folder, bomb(canary))


@hostile
def pickle_called_text(folder: Path, canary: Path) -> Path:
    return with_file(folder, "merges.txt", bomb(canary) + b"\0")


@hostile
def pickle_called_zip(folder: Path, canary: Path) -> Path:
    (folder / "a.zip").write_bytes(bomb(canary))
    return folder / "a.zip"


@hostile
def python_in_a_tar(folder: Path, canary: Path) -> Path:
    code = f"open({str(canary)!r}, 'w')".encode()
    return tarred(folder / "a.tar.gz", [(entry("pipeline.py", size=len(code)), code)])


@hostile
def pipeline_of_a_foreign_class(folder: Path, canary: Path) -> Path:
    index = json.dumps(INDEX | {"_class_name": "EvilPipeline"}).encode()
    return with_file(folder, "model_index.json", index)


@hostile
def component_of_a_foreign_library(folder: Path, canary: Path) -> Path:
    index = json.dumps(INDEX | {"vae": ["os", "system"]}).encode()
    return with_file(folder, "model_index.json", index)


@hostile
def component_of_a_class_not_on_the_list(folder: Path, canary: Path) -> Path:
    index = json.dumps(INDEX | {"text_encoder": ["transformers", "Trainer"]}).encode()
    return with_file(folder, "model_index.json", index)


@hostile
def component_config_of_a_foreign_class(folder: Path, canary: Path) -> Path:
    return with_file(folder, "unet/config.json", b'{"_class_name": "subprocess.Popen"}')


@hostile
def remote_code_by_auto_map(folder: Path, canary: Path) -> Path:
    config = {"auto_map": {"AutoTokenizer": "evil/repository--tokenizer.Evil"}}
    return with_file(folder, "tokenizer/tokenizer_config.json", json.dumps(config).encode())


# ---- a single file ------------------------------------------------------------------------------

SINGLE_INDEX = INDEX | {
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "safety_checker": [None, None],
}
SINGLE_TENSORS = (
    "model.diffusion_model.out.0.bias", "first_stage_model.quant_conv.bias",
    "cond_stage_model.transformer.text_model.final_layer_norm.bias",
)  # fmt: skip


def original(*names: str) -> bytes:
    """Return a file with one small tensor of each name."""
    return save({name: np.ones(2, np.float32) for name in names or SINGLE_TENSORS})


def configurations(folder: Path) -> Path:
    """Write a pipeline's configurations, without weights."""
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text("{}")
    (folder / "model_index.json").write_text(json.dumps(SINGLE_INDEX))
    return folder


def single_file(folder: Path, weights: bytes = b"", **index: object) -> Path:
    """Write a checkpoint in the single-file layout that would be accepted, but for the lies."""
    configurations(folder / "config")
    (folder / "config/model_index.json").write_text(json.dumps(SINGLE_INDEX | index))
    (folder / "model.safetensors").write_bytes(weights or original())
    return folder


@hostile
def single_file_without_configurations(folder: Path, canary: Path) -> Path:
    (folder / "model.safetensors").write_bytes(original())
    return folder / "model.safetensors"


@hostile
def single_file_with_a_lying_header(folder: Path, canary: Path) -> Path:
    tensors = {
        name: {"dtype": "F32", "shape": [2**30], "data_offsets": [4 * number, 4 * number + 4]}
        for number, name in enumerate(SINGLE_TENSORS)
    }
    return single_file(folder / "s", header_file(tensors, b"1234" * 3))


@hostile
def single_file_that_is_a_pickle(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", bomb(canary))


@hostile
def single_file_whose_configurations_hold_a_pickle(folder: Path, canary: Path) -> Path:
    single_file(folder / "s", original(*SINGLE_TENSORS[:2]))
    (folder / "s/config/text_encoder/pytorch_model.bin").write_bytes(bomb(canary))
    return folder / "s"


@hostile
def single_file_whose_configurations_hold_code(folder: Path, canary: Path) -> Path:
    single_file(folder / "s")
    files = [path for path in (folder / "s").rglob("*") if path.is_file()]
    content = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return zipped(folder / "a.zip", content | {"s/config/unet/unet.py": b"import os"})


@hostile
def single_file_of_a_foreign_pipeline(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", _class_name="EvilPipeline")


@hostile
def single_file_with_a_component_of_a_foreign_library(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", tokenizer=["os", "system"])


@hostile
def single_file_of_a_pipeline_that_is_never_one(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", _class_name="PixArtAlphaPipeline")


@hostile
def single_file_without_a_denoiser(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", original("lora_unet.down", *SINGLE_TENSORS[1:]))


@hostile
def single_file_with_another_inside(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", original("state_dict", *SINGLE_TENSORS))


@hostile
def single_file_without_its_text_encoder(folder: Path, canary: Path) -> Path:
    return single_file(folder / "s", original(*SINGLE_TENSORS[:2]))


@hostile
def single_file_with_weights_twice(folder: Path, canary: Path) -> Path:
    single_file(folder / "s")
    (folder / "s/config/unet/diffusion_pytorch_model.safetensors").write_bytes(original())
    return folder / "s"


@hostile
def single_file_beside_another(folder: Path, canary: Path) -> Path:
    single_file(folder / "s")
    (folder / "s/other.safetensors").write_bytes(original())
    return folder / "s"


# ---- places -------------------------------------------------------------------------------------


@hostile
def zip_slip(folder: Path, canary: Path) -> Path:
    return zipped(folder / "a.zip", members() | {f"../../{canary.name}.txt": b"here"})


@hostile
def zip_with_an_absolute_path(folder: Path, canary: Path) -> Path:
    return zipped(folder / "a.zip", members() | {f"{canary}.txt": b"here"})


@hostile
def zip_with_backslashes(folder: Path, canary: Path) -> Path:
    return zipped(folder / "a.zip", members() | {"..\\..\\canary.txt": b"here"})


@hostile
def tar_slip(folder: Path, canary: Path) -> Path:
    return tarred(folder / "a.tar", [(entry("../canary.txt", size=4), b"here")], "w")


@hostile
def zip_with_a_link(folder: Path, canary: Path) -> Path:
    path = zipped(folder / "a.zip", members())
    link = zipfile.ZipInfo("notes.txt")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    return path


@hostile
def tar_with_a_symbolic_link(folder: Path, canary: Path) -> Path:
    link = entry("notes.txt", tarfile.SYMTYPE, "/etc/passwd")
    return tarred(folder / "a.tar.gz", [(link, b"")])


@hostile
def tar_with_a_linked_folder(folder: Path, canary: Path) -> Path:
    link = entry("out", tarfile.SYMTYPE, str(canary.parent))
    through = entry("out/canary.txt", size=4)
    return tarred(folder / "a.tar.gz", [(link, b""), (through, b"here")])


@hostile
def tar_with_a_hard_link(folder: Path, canary: Path) -> Path:
    link = entry("notes.txt", tarfile.LNKTYPE, "/etc/passwd")
    return tarred(folder / "a.tar.gz", [(link, b"")])


@hostile
def tar_with_a_device(folder: Path, canary: Path) -> Path:
    return tarred(folder / "a.tar.gz", [(entry("notes.txt", tarfile.CHRTYPE), b"")])


@hostile
def tar_with_a_pipe(folder: Path, canary: Path) -> Path:
    return tarred(folder / "a.tar.gz", [(entry("notes.txt", tarfile.FIFOTYPE), b"")])


@hostile
def directory_with_a_link(folder: Path, canary: Path) -> Path:
    pipeline(folder / "p")
    (folder / "p/notes.txt").symlink_to("/etc/passwd")
    return folder / "p"


@hostile
def directory_with_a_pipe(folder: Path, canary: Path) -> Path:
    pipeline(folder / "p")
    os.mkfifo(folder / "p/notes.txt")
    return folder / "p"


@hostile
def shards_elsewhere(folder: Path, canary: Path) -> Path:
    index = {"weight_map": {"w": "../../../elsewhere.safetensors"}}
    name = "unet/diffusion_pytorch_model.safetensors.index.json"
    return with_file(folder, name, json.dumps(index).encode())


@hostile
def trained_with_a_pipeline_of_a_foreign_class(folder: Path, canary: Path) -> Path:
    index = json.dumps(INDEX | {"vae": ["os", "system"]}).encode()
    with_file(folder, "model_index.json", index)
    return with_metadata(folder / "p")


@hostile
def metadata_of_other_types(folder: Path, canary: Path) -> Path:
    return with_metadata(pipeline(folder / "p"), files=[], licences={"a": 1})


@hostile
def metadata_without_a_family(folder: Path, canary: Path) -> Path:
    return with_metadata(pipeline(folder / "p"), family=None)


# ---- sizes --------------------------------------------------------------------------------------


@hostile
def decompression_bomb_in_a_zip(folder: Path, canary: Path) -> Path:
    content = members() | {"notes.txt": b" " * (64 * 2**20)}
    return zipped(folder / "a.zip", content, compression=zipfile.ZIP_DEFLATED)


@hostile
def decompression_bomb_in_a_tar(folder: Path, canary: Path) -> Path:
    size = 64 * 2**20
    return tarred(folder / "a.tar.gz", [(entry("notes.txt", size=size), b" " * size)])


@hostile
def decompression_bomb_among_what_is_left_out(folder: Path, canary: Path) -> Path:
    content = members() | {"preview.png": b" " * (64 * 2**20)}
    return zipped(folder / "a.zip", content, compression=zipfile.ZIP_DEFLATED)


@hostile
def tar_with_an_endless_name(folder: Path, canary: Path) -> Path:
    size = 256 * 2**20
    header = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=size).tobuf(tarfile.GNU_FORMAT)
    chunk = gzip.compress(b"a" * 2**20)
    (folder / "a.tar.gz").write_bytes(gzip.compress(header) + chunk * 256)
    return folder / "a.tar.gz"


@hostile
def tar_with_endless_attributes(folder: Path, canary: Path) -> Path:
    header = entry("pax", tarfile.XHDTYPE, size=256 * 2**20).tobuf(tarfile.PAX_FORMAT)
    chunk = gzip.compress(b"1" * 2**20)
    (folder / "a.tar.gz").write_bytes(gzip.compress(header) + chunk * 256)
    return folder / "a.tar.gz"


@hostile
def tar_with_a_hole(folder: Path, canary: Path) -> Path:
    sparse = entry("notes.txt", tarfile.GNUTYPE_SPARSE, size=0)
    return tarred(folder / "a.tar.gz", [(sparse, b"")])


@hostile
def zip_of_a_million_entries(folder: Path, canary: Path) -> Path:
    return _zip64(folder / "a.zip", said_members=2**16 - 1, said_bytes=2**32 - 1)


@hostile
def zip_of_a_million_entries_whose_plain_end_says_one(folder: Path, canary: Path) -> Path:
    """Readers take zip64's figures where they stand, whatever the plain end says."""
    return _zip64(folder / "a.zip", said_members=1, said_bytes=46)


def _zip64(path: Path, *, said_members: int, said_bytes: int) -> Path:
    """A million empty members; the plain end of the archive says what is given."""
    count, name = 1_000_000, b"0000000.txt"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0)
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0
    )
    start, length = count * len(local + name), count * len(central + name)
    numbers = np.arange(count, dtype="<u4")
    digits = (numbers[:, None] // 10 ** np.arange(6, -1, -1) % 10 + ord("0")).astype("u1")
    offsets = (numbers * len(local + name)).view("u1").reshape(count, 4)
    with path.open("wb") as file:
        file.write(_rows(local + name, {len(local): digits}))
        file.write(_rows(central + name, {len(central): digits, len(central) - 4: offsets}))
        file.write(
            struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
        )
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, start + length, 1))
        said = (said_members, said_members, said_bytes, start % 2**32, 0)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *said))
    return path


def _rows(row: bytes, columns: dict[int, np.ndarray]) -> bytes:
    """Repeat a row of bytes, each time with its own bytes from these columns on."""
    table = np.tile(np.frombuffer(row, "u1"), (len(next(iter(columns.values()))), 1))
    for at, given in columns.items():
        table[:, at : at + given.shape[1]] = given
    return table.tobytes()


@hostile
def tar_of_a_million_entries(folder: Path, canary: Path) -> Path:
    thousand = b"".join(entry(f"{number}", tarfile.DIRTYPE).tobuf() for number in range(1000))
    (folder / "a.tar.gz").write_bytes(gzip.compress(thousand) * 1000)
    return folder / "a.tar.gz"


@hostile
def json_too_large(folder: Path, canary: Path) -> Path:
    return with_file(folder, "unet/config.json", b'{"a": "' + b"b" * (65 * 2**20) + b'"}')


@hostile
def json_too_deep(folder: Path, canary: Path) -> Path:
    return with_file(folder, "unet/config.json", b'{"a":' * 100_000)


# ---- lies ---------------------------------------------------------------------------------------


@hostile
def safetensors_header_beyond_the_file(folder: Path, canary: Path) -> Path:
    return with_weights(folder, header_file({}, length=2**62))


@hostile
def safetensors_tensors_beyond_the_file(folder: Path, canary: Path) -> Path:
    tensor = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
    return with_weights(folder, header_file({"w": tensor}, b"1234"))


@hostile
def safetensors_of_another_size_than_its_shape(folder: Path, canary: Path) -> Path:
    tensor = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}
    return with_weights(folder, header_file({"w": tensor}, b"1234"))


@hostile
def safetensors_that_overlap(folder: Path, canary: Path) -> Path:
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return with_weights(folder, header_file({"a": tensor, "b": tensor}, b"1234"))


@hostile
def safetensors_with_a_negative_place(folder: Path, canary: Path) -> Path:
    tensor = {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}
    return with_weights(folder, header_file({"w": tensor}))


@hostile
def safetensors_with_a_name_twice(folder: Path, canary: Path) -> Path:
    tensor = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    return with_weights(folder, header_file(f'{{"w":{tensor},"w":{tensor}}}'.encode(), b"1234"))


@hostile
def safetensors_header_too_deep(folder: Path, canary: Path) -> Path:
    return with_weights(folder, header_file(b'{"a":' * 100_000))


@hostile
def safetensors_cut_off(folder: Path, canary: Path) -> Path:
    return with_weights(folder, save({"w": np.ones(100)})[:-8])


@hostile
def safetensors_with_a_zip_behind_it(folder: Path, canary: Path) -> Path:
    inner = zipped(folder / "inner.zip", {"a.py": b"import os"})
    return with_weights(folder, save({"w": np.ones(4)}) + inner.read_bytes())


@hostile
def zip_cut_off(folder: Path, canary: Path) -> Path:
    path = zipped(folder / "a.zip", members())
    path.write_bytes(path.read_bytes()[:-30])
    return path


@hostile
def tar_cut_off(folder: Path, canary: Path) -> Path:
    path = tarred(folder / "a.tar.gz", [])
    path.write_bytes(path.read_bytes()[:-40])
    return path


@hostile
def picture_that_is_a_zip_too(folder: Path, canary: Path) -> Path:
    path = zipped(folder / "a.zip", members())
    path.write_bytes(b"GIF89a" + b"\0" * 64 + path.read_bytes())
    return path


@hostile
def zip_with_something_behind_it(folder: Path, canary: Path) -> Path:
    path = zipped(folder / "a.zip", members())
    path.write_bytes(path.read_bytes() + bomb(canary))
    return path


@hostile
def zip_whose_checksum_is_wrong(folder: Path, canary: Path) -> Path:
    path = zipped(folder / "a.zip", members())
    content = path.read_bytes()
    path.write_bytes(content.replace(b"StableDiffusionPipeline", b"StableDiffusionPipelinf"))
    return path


@hostile
def zip_with_a_member_twice(folder: Path, canary: Path) -> Path:
    return zipped(folder / "a.zip", members() | {"MODEL_INDEX.json": b"{}"})


@hostile
def zip_encrypted(folder: Path, canary: Path) -> Path:
    path = zipped(folder / "a.zip", members())
    content = bytearray(path.read_bytes())
    for place in _places(content, b"PK\x01\x02"):
        content[place + 8] |= 1
    path.write_bytes(bytes(content))
    return path


@hostile
def file_that_is_a_folder_too(folder: Path, canary: Path) -> Path:
    extra = [(entry("notes.txt", size=1), b"a"), (entry("notes.txt/b.txt", size=1), b"b")]
    return tarred(folder / "a.tar.gz", extra)


@hostile
def no_weights_at_all(folder: Path, canary: Path) -> Path:
    content = members()
    del content[WEIGHTS]
    return zipped(folder / "a.zip", content)


def _places(content: bytearray, what: bytes) -> list[int]:
    found, place = [], content.find(what)
    while place >= 0:
        found.append(place)
        place = content.find(what, place + 1)
    return found
