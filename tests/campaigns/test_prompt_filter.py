"""Which prompts a campaign takes: the filter, what it says when nothing is left, what is frozen."""

from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import PRESETS
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.prompt_filter import PromptFilter, filter_prompts, parse_where
from evalplatform.campaigns.selectors import planned_prompts
from evalplatform.core.errors import BadInputError
from evalplatform.runs.services import RunPlan, start_run
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def things():
    """Twelve prompts: those at odd places are Animals and stylized, the others Vehicles."""
    return factories.make_prompt_set("things", 12)


def positions(prompts):
    return [prompt.position for prompt in prompts]


def test_one_value_of_a_field_is_enough_and_every_field_counts(things):
    either = filter_prompts([things], parse_where(["category=animals", "category=Vehicles"]), 0)
    both = filter_prompts([things], parse_where(["tag=stylized", "text=NUMBER 1"]), 0)
    assert (len(either.prompts), positions(both.prompts)) == (12, [1, 11])
    assert [(step.words, step.kept, step.without) for step in both.steps] == [
        ("tag=stylized", 6, 3),
        ("text=NUMBER 1", 2, 6),
    ]


def test_thirds_of_one_seed_share_no_prompt_whatever_else_is_asked(things):
    thirds = [
        positions(filter_prompts([things], PromptFilter(third=n, third_seed=7), 0).prompts)
        for n in (1, 2, 3)
    ]
    assert [len(third) for third in thirds] == [4, 4, 4]
    assert sorted(thirds[0] + thirds[1] + thirds[2]) == list(range(12))
    other = filter_prompts([things], PromptFilter(third=1, third_seed=8), 0).prompts
    assert positions(other) != thirds[0]
    animals = filter_prompts([things], PromptFilter(third=1, category=("Animals",)), 7).prompts
    assert positions(animals) == [place for place in thirds[0] if place % 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["colour=red"], "accepted are category=NAME"),
        (["tag="], "accepted are category=NAME"),
        (["category=Robots"], r"there are (Animals|Vehicles) \(6\)"),
        (["challenge=Basic", "tag=funny"], r"there are stylized \(6\)"),
    ],
)
def test_what_no_prompt_has_is_refused_and_what_there_is_named(things, given, said):
    with pytest.raises(BadInputError, match=said):
        filter_prompts([things], parse_where(given), 0)


def test_filter_that_leaves_no_prompt_names_what_each_condition_costs(things):
    for name in ("one", "two"):
        factories.make_checkpoint(name)
    with pytest.raises(CommandError) as refused:
        call_command(
            "run_eval", "one", "two", "--prompts=things", "--where=category=Vehicles",
            "--where=tag=stylized",
        )  # fmt: skip
    assert str(refused.value) == (
        "the filter category=Vehicles, tag=stylized leaves none of 12 prompts: without "
        "category=Vehicles 6 would be left; without tag=stylized 6 would be left."
    )
    assert not Campaign.objects.exists()


def test_filter_is_frozen_with_the_keys_of_its_prompts_and_tags_edited_later_change_nothing():
    campaign = factories.make_draft(
        prompts=12, prompt_filter=PromptFilter(tag=("stylized",), third=2), prompts_per_set=1
    )
    before = positions(planned_prompts(campaign))
    with factories.thawed():  # the database keeps them as they are; a frozen choice need not
        campaign.prompt_sets.get().prompts.update(tags=[])
    assert positions(planned_prompts(campaign)) == before
    assert len(before) == 1
    open_campaign(campaign=campaign)
    frozen = campaign.protocol
    assert frozen["prompt_filter"] == {"tag": ["stylized"], "third": 2, "third_seed": 7}
    assert frozen["prompts"]["count"] == 1
    assert len(frozen["prompts"]["sha256"]) == 64
    assert campaign.image_sets.main().count() == 1


def test_hash_of_the_prompts_tells_other_prompts_of_the_same_number(things):
    hashes = set()
    for number in (1, 2):
        campaign = factories.make_draft(
            prompts=6, slug=f"third-{number}", prompt_filter=PromptFilter(third=number)
        )
        open_campaign(campaign=campaign)
        hashes.add(campaign.protocol["prompts"]["sha256"])
    assert len(hashes) == 2


def test_the_same_filter_resumes_and_another_is_another_protocol(things):
    makers = [factories.make_checkpoint(name) for name in ("one", "two")]
    asked = {
        "name": "run", "arms": [each.name for each in makers], "prompt_sets": ["things"],
        "criteria": PRESETS["default"], "settings": factories.SETTINGS,
    }  # fmt: skip
    first = RunPlan(**asked, prompt_filter=PromptFilter(third=1))
    campaign, is_new = start_run(project=default_project(), plan=first)
    assert is_new
    assert start_run(project=default_project(), plan=first) == (campaign, False)
    with pytest.raises(BadInputError, match=r"different protocol \(prompt_filter\)"):
        start_run(
            project=default_project(), plan=replace(first, prompt_filter=PromptFilter(third=2))
        )


def test_the_database_refuses_a_filter_that_was_not_applied():
    campaign = factories.make_draft(sampled=False)
    with pytest.raises(IntegrityError, match="campaign_filter_was_applied"), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(prompt_filter={"third": 1})
