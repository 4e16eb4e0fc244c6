"""Campaigns: what they refuse, what they freeze, what they repeat."""

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import PRESETS, plan_criterion
from evalplatform.campaigns.models import Arm, Campaign, Criterion
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.selectors import planned_prompts, sample_seed
from evalplatform.campaigns.services import close_campaign, create_campaign
from evalplatform.core.errors import BadInputError
from tests import factories
from tests.running import AS_USUAL, run_eval
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked():
    """What a researcher asks for."""
    return {
        "slug": "a-vs-b",
        "arms": [factories.make_checkpoint("a"), factories.make_checkpoint("b")],
        "prompt_sets": [factories.make_prompt_set("things", 10)],
        "criteria": [plan_criterion("visual_appeal")],
        "settings": factories.SETTINGS,
        "seed": 1,
    }


def test_creating_again_resumes(asked):
    first, created = create_campaign(project=default_project(), **asked)
    again, created_again = create_campaign(project=default_project(), **asked)
    assert (created, created_again) == (True, False)
    assert again == first


@pytest.mark.parametrize(
    "change",
    [{"criteria": [plan_criterion("visual_appeal", 3)]}, {"seed": 2}, {"prompts_per_set": 3},
     {"criteria": [plan_criterion("text_faithfulness")]},
     {"criteria": [plan_criterion("visual_appeal", 5, "pair_both_neither")]},
     {"design": "random=1"}, {"images_per_prompt": 2},
     {"rules": parse_rules({"annotation": {"session_cap": 9}})},
     {"settings": factories.SETTINGS | {"steps": 5}}],
)  # fmt: skip
def test_same_name_with_another_protocol_is_refused(asked, change):
    create_campaign(project=default_project(), **asked)
    with pytest.raises(BadInputError, match="exists with a different protocol"):
        create_campaign(project=default_project(), **asked | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criteria": []}, "no criterion; give some of visual_appeal"),
        ({"criteria": [plan_criterion("visual_appeal")] * 2}, "is taken twice"),
        ({"prompt_sets": []}, "no prompt set"),
        ({"arms": []}, "'visual_appeal' is asked as 'pair'.*; 0 given"),
    ],
)
def test_bad_request_is_refused_and_nothing_is_stored(asked, change, message):
    with pytest.raises(BadInputError, match=message):
        create_campaign(project=default_project(), **asked | change)
    assert Campaign.objects.count() == 0


@pytest.mark.parametrize(
    ("slug", "k", "message"),
    [("visual_appeal", 0, "give at least 1"), ("visual_appeal", -2, "give at least 1"),
     ("beauty", 5, "no criterion 'beauty'; shipped are visual_appeal, ")],
)  # fmt: skip
def test_criterion_that_makes_no_sense_is_refused(slug, k, message):
    with pytest.raises(BadInputError, match=message):
        plan_criterion(slug, k)


def test_checkpoint_against_itself_is_refused(asked):
    with pytest.raises(BadInputError, match="cannot be compared with itself"):
        create_campaign(
            project=default_project(), **asked | {"arms": [*asked["arms"], asked["arms"][0]]}
        )
    assert Campaign.objects.count() == 0


def test_checkpoint_against_itself_cannot_be_stored(asked):
    campaign, _ = create_campaign(project=default_project(), **asked)
    with pytest.raises(IntegrityError, match="arm_once"):
        Arm.objects.create(campaign=campaign, place=2, checkpoint=asked["arms"][0])


def test_appeal_that_shows_the_prompt_cannot_be_stored(asked):
    campaign, _ = create_campaign(project=default_project(), **asked)
    with pytest.raises(IntegrityError, match="criterion_appeal_hides_prompt"):
        Criterion.objects.filter(campaign=campaign).update(shows_prompt=True)


def test_k_below_one_cannot_be_stored(asked):
    campaign, _ = create_campaign(project=default_project(), **asked)
    with pytest.raises(IntegrityError, match="criterion_k_at_least_one"):
        Criterion.objects.filter(campaign=campaign).update(k=0)


def refused(change):
    with pytest.raises(IntegrityError, match="an open campaign asks never changes"):
        committed(change)


