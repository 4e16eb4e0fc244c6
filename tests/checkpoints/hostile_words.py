"""More of the hostile corpus: values of other types, words no database stores, misleading names."""

import hashlib
import json
import os
from pathlib import Path

from tests.checkpoints.hostile import (
    INDEX,
    WEIGHTS,
    bomb,
    header_file,
    hostile,
    members,
    pipeline,
    with_file,
    with_metadata,
    with_weights,
    zipped,
)

TABLE = "unet/diffusion_pytorch_model.safetensors.index.json"


def with_index(folder: Path, **lies: object) -> Path:
    return with_file(folder, "model_index.json", json.dumps(INDEX | lies).encode())


# ---- other types --------------------------------------------------------------------------------


@hostile
def pipeline_class_is_a_list(folder: Path, canary: Path) -> Path:
    return with_index(folder, _class_name=["StableDiffusionPipeline"])


@hostile
def pipeline_class_is_an_object(folder: Path, canary: Path) -> Path:
    return with_index(folder, _class_name={"a": 1})


@hostile
def component_class_is_a_list(folder: Path, canary: Path) -> Path:
    return with_index(folder, vae=["diffusers", ["AutoencoderKL"]])


@hostile
def component_library_is_an_object(folder: Path, canary: Path) -> Path:
    return with_index(folder, vae=[{"diffusers": 1}, "AutoencoderKL"])


@hostile
def component_is_an_object(folder: Path, canary: Path) -> Path:
    return with_index(folder, vae={"library": "os", "class": "system"})


@hostile
def component_is_a_text(folder: Path, canary: Path) -> Path:
    return with_index(folder, vae="os.system")


@hostile
def component_with_a_third_part(folder: Path, canary: Path) -> Path:
    return with_index(folder, vae=["diffusers", "AutoencoderKL", "os"])


@hostile
def component_named_with_nul(folder: Path, canary: Path) -> Path:
    return with_index(folder, **{"va\0e": ["diffusers", "AutoencoderKL"]})


@hostile
def component_config_class_is_a_list(folder: Path, canary: Path) -> Path:
    return with_file(folder, "unet/config.json", b'{"_class_name": ["UNet2DConditionModel"]}')


@hostile
def shard_table_with_a_list(folder: Path, canary: Path) -> Path:
    return with_file(folder, TABLE, json.dumps({"weight_map": {"w": ["a"]}}).encode())


@hostile
def shard_table_that_is_a_text(folder: Path, canary: Path) -> Path:
    return with_file(folder, TABLE, json.dumps({"weight_map": "w"}).encode())


@hostile
def shards_of_a_variant_elsewhere(folder: Path, canary: Path) -> Path:
    pipeline(folder / "p")
    shard = "diffusion_pytorch_model.fp16-00001-of-00001.safetensors"
    (folder / "p" / WEIGHTS).rename(folder / "p/unet" / shard)
    table = {"weight_map": {"w": shard, "v": 3}}
    name = "p/unet/diffusion_pytorch_model.safetensors.index.fp16.json"
    (folder / name).write_text(json.dumps(table))
    return folder / "p"


@hostile
def safetensors_with_a_shape_of_objects(folder: Path, canary: Path) -> Path:
    tensor = {"dtype": ["F32"], "shape": [{}], "data_offsets": [0, 4]}
    return with_weights(folder, header_file({"w": tensor}, b"1234"))


@hostile
def safetensors_of_an_endless_side(folder: Path, canary: Path) -> Path:
    tensor = {"dtype": "F32", "shape": [2**70, 0], "data_offsets": [0, 0]}
    return with_weights(folder, header_file({"w": tensor}))


@hostile
def safetensors_header_too_large(folder: Path, canary: Path) -> Path:
    return with_weights(folder, header_file(b"{" + b" " * (90 * 2**20) + b"}"))


@hostile
def json_of_sixty_megabytes(folder: Path, canary: Path) -> Path:
    return with_file(folder, "unet/config.json", b'{"a": [' + b"[]," * 20_000_000 + b"1]}")


# ---- words no database stores -------------------------------------------------------------------


def with_config(folder: Path, text: str) -> Path:
    """Write what the trainer would have written, its configuration in these words of JSON."""
    path = with_metadata(pipeline(folder / "p"), config={"a": "here"})
    metadata = path / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"here"', text))
    return path


