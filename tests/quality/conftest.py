"""A campaign whose prompts share no words, so that gold can be made of it."""

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.models import ImageSet
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.services import create_campaign
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.quality.services import make_gold
from tests import factories

THINGS = (
    ("a red apple", "Food"), ("two cats", "Animals"), ("the old lighthouse", "Places"),
    ("a steam train", "Vehicles"), ("three puppies", "Animals"), ("a violin", "Music"),
    ("snowy mountains", "Places"), ("a hot air balloon", "Vehicles"),
)  # fmt: skip


ARMS = ("tuned", "plain", "other", "another", "last")


def make_campaign(
    things=THINGS, rules=None, k=2, arms=2, form="pair", *,
    criteria=("visual_appeal", "text_faithfulness"), **options,
):  # fmt: skip
    """Return a draft with all samples; `criteria`: slugs, asked in `form`, or plans."""
    prompt_set = PromptSet.objects.create(
        project=default_project(),
        name="things",
        version=1,
        sha256=factories.digest("things"),
        source="things.tsv",
    )
    Prompt.objects.bulk_create(
        Prompt(prompt_set=prompt_set, position=index, text=text, category=category)
        for index, (text, category) in enumerate(things)
    )
    campaign, _ = create_campaign(
        project=default_project(),
        slug="tuned-vs-plain",
        arms=[factories.make_checkpoint(name) for name in ARMS[:arms]],
        prompt_sets=[prompt_set],
        criteria=[
            factories.plan_criterion(each, k, form) if isinstance(each, str) else each
            for each in criteria
        ],
        rules=parse_rules({"annotation": {"start": "first"}} | (rules or {})),
        settings=factories.SETTINGS,
        seed=7,
        **options,
    )
    factories.make_samples(campaign)
    return campaign


@pytest.fixture
def things(db):
    """A draft on eight prompts without a word in common, under both criteria."""
    return make_campaign()


@pytest.fixture
def checked(db, steady_turns):
    """Opens a campaign with gold under the quality rules given."""

    def opened(checks=8, **quality):
        campaign = make_campaign(rules={"quality": quality})
        make_gold(campaign=campaign, counts={ImageSet.Purpose.CHECK: checks})
        open_campaign(campaign=campaign)
        return campaign

    return opened


@pytest.fixture
def enrolled(db):
    """Enrols annotators by pseudonym."""

    def enrol_all(campaign, *names):
        people = [Annotator.objects.get_or_create(pseudonym=name)[0] for name in names]
        return [enrol(campaign=campaign, annotator=each) for each in people]

    return enrol_all