def committed(change):
    with transaction.atomic():
        change()
        connection.check_constraints()  # what is asked as a transaction ends


def test_what_an_open_campaign_asks_cannot_be_changed():
    campaign = factories.make_draft(prompts=1)
    asked = Criterion.objects.filter(campaign=campaign)
    asked.update(question="Which is calmer?")  # it may still change
    open_campaign(campaign=campaign)
    asked.update(question="Which is calmer?")  # nothing changes
    for change in ({"question": "Which is worse?"}, {"k": 2}, {"translations": {"de": {}}}):
        refused(lambda change=change: asked.update(**change))
    assert {each.question for each in asked} == {"Which is calmer?"}


def test_open_campaign_asks_nothing_more_and_nothing_less():
    opened, draft = factories.make_draft(prompts=1), factories.make_draft(slug="b", prompts=1)
    open_campaign(campaign=opened)
    first, mine = opened.criteria.first(), draft.criteria.first()
    asked = {
        "label": "Calm",
        "question": "Which is calmer?",
        "form": "pair",
        "k": 1,
        "shows_prompt": False,
    }
    own = {"slug": "own", "position": 9}
    refused(lambda: Criterion.objects.filter(pk=first.pk).delete())
    refused(lambda: Criterion.objects.filter(pk=first.pk).update(campaign=draft, **own))
    refused(lambda: Criterion.objects.filter(pk=mine.pk).update(campaign=opened, **own))
    refused(lambda: Criterion.objects.create(campaign=opened, **asked | own))
    more = Criterion.objects.create(campaign=draft, **asked | own)  # a draft may still ask more
    Criterion.objects.filter(pk=more.pk).delete()
    connection.check_constraints()


@pytest.mark.parametrize("is_open", [False, True], ids=["draft", "open"])
def test_campaign_that_is_deleted_takes_what_it_asks_with_it(is_open):
    campaign = factories.make_draft(prompts=1)
    if is_open:
        open_campaign(campaign=campaign)
        campaign.image_sets.all().delete()
    campaign.delete()
    connection.check_constraints()
    assert not Criterion.objects.exists()


def beside(work):
    """Begin something on a connection of its own; return the thread, and what it raised."""
    trouble = []

    def run():
        try:
            work()
        except Exception as error:
            trouble.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, trouble


@pytest.mark.django_db(transaction=True)
def test_opening_waits_for_a_change_of_what_is_asked_that_has_begun():
    campaign = factories.make_draft(prompts=1, criteria=["visual_appeal"])
    with transaction.atomic():
        campaign.criteria.update(question="Which is calmer?")
        opening, trouble = beside(lambda: open_campaign(campaign=campaign))
        wait_until_somebody_waits()
    opening.join(20)
    assert trouble == []
    assert campaign.protocol["criteria"][0]["question"] == "Which is calmer?"


@pytest.mark.django_db(transaction=True)
def test_change_of_what_is_asked_waits_for_an_opening_that_has_begun():
    campaign = factories.make_draft(prompts=1, criteria=["visual_appeal"])
    asked = Criterion.objects.filter(campaign=campaign)
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        change, trouble = beside(lambda: asked.update(question="Which is calmer?"))
        wait_until_somebody_waits()
        open_campaign(campaign=campaign)
    change.join(20)
    assert [type(each) for each in trouble] == [IntegrityError]
    assert asked.get().question == campaign.protocol["criteria"][0]["question"]


def test_open_campaign_without_protocol_cannot_be_stored(asked):
    campaign, _ = create_campaign(project=default_project(), **asked)
    with pytest.raises(IntegrityError, match="campaign_open_is_frozen"):
        Campaign.objects.filter(pk=campaign.pk).update(status="open")


