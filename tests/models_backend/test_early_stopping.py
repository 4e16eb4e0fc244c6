"""Candidates of quality-tuning, the signals that are measured on them, and who picks."""

import contextlib
import copy
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from models_backend import checkpoints, train
from models_backend.checkpoints import read_metadata
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.tuning import EarlyStoppingConfig, QualityTuneConfig
from models_backend.data import manifest
from models_backend.data.tuning import subset
from models_backend.errors import InputError
from models_backend.families.features import plain_features
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.recipes.candidates import refuse_other_shapes
from models_backend.recipes.configs import read_config
from models_backend.recipes.early_stopping import (
    HeldOutCaptions,
    candidate_steps,
    cautions,
    pick_step,
    table,
)
from models_backend.recipes.grids import grid
from models_backend.recipes.overfitting import (
    Copying,
    MeanWithError,
    RetrievalHead,
    features_of,
    shapes_of,
    to_pixels,
)
from tests.models_backend import brief, tiny

CONFIG = EarlyStoppingConfig(tolerance=1.0, copying_rise=0.2)


def entry(step: int, faithfulness: float, copied: float = 0.0) -> dict[str, float]:
    return {"step": step, "faithfulness": faithfulness, "faithfulness_error": 0.05,
            "copied_share": copied}  # fmt: skip


def test_defaults_of_the_recipe_are_the_papers():
    config = QualityTuneConfig(name="x", tuning_list="y")
    assert config.training.batch_size == 64
    assert config.training.steps == 15_000
    assert config.noise_offset == 0.1
    assert config.early_stopping.candidates > 0


def test_candidates_are_saved_states_evenly_spaced_and_bounded():
    loop = LoopConfig(steps=1000, save_every=50)
    assert candidate_steps(loop, 4) == [250, 500, 750, 1000]
    assert candidate_steps(loop, 1) == [1000]
    assert candidate_steps(loop, 1000) == list(range(50, 1001, 50))
    assert candidate_steps(LoopConfig(steps=70, save_every=50), 5) == [50, 70]


def test_the_rule_takes_the_latest_that_is_still_faithful():
    falling = [entry(0, 0.4), entry(10, 0.5), entry(20, 0.46), entry(30, 0.3), entry(40, 0.2)]
    assert pick_step(falling, CONFIG) == 20
    level = [entry(step, 0.5) for step in (0, 10, 20)]
    assert pick_step(level, CONFIG) == 20


def test_the_rule_stops_before_copying_rises():
    copying = [entry(0, 0.5, 0.1), entry(10, 0.5, 0.2), entry(20, 0.5, 0.31), entry(30, 0.5, 0.9)]
    assert pick_step(copying, CONFIG) == 10


def test_the_rule_takes_the_first_where_none_will_do():
    assert pick_step([entry(0, 0.9), entry(10, 0.2), entry(20, 0.1)], CONFIG) == 10


def test_too_few_captions_are_said_and_not_cut_in_silence():
    assert cautions(64, 64) == []
    few = " ".join(cautions(13, 64))
    assert "images is 64, and 13 captions lie outside the tuning list" in few
    assert "fewer than 40 held-out captions" in few
    assert len(cautions(50, 64)) == 1


def test_the_table_says_that_no_candidate_fitted():
    more = {"nearest_distance": 1.0, "training_loss": 0.2, "held_out_loss": 0.3}
    entries = [entry(0, 0.9) | more, entry(10, 0.2) | more, entry(20, 0.1) | more]
    content = {"rule": "a rule", "entries": entries, "picked_step": 10, "cautions": ["a caution"]}
    told = table(content | {"none_fits": True})
    assert "no candidate fits the rule, so the first is taken" in told
    assert told.splitlines()[2].startswith("*   10  0.200 ± 0.050")
    assert told.endswith("a caution")
    assert "no candidate fits" not in table(content | {"none_fits": False})


def test_an_estimate_has_its_standard_error():
    estimate = MeanWithError.of(torch.tensor([0.0, 1.0, 0.0, 1.0]))
    assert estimate.mean == 0.5
    assert estimate.error == pytest.approx((1 / 3) ** 0.5 / 2)


