"""Text encoders: the packaged one, and CLIP and T5 from a directory, alone and together."""

import json
from pathlib import Path

import pytest
import torch
import transformers

from models_backend.errors import CheckpointError, InputError
from models_backend.nn.architecture import TextConfig, UNetConfig
from models_backend.nn.text import TextEncoder
from models_backend.nn.text_sources import PACKAGE
from models_backend.nn.unet import build_unet
from tests.models_backend import tiny_encoders

CAPTIONS = ["a cat", "a cat on a very long red boat that never ends"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.write_clip(tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.write_t5(tmp_path_factory.mktemp("t5") / "t5")


@pytest.fixture
def both(clip: Path, t5: Path) -> TextEncoder:
    return TextEncoder(TextConfig((str(clip), str(t5)), (16, 40)))


def test_packaged_encoder_is_the_default():
    encoder = TextEncoder()
    text = encoder.encode(CAPTIONS)
    assert text.tokens.shape == (2, 24, 384)
    assert text.pooled.shape == (2, 384)
    assert text.mask.sum(dim=1).tolist() == [4, 13]
    assert encoder.to_dict()["encoders"][0]["name"] == PACKAGE


def test_longer_captions_are_read_where_the_setting_allows():
    long = " ".join(["boat"] * 60)
    short, wide = (TextEncoder(TextConfig(tokens=(n,))).encode([long]) for n in (24, 77))
    assert short.mask.sum() == 24
    assert wide.mask.sum() == 62


def test_clip_embeddings_are_those_of_transformers(clip):
    text = TextEncoder(TextConfig((str(clip),), (16,))).encode(CAPTIONS)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(clip)
    model = transformers.CLIPTextModel.from_pretrained(clip).eval()
    inputs = tokenizer(
        CAPTIONS, padding="max_length", max_length=16, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        output = model(inputs["input_ids"])
    assert torch.allclose(text.tokens, output.last_hidden_state, atol=1e-5)
    cosine = torch.cosine_similarity(text.pooled, output.pooler_output)
    assert cosine.tolist() == pytest.approx([1, 1], abs=1e-5)
    assert text.pooled.norm(dim=1).tolist() == pytest.approx([4, 4], abs=1e-4)


def test_two_encoders_stand_one_after_the_other_in_channels_of_their_own(both, clip, t5):
    text = both.encode(CAPTIONS)
    assert text.tokens.shape == (2, 56, 40)
    assert text.pooled.shape == (2, 40)
    first = TextEncoder(TextConfig((str(clip),), (16,))).encode(CAPTIONS)
    second = TextEncoder(TextConfig((str(t5),), (40,))).encode(CAPTIONS)
    assert torch.equal(text.tokens[:, :16, :16], first.tokens)
    assert torch.equal(text.tokens[:, 16:, 16:], second.tokens)
    assert not text.tokens[:, :16, 16:].any()
    assert not text.tokens[:, 16:, :16].any()
    assert torch.equal(text.mask, torch.cat([first.mask, second.mask], dim=1))


def test_one_linear_layer_projects_each_encoder_by_weights_of_its_own(both):
    config = UNetConfig((16, 32), heads=2, text_width=24)
    unet = build_unet(config, latent_channels=4, text_width=both.width, encoders=2)
    weight, bias = unet.encoder_hid_proj.weight, unet.encoder_hid_proj.bias
    tokens = both.encode(CAPTIONS).tokens
    projected = unet.encoder_hid_proj(tokens)
    assert projected.shape == (2, 56, 24)
    of_clip = tokens[:, :16, :16] @ weight[:, :16].T + bias
    of_t5 = tokens[:, 16:, 16:] @ weight[:, 16:].T + bias
    assert torch.allclose(projected, torch.cat([of_clip, of_t5], dim=1), atol=1e-5)


def test_two_encoders_without_a_width_are_refused():
    with pytest.raises(InputError, match=r"unet\.text_width is 0"):
        build_unet(UNetConfig((16, 32), heads=2), latent_channels=4, text_width=40, encoders=2)


def test_a_text_is_embedded_alike_in_every_batch(both):
    together = both.encode([*CAPTIONS, "a boat", CAPTIONS[0]])
    alone = TextEncoder(both.config).encode(["a boat"])
    assert torch.allclose(together.tokens[2], alone.tokens[0], atol=1e-6)
    assert torch.equal(together.tokens[0], together.tokens[3])


def test_padding_shows_where_it_is_not_masked(clip):
    text = TextEncoder(TextConfig((str(clip),), (16,), masked=False)).encode(CAPTIONS)
    assert text.mask.all()


def test_a_checkpoints_encoders_are_found_again_by_folder(tmp_path, both, clip, t5, monkeypatch):
    recorded = json.loads(json.dumps(both.to_dict()))
    again = TextEncoder.from_dict(recorded)
    assert torch.equal(again.encode(CAPTIONS).tokens, both.encode(CAPTIONS).tokens)
    moved = tmp_path / "encoders"
    moved.mkdir()
    for folder in (clip, t5):
        (moved / folder.name).symlink_to(folder)
    for entry in recorded["encoders"]:
        entry["name"] = "/moved/away/" + Path(entry["name"]).name
    monkeypatch.setenv("TEXT_ENCODERS", str(moved))
    assert TextEncoder.from_dict(recorded).width == 40


def test_other_weights_under_the_same_name_are_refused(both):
    recorded = both.to_dict()
    recorded["encoders"][1]["sha256"] = "0" * 64
    with pytest.raises(CheckpointError, match="has other weights"):
        TextEncoder.from_dict(recorded)


def test_more_tokens_than_the_encoder_reads_are_refused(clip):
    with pytest.raises(CheckpointError, match="at most 16 tokens, 77 are configured"):
        TextEncoder(TextConfig((str(clip),), (77,))).encode(CAPTIONS)


def test_what_is_no_text_encoder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(CheckpointError, match=r"type 'gpt2'; accepted are clip_text_model, t5"):
        _ = TextEncoder(TextConfig((str(tmp_path),))).width
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="neither a directory here") as caught:
        TextEncoder(TextConfig(("nobody/no-such-encoder",)))
    assert "\n" not in str(caught.value)
