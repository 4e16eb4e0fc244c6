"""The whole loop from the site, with tiny models: the trainer, the workers and the votes are real.

Nothing is replaced but how the trainer's processes begin (`warm_backend`): with torch loaded.
"""

import json
from contextlib import nullcontext

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.campaigns.services import close_campaign
from evalplatform.checkpoints.management.commands import train as trainer
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import backend, register_checkpoint
from evalplatform.feedback.management.commands import feedback as feedback_command
from evalplatform.feedback.models import FeedbackRound, RegisteredReward
from evalplatform.generation.models import Sample
from evalplatform.images.services import import_collection
from evalplatform.promptsets.models import PromptSet
from tests import factories, live, warm
from tests.feedback import warm_backend
from tests.models_backend import tiny

pytestmark = pytest.mark.django_db(transaction=True)

PROMPTS = 44
QUICK = [
    "training.batch_size=4", "training.save_every=2", "training.learning_rate=1e-3",
    "guard.candidates=1", "guard.prompts=2", "guard.sampler_steps=1",
]  # fmt: skip
RULES = '[annotation]\nsame_pair = "unrestricted"\n[quality]\nmin_response_ms = 0\n'


class Backend:
    """Starts the backend's programs, and counts them; `dies` names one that is killed at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.dies = ""

    def Popen(self, command, **asked):  # noqa: N802, the name that is replaced
        process = warm_backend.Piped(command, **asked)
        self.asked.append(command[3])
        if command[3] == self.dies:
            process.kill()
        return process

    def run(self, command, **asked):
        self.asked.append("train")
        return warm_backend.run(command, **asked)

    PIPE = warm_backend.STAND_IN.PIPE


@pytest.fixture
def programs(monkeypatch):
    made = Backend()
    monkeypatch.setattr(backend, "subprocess", made)
    monkeypatch.setattr(trainer, "subprocess", made)
    monkeypatch.setattr(feedback_command, "standing_by", nullcontext)  # they begin warm here
    return made


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two checkpoints of two steps each."""
    folder = tmp_path_factory.mktemp("trained")
    data = tiny.write_dataset(folder / "data")
    config = folder / "tiny.toml"
    config.write_text(tiny.PRETRAIN.replace("steps = 12", "steps = 2"))
    processes = [
        warm.start("models_backend.train", config, "--data", data, "--out", folder / name,
                   "--set", f'name="{name}"', "--set", f"seed={seed}")
        for seed, name in enumerate(("one", "two"))
    ]  # fmt: skip
    assert [process.wait() for process in processes] == [0, 0]
    return [folder / name / "checkpoint" for name in ("one", "two")]


@pytest.fixture
def gallery(trained, settings, tmp_path):
    """Two checkpoints and a collection, of which the third is the most colourful."""
    settings.FEEDBACK_DIR = tmp_path / "feedback"
    for source in trained:
        register_checkpoint(project=default_project(), source=source)
    ranked = factories.make_prompt_set("ranked", PROMPTS)
    factories.make_prompt_set("held-out", 3)
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PROMPTS):
        pixels = np.full((16, 16, 3), rng.integers(90, 160, 3))
        pixels[4:12, 4:12] = rng.integers(0, 255, 3)
        Image.fromarray(pixels.astype(np.uint8)).save(drawn / f"{number}.png")
    import_collection(
        project=default_project(), path=drawn, name="drawn", model="by hand", prompt_set=ranked,
        processes=1,
    )  # fmt: skip
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def feedback(verb, **options):
    call_command("feedback", verb, "stickers", **options)


def start(folder):
    call_command(
        "feedback", "start", "stickers", "--gallery=one", "--gallery=two", "--gallery=drawn",
        "--tune=one", "--prompts=ranked", "--proof-prompts=held-out", "--aspect=visual_appeal",
        "--k=2", "--steps=2", "--guidance=1", "--verify=0.1", "--floor=0",
        f"--rules={folder / 'rules.toml'}",
    )  # fmt: skip


def vote(campaign, site):
    call_command("simulate_annotators", campaign.slug, annotators=2, known=True, site=site)
    assert not Annotator.objects.exclude(pseudonym__startswith="sim-known-0-").exists()
    close_campaign(campaign=campaign)


def samples_of(child):
    rows = Sample.objects.filter(checkpoint=child).order_by("pk")
    return rows.values_list("pk", "image", "generated_at")


def last() -> FeedbackRound:
    return FeedbackRound.objects.order_by("number").last()


def test_loop_runs_from_ranking_to_proof(gallery, programs, capsys):
    with live.site() as site, live.worker():
        start(gallery)
        for verb, said in (
            ("export", "people still rank"), ("train", "no preference set yet"),
            ("tune", "no rewards yet"), ("expand", "no child to put in"),
            ("prove", "no child to prove"),
        ):  # fmt: skip
            with pytest.raises(CommandError, match=said):
                feedback(verb)
        assert programs.asked == [], "what cannot be done yet starts nothing"

        vote(last().rankings, site)
        feedback("export")
        feedback("train")
        feedback("tune", steps=2, set=QUICK)
        child = last().child
        assert (child.parent.name, child.role) == ("one", Checkpoint.Role.PREFERENCE_TUNED)
        told = json.loads((child.directory / "metadata.json").read_text())["training"]
        judge = RegisteredReward.objects.get(purpose=RegisteredReward.Purpose.JUDGE)
        assert told["judge_sha256"] == judge.sha256
        assert told["simulated"]
        optimised = RegisteredReward.objects.get(purpose=RegisteredReward.Purpose.OPTIMISED)
        assert optimised.accuracy, "it is measured on prompts it has not learned from"
        assert optimised.ceiling, "beside one person"

        # Killed between sampling and insertion, it goes on with the samples that are there.
        programs.dies = "insert"
        with pytest.raises(CommandError, match="status -9"):
            feedback("expand")
        assert last().insertion == {}
        sampled = list(samples_of(child))
        assert len(sampled) == PROMPTS
        programs.dies = ""
        feedback("expand")
        assert last().insertion["images"] == PROMPTS
        assert list(samples_of(child)) == sampled, "people verify the images that were placed"

        # The same round twice: all is found done.
        asked = list(programs.asked)
        start(gallery)
        for verb in ("export", "train", "tune", "expand"):
            feedback(verb)
        assert programs.asked == asked
        assert last().child == child
        assert RegisteredReward.objects.count() == 2

        vote(last().verification, site)
        feedback("expand")
        second = last()
        assert (second.number, second.parent) == (2, child)
        assert second.preferences["sources"]["inserted"] == 3 * PROMPTS
        feedback("prove", round=1)
        proof = FeedbackRound.objects.get(number=1).proof
        assert proof.prompt_sets.get() == PromptSet.objects.get(name="held-out")
        vote(proof, site)
        capsys.readouterr()
        feedback("status", round=1)
    said = capsys.readouterr().out
    assert [line.split()[1] for line in said.splitlines()[1:]] == ["done"] * 7
