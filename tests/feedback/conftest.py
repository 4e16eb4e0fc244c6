"""A loop of three models over few prompts, and a reward that was never trained."""

import json
import shutil
from pathlib import Path

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import open_campaign
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound, RegisteredReward
from evalplatform.feedback.services import LoopWish, start_loop
from tests import factories

ASPECT = "visual_appeal"

SAMPLER = {
    "sampler": "ddim", "steps": 2, "guidance_scale": 1.0, "negative_prompt": "",
    "height": None, "width": None,
}  # fmt: skip


def make_wish(**changes) -> LoopWish:
    """Return what the tests' loop is asked."""
    wish = {
        "name": "stickers", "gallery": ["one", "two", "three"], "tuned": "one",
        "prompts": "ranked", "proof_prompts": "held-out",
        "aspects": ["visual_appeal", "text_faithfulness"], "sampler": SAMPLER, "k": 2,
    }  # fmt: skip
    return LoopWish(**wish | changes)


@pytest.fixture
def material(db):
    """Three checkpoints and two prompt sets."""
    for name in ("one", "two", "three"):
        factories.make_checkpoint(name)
    factories.make_prompt_set("ranked", 6)
    factories.make_prompt_set("held-out", 4)


@pytest.fixture
def loop(material) -> FeedbackLoop:
    made, _ = start_loop(project=default_project(), wish=make_wish())
    return made


def rank(loop) -> FeedbackRound:
    """Let two people rank in the first round: the arm of place 0 is best, the others tie."""
    campaign = loop.rounds.get().rankings
    factories.make_samples(campaign)
    open_campaign(campaign=campaign)
    campaign.refresh_from_db()
    people = [Annotator.objects.create(pseudonym=f"person-{each}") for each in range(2)]

    def choose(assignment) -> str:
        best = assignment.order.index(0)
        others = [str(each) for each in range(3) if each != best]
        return f"{best}>{'='.join(others)}"

    assert factories.judge_everything(campaign, people, choose) == 2 * 2 * 6
    return loop.rounds.get()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A reward of fixed features and a head that was never trained."""
    from .tiny_reward import save_reward  # torch is loaded only where a reward is needed

    path = tmp_path_factory.mktemp("reward")
    save_reward(path, ASPECT)
    return path


@pytest.fixture
def reward(db, folder) -> RegisteredReward:
    told = json.loads((folder / "reward.json").read_text())
    made = RegisteredReward.objects.create(
        project=default_project(), name="tiny", sha256=told["weights_sha256"], aspects=[ASPECT],
        purpose="judge", preferences_sha256="a" * 64, metadata=told,
    )  # fmt: skip
    if not made.directory.is_dir():
        shutil.copytree(folder, made.directory)
    return made
