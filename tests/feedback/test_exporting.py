"""A ranking becomes a preference set: every pair of every order, once, and only when it is over."""

import pytest
from django.core.management import call_command

from evalplatform.campaigns.services import close_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.services import export_preferences
from tests.feedback.conftest import rank


@pytest.fixture
def ranked(loop, settings, tmp_path):
    settings.FEEDBACK_DIR = tmp_path
    return rank(loop)


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
