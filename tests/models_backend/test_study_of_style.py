"""Style Tailoring against its baselines: the measures, the verdict, the whole in small."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from models_backend.checkpoints import read_metadata
from models_backend.data.manifest import read_records
from models_backend.studies.style import __main__ as study
from models_backend.studies.style import report
from tests.models_backend import tiny


class KnowsThings:
    """A judge that sees the mean colour."""

    def embed(self, x):
        colours = x.mean(dim=(2, 3))
        return colours / colours.norm(dim=1, keepdim=True)

    def probability(self, x, style):
        return (x[:, 0].mean(dim=(1, 2)) > 0).float()


def plain(*colours):
    rows = [
        torch.tensor(colour, dtype=torch.uint8).view(3, 1, 1).expand(3, 16, 16)
        for colour in colours
    ]
    return torch.stack(rows).clone()


RED, GREEN = (250, 5, 5), (5, 250, 5)


def test_measures_tell_the_right_thing_its_style_and_sameness():
    same = plain(RED, RED, GREEN, RED)  # two of each caption: red, green
    found = report.measure(same, KnowsThings(), plain(RED, GREEN), "any")
    assert found["top1"].tolist() == [1, 1, 1, 0]
    assert found["style"].tolist() == [1, 1, 0, 1]
    # Plain colours have no edges, so Gabor filters tell them apart by nothing.
    assert found["diversity"].tolist() == pytest.approx([0, 0], abs=1e-5)
    striped = same.clone()
    striped[1, :, ::2] = 255
    assert report.measure(striped, KnowsThings(), plain(RED, GREEN), "any")["diversity"][0] > 0.02


def test_style_distance_is_least_for_drawings_of_the_style():
    rng = np.random.default_rng(0)
    smooth, rough = rng.normal(0, 1, (60, 4)), rng.normal(2, 1, (60, 4))
    flat = {"style": np.ones(60), "top1": np.ones(60), "diversity": np.ones(20)}
    found = report.summarise(
        {"near": flat | {"energies": smooth}, "far": flat | {"energies": rough}},
        rng.normal(0, 1, (80, 4)), [f"caption {i}" for i in range(20)], 1,
    )  # fmt: skip
    assert found["near"]["style_distance"] < 0.3 * found["far"]["style_distance"]
    assert found["near"]["top1"] == {"mean": 1, "low": 1, "high": 1}


def models(**places):
    return {
        name.replace("_", " "): {
            "style": {"mean": style}, "top1": {"mean": faithful}
        }
        for name, (style, faithful) in places.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("places", "front", "words"),
    [
        (
            {"parent": (0.1, 0.8), "style_alone": (0.6, 0.3), "tailored_at_0.8": (0.7, 0.6)},
            ["parent", "tailored at 0.8"],
            "Beaten in both by one of these: style alone",
        ),
        (
            {"parent": (0.1, 0.8), "style_alone": (0.7, 0.3), "tailored_at_0.8": (0.6, 0.6)},
            ["parent", "style alone", "tailored at 0.8"],
            "None of them beats a baseline",
        ),
        (
            {"parent": (0.3, 0.8), "style_alone": (0.6, 0.7), "tailored_at_0.8": (0.2, 0.6)},
            ["parent", "style alone"],
            "does not appear here",
        ),
    ],
)
def test_conclusion_says_what_happened_also_against_the_paper(places, front, words):
    found = models(**places)
    assert report.front(found) == front
    assert words in report.conclusion(found)


# -- the program ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, data, checkpoint_dir):
    folder = tmp_path_factory.mktemp("style")
    listed = tiny.write_tuning_list(folder / "picked.tsv", things=6)
    return [
        "--data", data, "--parent", checkpoint_dir, "--out", folder / "out",
        "--tuning-list", listed, "--style-images", 2, "--steps", 2, "--batch-size", 4,
        "--splits", 0.5, 0.8, "--judge-steps", 4, "--samples", 2, "--sampler-steps", 1,
    ]  # fmt: skip


def run(*given):
    return study.main([str(each) for each in given])


def test_study_ends_with_checkpoints_that_a_gallery_can_take(arguments, capsys, checkpoint_dir):
    assert run(*arguments) == 0
    out = arguments[arguments.index("--out") + 1]
    *_, first, alone, then, half, most = capsys.readouterr().out.splitlines()
    assert first == str(checkpoint_dir)
    parent = read_metadata(checkpoint_dir)["sha256"]
    told = {path: read_metadata(out / "runs" / path / "checkpoint") for path in (
        "style-alone", "content-first", "then-style", "tailored-500", "tailored-800",
    )}  # fmt: skip
    assert [alone, then, half, most] == [
        str(out / "runs" / name / "checkpoint")
        for name in ("style-alone", "then-style", "tailored-500", "tailored-800")
    ]
    assert told["then-style"]["parent_sha256"] == told["content-first"]["sha256"]
    assert {told[name]["parent_sha256"] for name in told if name != "then-style"} == {parent}
    steps = {name: each["training"]["steps"]["denoiser"] for name, each in told.items()}
    assert steps == {
        "style-alone": 2, "content-first": 1, "then-style": 1, "tailored-500": 2, "tailored-800": 2,
    }  # fmt: skip
    results = json.loads((out / "results.json").read_text())
    assert set(results["models"]) == {
        "parent", "style alone", "content, then style", "tailored at 0.5", "tailored at 0.8",
    }  # fmt: skip
    for name in ("samples.png", "trade-off.png"):
        with Image.open(out / name) as image:
            assert image.width > 500
    # Neither what is held out nor the style set is content.
    content, style = (
        {tuple(row.split("\t")) for row in (out / name).read_text().splitlines()}
        for name in ("content.tsv", "style.tsv")
    )
    kept = {(r.style, r.concept) for r in read_records(out / "data")}
    assert content < kept
    assert not content & style


def test_finished_study_trains_and_samples_nothing_again(arguments, monkeypatch, capsys):
    assert run(*arguments) == 0
    from models_backend.studies import samples

    monkeypatch.setattr(samples, "generate", None)
    assert run(*arguments) == 0
    assert capsys.readouterr().err.count("is finished") >= 5


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--style-images", 99, "99: the tuning list has"),
        ("--samples", 1, "2 to 100 samples"),
        ("--splits", 1.0, "no noise level to the content set"),
    ],
)
def test_what_makes_no_study_is_refused(arguments, tmp_path, capsys, option, value, said):
    assert run(*arguments, "--out", tmp_path / "out", option, value) == 2
    assert said in capsys.readouterr().err