@pytest.fixture(scope="module")
def model(checkpoint_dir: Path) -> LatentDiffusion:
    loaded, _ = checkpoints.load(checkpoint_dir, "cpu")
    assert isinstance(loaded, LatentDiffusion)
    return loaded


def plain(colour: tuple[int, int, int], noise: int) -> Image.Image:
    g = torch.Generator().manual_seed(noise)
    spread = torch.randint(-12, 12, (16, 16, 3), generator=g)
    return Image.fromarray((torch.tensor(colour) + spread).clamp(0, 255).byte().numpy())


COLOURS = {
    "a red wall": (220, 30, 30),
    "a green field": (30, 200, 40),
    "the blue sea": (20, 40, 220),
}


def test_the_head_knows_captions_it_was_shown_and_not_swapped_ones(model):
    captions = [caption for caption in COLOURS for _ in range(12)]
    pictures = [plain(COLOURS[caption], n) for n, caption in enumerate(captions)]
    head = RetrievalHead(model, shapes_of(pictures), captions, seed=0)
    fresh = [plain(colour, 100) for colour in COLOURS.values()]
    assert head.measure(fresh, list(COLOURS)).tolist() == [1, 1, 1]
    swapped = head.measure(fresh[1:] + fresh[:1], list(COLOURS))
    assert swapped.max() < 1


def test_copies_are_told_from_new_pictures(model):
    tuning = [plain((200, 60, 60), n) for n in range(6)]
    held_out = [plain((60 + 8 * n, 200 - 8 * n, 90), n) for n in range(12)]
    copying = Copying(model, shapes_of(tuning), shapes_of(held_out))
    distance, copied = copying.measure([tuning[0], tuning[3].transpose(Image.Transpose(0))])
    assert copied.tolist() == [1, 1]
    assert distance.max() < 0.1
    distance, copied = copying.measure(held_out)
    assert copied.mean() <= 0.2
    assert distance.median() == pytest.approx(1, abs=1e-4)


def test_pictures_of_several_shapes_are_compared_as_each_alone(model, monkeypatch):
    # In double precision: how single rounds hangs on the processor, and on how many come at once.
    model = copy.deepcopy(model)
    model.autoencoder.double()
    prepare = model.prepare
    monkeypatch.setattr(model, "prepare", lambda x, part: prepare(x.double(), part))
    sizes = [(16, 16), (8, 32), (16, 16), (32, 8), (8, 32)]
    images = [plain((40 * n, 90, 200 - 40 * n), n).resize(size) for n, size in enumerate(sizes)]
    pictures = shapes_of(images)
    assert pictures.sizes == [(height, width) for width, height in sizes]
    alone = torch.cat([model.features(to_pixels([image])) for image in images])
    torch.testing.assert_close(features_of(model, pictures), alone, atol=1e-5, rtol=1e-5)
    chosen = pictures.at([4, 0])
    assert chosen.sizes == [(32, 8), (16, 16)]
    torch.testing.assert_close(features_of(model, chosen), alone[[4, 0]], atol=1e-5, rtol=1e-5)
    assert grid(images).shape == (3, 64, 128)


def test_pictures_of_every_shape_have_as_many_plain_features():
    """Those that are too small for the coarser filters, too: 8 pixels have one scale, 28 three."""
    shapes = [(8, 32), (16, 16), (28, 28), (64, 48)]
    found = [
        plain_features(torch.zeros((1, 3, *shape), dtype=torch.uint8), torch.device("cpu"))
        for shape in shapes
    ]
    assert {each.shape[1] for each in found} == {132}
    torch.testing.assert_close(found[0], found[2])  # of a plain ground there is nothing at any


def test_held_out_concepts_are_not_tuned_on(data):
    records = manifest.read_records(data)
    tuning = [r for r in records if r.style == "3d"][:3]
    held_out = HeldOutCaptions.of(records, tuning, 64)
    assert {r.concept for r in held_out.records} == {r.concept for r in records} - {
        r.concept for r in tuning
    }
    assert {r.style for r in held_out.records} == {"3d"}
    with pytest.raises(InputError, match="at least two concepts outside the tuning list"):
        HeldOutCaptions.of(records, records, 64)