@hostile
def configuration_with_nul(folder: Path, canary: Path) -> Path:
    return with_config(folder, r'"\u0000"')


@hostile
def configuration_with_half_a_character(folder: Path, canary: Path) -> Path:
    return with_config(folder, r'"\ud800"')


@hostile
def configuration_with_a_key_of_nul(folder: Path, canary: Path) -> Path:
    return with_config(folder, r'{"\u0000": 1}')


@hostile
def configuration_that_is_not_a_number(folder: Path, canary: Path) -> Path:
    return with_config(folder, "NaN")


@hostile
def configuration_with_an_endless_number(folder: Path, canary: Path) -> Path:
    return with_config(folder, "1e999")


@hostile
def configuration_with_a_number_of_five_thousand_digits(folder: Path, canary: Path) -> Path:
    return with_config(folder, "9" * 5000)


@hostile
def configuration_nested_deep(folder: Path, canary: Path) -> Path:
    return with_config(folder, "[" * 600 + "]" * 600)


@hostile
def licence_with_nul(folder: Path, canary: Path) -> Path:
    return with_metadata(pipeline(folder / "p"), licences=["MIT\0"])


@hostile
def family_elsewhere(folder: Path, canary: Path) -> Path:
    return with_metadata(pipeline(folder / "p"), family="../../evil")


@hostile
def changed_file_named_with_nul(folder: Path, canary: Path) -> Path:
    return with_metadata(pipeline(folder / "p"), files={"unet/\0": {"sha256": "0" * 64}})


@hostile
def tensor_named_with_half_a_character(folder: Path, canary: Path) -> Path:
    tensor = b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return with_weights(folder, header_file(tensor, b"1234"))


@hostile
def zip_with_a_member_before_its_beginning(folder: Path, canary: Path) -> Path:
    """One byte less among the members: their places, counted from the end, begin before it."""
    path = zipped(folder / "a.zip", members())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 1 :])
    return path


# ---- code, further in ---------------------------------------------------------------------------


@hostile
def pickle_called_a_tokenizers_model(folder: Path, canary: Path) -> Path:
    return with_file(folder, "tokenizer/spiece.model", bomb(canary))


@hostile
def pickle_of_plain_characters(folder: Path, canary: Path) -> Path:
    return with_file(folder, "tokenizer/merges.txt", b"\x80\x04" + bomb(canary).replace(b"\0", b""))


@hostile
def remote_code_deep_in_a_configuration(folder: Path, canary: Path) -> Path:
    config = {"text_config": [{"auto_map": {"AutoModel": "evil/repository--model.Evil"}}]}
    return with_file(folder, "text_encoder/config.json", json.dumps(config).encode())


# ---- names --------------------------------------------------------------------------------------


@hostile
def directory_that_reads_as_another(folder: Path, canary: Path) -> Path:
    """Written as lines of paths and hashes, its list of files is that of the whole pipeline."""
    pipeline(folder / "p")
    config = folder / "p/unet/config.json"
    digest = hashlib.sha256(config.read_bytes()).hexdigest()
    config.unlink()
    lines = folder / "p" / "unet" / f"config.json {digest}\nunet"
    lines.mkdir(parents=True)
    (folder / "p" / WEIGHTS).rename(lines / "diffusion_pytorch_model.safetensors")
    return folder / "p"


@hostile
def directory_with_a_name_of_no_text(folder: Path, canary: Path) -> Path:
    pipeline(folder / "p")
    (Path(os.fsdecode(os.fsencode(folder / "p") + b"/a\xff.txt"))).write_text("a")
    return folder / "p"


@hostile
def directory_with_a_name_that_turns_round(folder: Path, canary: Path) -> Path:
    return with_file(folder, "notes\u202etxt.json.txt", b"a")


@hostile
def directory_with_a_control_character(folder: Path, canary: Path) -> Path:
    return with_file(folder, "notes\x9b.txt", b"a")


@hostile
def directory_three_hundred_deep(folder: Path, canary: Path) -> Path:
    pipeline(folder / "p")
    deep = (folder / "p").joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "notes.txt").write_text("a")
    return folder / "p"
