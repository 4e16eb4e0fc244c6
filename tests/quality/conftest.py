"""A campaign whose prompts share no words, so that gold can be made of it."""

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.models import GoldPair
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.campaigns.services import create_campaign
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.quality.services import make_gold_pairs
from tests import factories

THINGS = (
    ("a red apple", "Food"), ("two cats", "Animals"), ("the old lighthouse", "Places"),
    ("a steam train", "Vehicles"), ("three puppies", "Animals"), ("a violin", "Music"),
    ("snowy mountains", "Places"), ("a hot air balloon", "Vehicles"),
)  # fmt: skip


def make_campaign(things=THINGS, rules=None, k=2, kinds=("visual_appeal", "text_faithfulness")):
    prompt_set = PromptSet.objects.create(
        name="things", version=1, sha256=factories.digest("things"), source="things.tsv"
    )
    Prompt.objects.bulk_create(
        Prompt(prompt_set=prompt_set, position=index, text=text, category=category)
        for index, (text, category) in enumerate(things)
    )
    campaign, _ = create_campaign(
        slug="tuned-vs-plain",
        checkpoint_a=factories.make_checkpoint("tuned", "quality_tuned"),
        checkpoint_b=factories.make_checkpoint("plain"),
        prompt_sets=[prompt_set],
        criteria=[factories.CriterionPlan(kind, k) for kind in kinds],
        rules=parse_rules(rules) if rules else Rules(),
        settings=factories.SETTINGS,
        seed=7,
    )
    factories.make_samples(campaign)
    return campaign


@pytest.fixture
def things(db):
    """A draft on eight prompts without a word in common, under both criteria."""
    return make_campaign()


@pytest.fixture
def checked(db, steady_turns):
    """Opens a campaign with gold pairs under the quality rules given."""

    def opened(checks=8, **quality):
        campaign = make_campaign(rules={"quality": quality})
        make_gold_pairs(campaign=campaign, counts={GoldPair.Purpose.CHECK: checks})
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