def test_opening_freezes_the_protocol(draft):
    open_campaign(campaign=draft)
    protocol = draft.protocol
    assert draft.status == "open"
    assert len(draft.protocol_sha256) == 64
    assert [arm["sha256"] for arm in protocol["arms"]] == [arm.sha256 for arm in draft.contenders]
    assert [arm["place"] for arm in protocol["arms"]] == [0, 1]
    assert protocol["arms"][0]["parent_sha256"] is None
    assert protocol["prompt_sets"][0]["sha256"] == draft.prompt_sets.get().sha256
    assert [criterion["k"] for criterion in protocol["criteria"]] == [5, 5]
    assert protocol["seed"] == 7
    assert protocol["sampler_settings"] == factories.SETTINGS


def test_subset_of_prompts_is_seeded(asked):
    campaign, _ = create_campaign(project=default_project(), **asked | {"prompts_per_set": 4})
    chosen = [prompt.text for prompt in planned_prompts(campaign)]
    assert len(chosen) == 4
    assert chosen == [prompt.text for prompt in planned_prompts(campaign)]
    other, _ = create_campaign(
        project=default_project(), **asked | {"slug": "c", "prompts_per_set": 4, "seed": 99}
    )
    assert chosen != [prompt.text for prompt in planned_prompts(other)]


def test_seed_of_a_sample_hangs_on_the_prompts_text(asked):
    one, two = asked["prompt_sets"][0].prompts.all()[:2]
    assert sample_seed(1, one) == sample_seed(1, one)
    assert sample_seed(1, one) != sample_seed(1, two)
    assert sample_seed(1, one) != sample_seed(2, one)
    assert 0 <= sample_seed(1, one) < 2**32


def test_closing_happens_once(campaign, capsys):
    call_command("close_campaign", campaign.slug)
    assert "is closed" in capsys.readouterr().out
    campaign.refresh_from_db()
    assert (campaign.status, campaign.closed_at is not None) == ("closed", True)
    with pytest.raises(CommandError, match="only an open one can be closed") as raised:
        call_command("close_campaign", campaign.slug)
    assert raised.value.returncode == 2
    assert close_campaign(campaign=campaign) is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", "b"], "no checkpoint or image collection 'nobody'; usable: a, b"),
        (["a", "a"], "cannot be compared with itself"),
        (["a", "b", "--k", "0"], "give at least 1"),
        (["a", "b", "--steps", "0"], "--steps 0 is out of range"),
        (["a", "b", "--limit", "0"], "--limit 0 leaves no prompt to judge; give 1 or more"),
        (["a", "b", "--allow-cut", "1.5"], "--allow-cut 1.5 is out of range; accepted: 0 to 1"),
        ([], "name the checkpoints to compare, two or more, or give --resume NAME"),
        (["a"], "which compares images of two or more arms; 1 given"),
        (["a", "b", "--design", "both"], "no design 'both'; accepted are all-pairs"),
        (["a", "b", "--design", "together"], "shows all 2 at once; it takes 3 to 8"),
        (["a", "b", "--design", "against=c"], "that is none of the arms (a, b)"),
        (["a", "b", "--design", "random=2"], "2 arms make only 1 pair;"),
        (["a", "b", "--form", "ranking"], "shows sets of 2 images"),
        (["a", "b", "--images-per-prompt", "0"], "--images-per-prompt 0 is out of range"),
        (
            ["a", "b", "--criteria", "attribute_binding", "--form", "rating"],
            "'attribute_binding' cannot be asked as 'rating'; it can as pair",
        ),
        (["a", "b", "--resume", "x"], "leave out --prompts, ARM"),
        (["a", "b", "--criteria", "beauty"], "no criterion 'beauty'"),
        (["a", "b", "--name", "no spaces"], "cannot name a campaign"),
        (["a", "b", "--prompts", "unknown"], "no prompt set 'unknown'"),
    ],
)
def test_run_eval_refuses_with_one_line_and_status_2(asked, arguments, message):
    with pytest.raises(CommandError) as raised:
        call_command("run_eval", *arguments, "--prompts", "things")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.returncode == 2
    assert Campaign.objects.count() == 0


def test_samplers_offered_are_those_of_the_models_backend():
    import re
    from pathlib import Path

    from django.conf import settings

    from evalplatform.runs.management.run_eval_options import SAMPLERS

    source = (Path(settings.BASE_DIR) / "models_backend/families/settings.py").read_text()
    names = re.search(r"^SAMPLERS = \((.*)\)$", source, re.MULTILINE).group(1)
    assert [*re.findall(r'"(.+?)"', names), "default"] == list(SAMPLERS)


