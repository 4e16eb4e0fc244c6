"""A reward's scores through a real broker and a real worker process."""

import pytest
from django.core.management import call_command

from evalplatform.annotation.services import open_campaign
from evalplatform.feedback.models import RewardScore, ScoreRequest
from tests import factories, live

from .conftest import ASPECT

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


def test_a_worker_scores_every_image(reward, capsys):
    campaign = factories.make_draft(prompts=20, k=1, criteria=[ASPECT])
    open_campaign(campaign=campaign)
    with live.worker():
        call_command("score_samples", campaign.slug, "--reward", "tiny")
    assert "40 of 40 images scored" in capsys.readouterr().out
    assert RewardScore.objects.count() == 40
    assert not ScoreRequest.objects.exists()
