"""What a draft would come to: the numbers are those of the campaign it makes."""

import pytest
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, planned_sets
from evalplatform.generation.models import GenerationBatch, SamplerSettings
from evalplatform.reports import pay
from evalplatform.runs.choices import parse_choices
from evalplatform.runs.dry_run import dry_run
from evalplatform.runs.run_plans import plan_of
from evalplatform.runs.services import start_run
from tests import factories

pytestmark = pytest.mark.django_db
CHOSEN = {
    "name": "run", "arms": ["one", "two"], "preset": "default",
    "prompts": {"sets": ["things"]}, "sampler": {"steps": 4, "guidance_scale": 2.0},
}  # fmt: skip


@pytest.fixture
def makers():
    factories.make_prompt_set("things", 20)
    return [factories.make_checkpoint(name) for name in ("one", "two", "three")]


def estimate(**changed):
    choices = parse_choices(CHOSEN | changed)
    return dry_run(choices=choices, project=default_project(), now=timezone.now())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"arms": ["one", "two", "three"], "design": "random=2", "images_per_prompt": 2},
        {"arms": ["one", "two", "three"], "design": "together",
         "preset": None,
         "criteria": [{"slug": "visual_appeal", "form": "ranking", "k": 2},
                      {"slug": "text_faithfulness", "form": "rating", "k": 4}]},
        {"prompts": {"sets": ["things"], "filter": {"category": ["animals"]}, "limit": 7}},
    ],
    ids=["duel", "random", "together", "filtered"],
)  # fmt: skip
def test_counts_are_those_of_the_campaign_that_is_launched(makers, changed):
    found = estimate(**changed)
    assert found.errors == ()
    assert not Campaign.objects.exists()
    campaign, _ = start_run(
        project=default_project(), plan=plan_of(parse_choices(CHOSEN | changed))
    )
    prompts = planned_prompts(campaign)
    sets = planned_sets(campaign, prompts)
    items = {
        each.slug: sum(each.shape.takes(len(planned.places)) for planned in sets)
        for each in campaign.criteria.all()
    }
    assert {each.slug: each.items for each in found.criteria} == items
    assert (found.prompts.taken, found.comparisons) == (len(prompts), len(sets))
    assert found.votes == sum(each.k * items[each.slug] for each in campaign.criteria.all())
    wanted = len(prompts) * campaign.images_per_prompt
    assert [(each.wanted, each.missing) for each in found.samples] == [
        (wanted, wanted) for _ in campaign.contenders
    ]


def test_hours_and_cost_follow_from_answers_with_checks():
    factories.make_prompt_set("things", 20)
    for name in ("one", "two"):
        factories.make_checkpoint(name)
    found = estimate(
        rules={"quality": {"repeat_rate": 0.1, "qualification_pairs": 2, "qualification_pass": 1},
               "pay": {"wage_per_hour": 36, "fee_percent": 50}},
        votes_per_annotator=20,
    )  # fmt: skip
    assert (found.votes, found.annotators, found.answers) == (200, 10, 240)
    assert found.hours == pytest.approx(240 * 10 / 3600)
    assert (found.unit, found.pay, found.fee) == pytest.approx((0.1, 24.0, 12.0))
    assert found.cost == pytest.approx(36.0)
    assert found.as_dict()["cost"] == found.cost


def test_seconds_are_the_sites_own_where_it_has_enough_votes(makers, monkeypatch):
    monkeypatch.setattr(pay, "FEWEST_FOR_MEDIAN", 1)
    campaign = factories.make_draft(prompts=1, k=1, criteria=["visual_appeal"])
    from evalplatform.accounts.models import Annotator
    from evalplatform.annotation.services import enrol, open_campaign

    open_campaign(campaign=campaign)
    person = enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym="ana"))
    factories.vote(person, factories.lease(person), response_time_ms=4200)
    found = estimate()
    assert [(each.seconds, each.is_measured) for each in found.criteria] == [(4.2, True)] * 2


def test_images_that_are_there_are_not_made_again_and_time_is_reckoned_from_what_was(makers):
    settings, _ = SamplerSettings.objects.get_or_create(**factories.SETTINGS)
    GenerationBatch.objects.create(
        request=factories.make_request(), checkpoint=makers[0],
        settings=SamplerSettings.objects.create(**factories.SETTINGS | {"steps": 8}),
        images_made=10, seconds=160, status="done",
    )  # fmt: skip
    found = estimate()
    # 2 s a step of eight: 4 steps take 8 s, of the other checkpoint too, which is of the family.
    assert found.gpu_seconds == pytest.approx(40 * 8)
    campaign, _ = start_run(project=default_project(), plan=plan_of(parse_choices(CHOSEN)))
    factories.make_samples(campaign)
    assert estimate(name="other").missing == 0
    assert settings.steps == 4


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arms": []}, "no arm is chosen"),
        ({"arms": ["one", "nobody"]}, "no checkpoint or image collection 'nobody'"),
        ({"arms": ["one", "one"]}, "cannot be compared with itself"),
        ({"arms": ["one", "retired"]}, "was retired on"),
        ({"prompts": {}}, "no prompt set is chosen"),
        ({"prompts": {"sets": ["none"]}}, "no prompt set 'none'"),
        ({"prompts": {"sets": ["things"], "filter": {"tag": ["funny"]}}}, "there are stylized"),
        ({"prompts": {"sets": ["things"], "filter": {"tag": ["stylized"],
                                                     "category": ["Vehicles"]}}},
         "without tag=stylized 10 would be left"),
        ({"preset": None, "criteria": []}, "nothing is asked of annotators"),
        ({"arms": ["one", "two", "three"], "design": "random=1",
          "prompts": {"sets": ["things"], "limit": 1}}, "never meet"),
        ({"design": "against=three"}, "that is none of the arms"),
        ({"design": "together"}, "it takes 3 to 8"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_keeps_it_from_being_launched_is_said(makers, changed, said):
    factories.make_checkpoint("retired", status="retired", retired_at=timezone.now())
    assert said in " ".join(estimate(**changed).errors)


def test_warnings_name_what_a_person_should_know(makers):
    own = {"slug": "mood", "question": "Which is calmer?", "shows_prompt": True}
    rules = {"quality": {"gold_rate": 0.1}, "pay": {"per_vote": 1}}
    said = " ".join(estimate(preset=None, criteria=[own], rules=rules).warnings)
    assert "none can be made for any criterion" in said
    assert "the door is open" in said
    assert "no checks are mixed in" in " ".join(estimate().warnings)


def test_two_arms_are_told_the_lead_they_can_find_and_a_gallery_its_intervals(makers):
    duel, gallery = estimate(), estimate(arms=["one", "two", "three"])
    assert 0 < duel.power[0].effect < 1
    assert "points of net preference" in duel.power[0].sentence
    assert gallery.power[0].half_width > 0
    assert "log units" in gallery.power[0].sentence
    more = estimate(prompts={"sets": ["things"], "limit": 5})
    assert (more.power[0].effect or 9) > duel.power[0].effect


def test_several_images_a_prompt_need_no_more_people_than_votes_on_a_set(makers):
    one, several = estimate(), estimate(images_per_prompt=4)
    assert several.annotators < 20  # who judges the first set of a prompt may judge the others
    assert several.power[0].effect < one.power[0].effect