def test_subsets_are_nested_and_random(data):
    records = manifest.read_records(data)
    sizes = {count: {r.file for r in subset(records, count, 1)} for count in (2, 5, 9)}
    assert sizes[2] < sizes[5] < sizes[9]
    assert {r.file for r in subset(records, 5, 2)} != sizes[5]
    assert subset(records, 0, 1) == records
    with pytest.raises(InputError, match="tuning_images 13: the list names 12 images"):
        subset(records, 13, 1)


@pytest.fixture(scope="module")
def stopped_run(
    tmp_path_factory: pytest.TempPathFactory, data: Path, checkpoint_dir: Path
) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("stopped")
    tuning_list = tiny.write_tuning_list(folder / "picked.tsv")
    config = folder / "tune.toml"
    text = tiny.QUALITY_TUNE.format(tuning_list=tuning_list)
    stopping = "candidates = 5\nimages = 4\nsampler_steps = 2"
    config.write_text(text.replace("candidates = 0", stopping))
    run = folder / "run"
    arguments = [str(config), "--data", str(data), "--out", str(run)]
    arguments += ["--parent", str(checkpoint_dir)]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), brief.fit_of_the_head():
        assert train.main(arguments) == 0
    (folder / "said").write_text(said.getvalue())
    return run, arguments


def test_a_run_says_on_how_few_captions_it_measures(stopped_run):
    run, _ = stopped_run
    said = (run.parent / "said").read_text()
    caution = "fewer than 40 held-out captions can hardly tell candidates apart"
    assert said.index(f"early stopping: {caution}") < said.index("denoiser  ")
    assert said.rindex(caution) > said.index("faithfulness    copied")
    content = json.loads((run / "candidates" / "signals.json").read_text())
    assert content["held_out_captions"] == 3
    choice = read_metadata(run / "checkpoint")["training"]["early_stopping"]
    assert caution in choice["cautions"][-1]
    assert choice["none_fits"] is content["none_fits"]


def test_every_candidate_is_kept_measured_and_drawn(stopped_run):
    run, _ = stopped_run
    content = json.loads((run / "candidates" / "signals.json").read_text())
    assert [each["step"] for each in content["entries"]] == [0, 2, 4]
    for each in content["entries"]:
        assert 0 < each["faithfulness"] <= 1
        assert 0 <= each["copied_share"] <= 1
        assert each["training_loss"] > 0
        assert each["held_out_loss"] > 0
    assert content["entries"][0]["training_loss"] != content["entries"][2]["training_loss"]
    names = {path.name for path in (run / "candidates").iterdir()}
    assert names >= {"step-000002.safetensors", "step-000004.safetensors", "signals.png"}
    with Image.open(run / "candidates" / "signals.png") as page:
        assert min(page.size) > 300


def test_the_rule_picks_and_the_checkpoint_says_so(stopped_run):
    run, _ = stopped_run
    content = json.loads((run / "candidates" / "signals.json").read_text())
    config = EarlyStoppingConfig()
    choice = read_metadata(run / "checkpoint")["training"]["early_stopping"]
    assert choice["picked_by"] == "rule"
    assert choice["picked_step"] == content["picked_step"] == pick_step(content["entries"], config)
    assert choice["signals"] in content["entries"]
    assert "latest candidate" in choice["rule"]


