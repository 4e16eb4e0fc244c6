"""A ranking becomes a preference set: every pair of every order, once, and only when it is over."""

import pytest
from django.core.management import call_command

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.services import export_preferences
from tests import factories


@pytest.fixture
def ranked(loop, settings, tmp_path):
    """The first round, ranked by two people: the arm of place 0 is best, the others tie."""
    settings.FEEDBACK_DIR = tmp_path
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


def test_rankings_become_pairs(ranked, capsys):
    with pytest.raises(BadInputError, match="people still rank"):
        export_preferences(round=ranked)
    close_campaign(campaign=ranked.rankings)
    call_command("feedback", "export", "stickers")
    assert "72 pairs of 18 images and 6 prompts by 2 annotators, 24 ties" in capsys.readouterr().out
    ranked.refresh_from_db()
    assert ranked.preferences["aspects"] == ["text_faithfulness", "visual_appeal"]
    assert not ranked.preferences["simulated"]
    assert not (ranked.folder / "votes").exists()
    assert export_preferences(round=ranked).preferences_sha256 == ranked.preferences_sha256
