"""CLIP and aesthetic scores, on small random weights in a directory."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil

from models_backend.curation.scorers.base import ScorerInput
from models_backend.curation.scorers.clip import ClipTower
from models_backend.curation.scorers.registry import load_scorers
from models_backend.errors import InputError
from tests.models_backend.pretend_gpu import pretend_gpu
from tests.models_backend.tiny_encoders import clip_config, clip_tokenizer

WIDTH, SIDE = 12, 32


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
              "num_attention_heads": 2, "image_size": SIDE, "patch_size": 8}  # fmt: skip
    config = transformers.CLIPConfig(
        text_config=clip_config().to_dict(), vision_config=vision, projection_dim=WIDTH
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    clip_tokenizer(folder)
    return folder


@pytest.fixture
def head(tmp_path):
    path = tmp_path / "head.safetensors"
    generator = torch.Generator().manual_seed(1)
    save_file({
        "layers.0.weight": torch.randn(5, WIDTH, generator=generator),
        "layers.0.bias": torch.randn(5, generator=generator),
        "layers.2.weight": torch.randn(1, 5, generator=generator),
        "layers.2.bias": torch.tensor([3.0]),
    }, path)  # fmt: skip
    return path


def samples():
    rng = np.random.default_rng(0)
    sizes, captions = ((40, 30), (32, 32), (20, 70)), ("a dog", "", "a red dog")
    return [
        ScorerInput("", Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)), caption)
        for size, caption in zip(sizes, captions, strict=True)
    ]


def test_a_gpu_scores_as_the_processor_does(weights, head):
    options = {"clip": str(weights), "aesthetic": f"{weights},{head}"}
    here = [each.score(samples()) for each in load_scorers(("clip", "aesthetic"), options)]
    with pretend_gpu():
        scorers = load_scorers(("clip", "aesthetic"), options)
        assert {str(each._tower._device) for each in scorers[1:]} == {"cuda"}
        assert [each.score(samples()) for each in scorers] == here


def test_scores_are_those_of_transformers(weights, head):
    _, clip, aesthetic = load_scorers(
        ["clip", "aesthetic"], {"clip": str(weights), "aesthetic": f"{weights},{head}"}
    )
    model = transformers.CLIPModel.from_pretrained(weights).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    reader = CLIPImageProcessorPil(size={"shortest_edge": SIDE},
                                   crop_size={"height": SIDE, "width": SIDE})  # fmt: skip
    layers = load_file(head)
    for sample, fit, liked in zip(samples(), clip.score(samples()), aesthetic.score(samples()),
                                  strict=True):  # fmt: skip
        with torch.no_grad():
            out = model(
                **tokenizer([sample.caption], return_tensors="pt"),
                pixel_values=reader(sample.image, return_tensors="pt")["pixel_values"],
            )
            x = out.image_embeds
            for number in (0, 2):
                x = x @ layers[f"layers.{number}.weight"].T + layers[f"layers.{number}.bias"]
        expected = float((out.image_embeds * out.text_embeds).sum())
        assert fit["cosine"] == (pytest.approx(expected, abs=1e-5) if sample.caption else None)
        assert liked["score"] == pytest.approx(float(x), abs=1e-4)
    assert clip.identity.name == "clip"
    assert clip.identity.weights_sha256 != aesthetic.identity.weights_sha256


def test_pickled_head_is_refused_with_the_line_that_converts_it(weights, head, tmp_path):
    pickled = tmp_path / "sac+logos.pth"
    torch.save(load_file(head), pickled)
    with pytest.raises(InputError, match=r"is a pickle.*weights_only=True") as refused:
        load_scorers(["aesthetic"], {"aesthetic": f"{weights},{pickled}"})
    line = str(refused.value).split('python -c "', 1)[1].rstrip('"')
    exec(line.replace("'sac+logos.safetensors'", f"'{tmp_path}/out.safetensors'"))
    assert load_file(tmp_path / "out.safetensors").keys() == load_file(head).keys()


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"layers.0.weight": torch.ones(1, WIDTH + 1)}, "has to read 12 numbers"),
        ({"layers.0.weight": torch.ones(2, WIDTH)}, "ends in 2 numbers"),
        ({"conv.weight": torch.ones(1, WIDTH)}, "chain of linear layers"),
        ({"layers.0.bias": torch.ones(1)}, "has to read 12 numbers"),
    ],
)
def test_head_of_another_architecture_is_refused(weights, tmp_path, tensors, said):
    path = tmp_path / "head.safetensors"
    save_file(tensors, path)
    with pytest.raises(InputError, match=said):
        load_scorers(["aesthetic"], {"aesthetic": f"{weights},{path}"})


def test_weights_of_another_architecture_are_refused(weights, tmp_path):
    other = shutil.copytree(weights, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"model_type": "siglip"}))
    with pytest.raises(InputError, match="of type 'siglip'; accepted is a whole CLIPModel"):
        ClipTower(other)
    (other / "config.json").write_text(json.dumps(config))
    tensors = load_file(other / "model.safetensors")
    del tensors["visual_projection.weight"]
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"missing or of another shape.*visual_projection"):
        ClipTower(other)
    (other / "model.safetensors").rename(other / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"is a pickle.*save_pretrained"):
        ClipTower(other)


@pytest.mark.parametrize(
    ("name", "option"), [("clip", ""), ("clip", "/none"), ("aesthetic", "/none")]
)
def test_what_is_needed_is_told(name, option):
    with pytest.raises(InputError, match=f"scorer '{name}' needs"):
        load_scorers([name], {name: option})