def test_emu_preset_asks_as_emu_did():
    campaign = factories.make_draft(criteria=PRESETS["emu"], rules=AS_USUAL)
    run_eval(campaign, "--preset=emu")
    asked = [(each.slug, each.k, each.form) for each in campaign.criteria.all()]
    assert asked == [
        ("visual_appeal", 5, "pair"), ("text_faithfulness", 3, "pair_both_neither"),
    ]  # fmt: skip
    assert campaign.status == "open"


def test_rules_file_is_read_and_frozen_with_the_protocol(tmp_path):
    rules = {"annotation": {"session_cap": 7, "start": "own"}, "quality": {"gold_rate": 0.1}}
    campaign = factories.make_draft(criteria=["visual_appeal"], rules=rules)
    file = tmp_path / "rules.toml"
    file.write_text("[annotation]\nsession_cap = 7\n[quality]\ngold_rate = 0.1\n")
    run_eval(campaign, "--criteria=visual_appeal", f"--rules={file}")
    assert campaign.status == "open"
    assert campaign.protocol["rules"]["annotation"]["session_cap"] == 7
    assert len([g for g in campaign.protocol["gold"] if g["purpose"] == "check"]) == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[annotation]\nsession_cap = 0\n", "annotation.session_cap"),
        ("[quality]\ngold_rate = 1.5\n", "quality.gold_rate"),
        ("[quality]\ngold = 0.1\n", "quality.gold: no such rule"),
        ("[qualty]\ngold_rate = 0.1\n", "qualty: no such rule .did you mean quality"),
        ("[quality]\ngold_rate = 0.3\nrepeat_rate = 0.3\n", "more checks than items"),
        ("[quality]\nqualification_pass = 2\n", "nobody could pass"),
        ("[[questionnaire]]\nname = 'a'\nlabel = 'A?'\n", "at least two choices"),
        ("gold_rate = ", "is not a TOML file"),
    ],
)
def test_rules_that_make_no_sense_are_refused(tmp_path, content, message):
    file = tmp_path / "rules.toml"
    file.write_text(content)
    with pytest.raises(CommandError, match=message):
        run_eval(factories.make_draft(), f"--rules={file}")


def test_campaign_can_be_looked_at_before_it_opens(capsys):
    campaign = factories.make_draft(criteria=["visual_appeal"], rules=AS_USUAL)
    run_eval(campaign, "--criteria=visual_appeal", "--no-open")
    assert campaign.status == "generating"
    assert "make_gold" in capsys.readouterr().out
    assert campaign.image_sets.gold().filter(purpose="example").count() == 1
    run_eval(campaign, "--criteria=visual_appeal")
    assert campaign.status == "open"


def test_gold_pairs_of_ones_own_come_from_a_file(tmp_path):
    for name in ("good", "bad"):
        factories.make_image(len(name)).save(tmp_path / f"{name}.png")
    table = tmp_path / "gold.tsv"
    table.write_text(
        "criterion\tpurpose\tprompt\tbetter\tworse\twhy\n"
        "visual_appeal\texample\t\tgood.png\tbad.png\tThe other is noise.\n"
    )
    campaign = factories.make_draft(criteria=["visual_appeal"], rules=AS_USUAL)
    run_eval(campaign, "--criteria=visual_appeal", f"--gold={table}")
    assert [gold.origin["kind"] for gold in campaign.image_sets.gold()] == ["file"]


def test_pausing_and_resuming_say_what_cannot_be_done(campaign):
    call_command("pause_campaign", campaign.slug)
    campaign.refresh_from_db()
    assert campaign.status == "paused"
    with pytest.raises(CommandError, match="is paused; only an open one can be paused"):
        call_command("pause_campaign", campaign.slug)
    call_command("pause_campaign", campaign.slug, "--resume")
    with pytest.raises(CommandError, match="is open; only a paused one can be resumed"):
        call_command("pause_campaign", campaign.slug, "--resume")
