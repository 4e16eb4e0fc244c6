"""The safety filter through a real broker, a real worker process and the real detector."""

import pytest
from django.core.management import call_command

from evalplatform.campaigns.models import Campaign
from evalplatform.generation.models import Sample
from evalplatform.safety.models import SafetyCheck, SafetyRequest
from tests import factories, live

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def registered(two_checkpoints):
    factories.make_prompt_set("things", 4)


def run_eval(name, safety):
    call_command(
        "run_eval", "one", "two", "--prompts=things", "--steps=2", "--guidance=2",
        f"--name={name}", f"--safety={safety}", "--allow-cut=1",
    )  # fmt: skip


def test_worker_checks_every_sample_before_the_campaign_opens(registered, capsys):
    with live.worker():
        run_eval("loose", 0.999)
    assert Campaign.objects.get(slug="loose").items.main().count() == 8
    assert "safety filter nudenet 3.4.2/1 at 0.999: 0 of 4" in capsys.readouterr().out
    scores = dict(SafetyCheck.objects.values_list("image_sha256", "score"))
    assert scores.keys() == set(Sample.objects.values_list("image_sha256", flat=True))
    assert not SafetyRequest.objects.exists()
    # No picture of ours is unsafe, so the surest of the noise is taken for it. No worker runs now:
    # with another threshold nothing has to be checked again.
    run_eval("strict", max(scores.values()))
    strict = Campaign.objects.get(slug="strict")
    assert [row.score for row in strict.withheld.all()] == [max(scores.values())]
    assert strict.items.main().count() == 6
    assert "1 of 4 prompts filtered" in capsys.readouterr().out