def test_candidates_that_were_measured_at_other_shapes_are_no_measure(
    data, checkpoint_dir, tmp_path, capsys
):
    """An earlier version measured squares of pictures that it trained in buckets."""
    folder = tmp_path / "wide"
    records = manifest.read_records(data)
    for number, record in enumerate(records):
        (folder / record.file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 8) if number % 2 else (16, 16)).save(folder / record.file)
    tiny.write_records(folder, records)
    listed = tiny.write_tuning_list(tmp_path / "picked.tsv")
    text = tiny.QUALITY_TUNE.format(tuning_list=listed).replace("steps = 4", "steps = 2")
    stopping = "candidates = 1\nimages = 4\nsampler_steps = 1"
    config = tmp_path / "tune.toml"
    config.write_text("aspect_ratios = true\n" + text.replace("candidates = 0", stopping))
    run = tmp_path / "run"
    arguments = [str(config), "--data", str(folder), "--parent", str(checkpoint_dir)]
    arguments += ["--out", str(run)]
    with brief.fit_of_the_head():
        assert train.main(arguments) == 0
    assert "height x width: 3 of 16 x 16, 3 of 8 x 32" in capsys.readouterr().err
    (run / "checkpoint" / "metadata.json").unlink()
    signals = run / "candidates" / "signals.json"
    content = json.loads(signals.read_text())
    del content["shapes"]
    signals.write_text(json.dumps(content))
    assert train.main(arguments) == 2
    refused, by_command = capsys.readouterr().err.splitlines()[-2:]
    assert "candidates were measured at other shapes than are trained" in refused
    assert by_command == "  `--fresh` begins it anew."


@pytest.mark.parametrize(
    ("said", "trained", "is_refused"),
    [
        ({}, (16, 16), False),  # an earlier version, which measured squares alone
        ({}, (8, 32), True),
        ({"shapes": {"8 x 32": 3}}, (8, 32), False),
        ({"shapes": {"8 x 32": 3}}, (16, 16), True),
    ],
)
def test_candidates_of_one_shape_are_compared_as_those_of_several(
    said, trained, is_refused, tmp_path
):
    refuse_other_shapes(tmp_path, [trained] * 3, (16, 16))
    (tmp_path / "signals.json").write_text(json.dumps(said))
    expected = pytest.raises(InputError, match="measured at other shapes than are trained")
    with expected if is_refused else contextlib.nullcontext():
        refuse_other_shapes(tmp_path, [trained] * 3, (16, 16))


def test_a_person_picks_another_candidate(stopped_run, checkpoint_dir, capsys):
    run, arguments = stopped_run
    assert train.main([*arguments, "--pick", "2"]) == 0
    folder = run / "checkpoint-step-2"
    assert capsys.readouterr().out == f"{folder}\n"
    metadata = read_metadata(folder)
    assert metadata["training"]["early_stopping"]["picked_by"] == "person"
    assert metadata["parent_sha256"] == read_metadata(checkpoint_dir)["sha256"]
    assert metadata["name"] == "tiny_tuned-step-2"
    assert train.main([*arguments, "--pick", "2"]) == 0
    assert train.main([*arguments, "--pick", "3"]) == 2
    assert "there is no candidate of step 3; kept are 2, 4" in capsys.readouterr().err


def test_picking_where_nothing_was_measured_is_refused_in_words(stopped_run, tmp_path, capsys):
    run, (config, *given) = stopped_run
    out = given.index("--out") + 1

    def refused(folder: Path, *more: str) -> str:
        there = [*given[:out], str(folder), *given[out + 1 :]]
        assert train.main([config, *there, *more, "--pick", "2"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "absent holds no run; train it first" in refused(tmp_path / "absent")
    begun = tmp_path / "begun"
    shutil.copytree(run, begun, ignore=shutil.ignore_patterns("checkpoint-step-*"))
    signals = begun / "candidates" / "signals.json"
    content = json.loads(signals.read_text())
    del content["picked_step"]
    signals.write_text(json.dumps(content | {"entries": content["entries"][:1]}))
    assert "is measured yet; let the run go on" in refused(begun)
    signals.unlink()
    assert "with early_stopping.candidates = 0 a run has its last step" in refused(begun)


def test_tables_of_the_configuration_read(tmp_path):
    path = tmp_path / "tune.toml"
    path.write_text('recipe = "quality_tune"\nname = "x"\ntuning_list = "y"\n')
    assert isinstance(read_config(path, []), QualityTuneConfig)
    with pytest.raises(InputError, match=r"early_stopping\.candidates -1"):
        read_config(path, ["early_stopping.candidates=-1"])
