"""Small campaigns with all that an export has to tell of: ties, exclusions, checks, odd names."""

import numpy as np
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import exclude, open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.exports.building import build
from evalplatform.exports.options import checked_options
from tests import factories
from tests.reports.test_galleries import liking


def duel(*, slug="tuned-vs-plain", prompts=6, k=3, people=5, simulated=(), **options) -> Campaign:
    """Two arms, two criteria; the last annotator is excluded."""
    campaign = factories.make_draft(prompts=prompts, k=k, slug=slug, **options)
    open_campaign(campaign=campaign)
    annotators = [
        Annotator.objects.create(pseudonym=f"{slug}-{at}", is_simulated=at in simulated)
        for at in range(people)
    ]
    choose = liking(np.random.default_rng(3), (0.6, 0.0, -0.4))
    factories.judge_everything(campaign, annotators, choose)
    exclude(enrolment=campaign.enrolments.get(annotator=annotators[-1]), rule="manual",
            detail="for a test", now=timezone.now())  # fmt: skip
    return Campaign.objects.get(pk=campaign.pk)


def exported(campaign, folder, kind, **asked):
    """Export a campaign into a folder."""
    return build(campaign, checked_options(campaign, {"kind": kind} | asked), folder)
