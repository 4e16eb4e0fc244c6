"""A loop of three models over few prompts."""

import pytest

from evalplatform.accounts.projects import default_project
from evalplatform.feedback.models import FeedbackLoop
from evalplatform.feedback.services import LoopWish, start_loop
from tests import factories

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
