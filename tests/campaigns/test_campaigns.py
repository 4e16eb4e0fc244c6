"""Campaigns: what they refuse, what they freeze, what they repeat."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import PRESETS, CriterionPlan, plan_criteria
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.selectors import planned_prompts, sample_seed
from evalplatform.campaigns.services import close_campaign, create_campaign
from evalplatform.core.errors import BadInputError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked():
    """What a researcher asks for."""
    return {
        "slug": "a-vs-b",
        "checkpoint_a": factories.make_checkpoint("a"),
        "checkpoint_b": factories.make_checkpoint("b"),
        "prompt_sets": [factories.make_prompt_set("things", 10)],
        "criteria": plan_criteria(["visual_appeal"], 5),
        "settings": factories.SETTINGS,
        "seed": 1,
    }


def test_creating_again_resumes(asked):
    first, created = create_campaign(**asked)
    again, created_again = create_campaign(**asked)
    assert (created, created_again) == (True, False)
    assert again == first


@pytest.mark.parametrize(
    "change",
    [{"criteria": plan_criteria(["visual_appeal"], 3)}, {"seed": 2}, {"prompts_per_set": 3},
     {"criteria": plan_criteria(["text_faithfulness"], 5)},
     {"criteria": [CriterionPlan("visual_appeal", 5, "a_b_both_neither")]},
     {"rules": parse_rules({"annotation": {"session_cap": 9}})},
     {"settings": factories.SETTINGS | {"steps": 5}}],
)  # fmt: skip
def test_same_name_with_another_protocol_is_refused(asked, change):
    create_campaign(**asked)
    with pytest.raises(BadInputError, match="exists with a different protocol"):
        create_campaign(**asked | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criteria": plan_criteria(["visual_appeal"], 0)}, "give at least 1"),
        ({"criteria": plan_criteria(["visual_appeal"], -2)}, "give at least 1"),
        ({"criteria": []}, "criteria missing"),
        ({"criteria": plan_criteria(["beauty"], 5)}, "criteria beauty"),
        ({"criteria": plan_criteria(["visual_appeal", "visual_appeal"], 5)}, "at most once"),
        ({"prompt_sets": []}, "no prompt set"),
    ],
)
def test_bad_request_is_refused_and_nothing_is_stored(asked, change, message):
    with pytest.raises(BadInputError, match=message):
        create_campaign(**asked | change)
    assert Campaign.objects.count() == 0


def test_checkpoint_against_itself_is_refused(asked):
    with pytest.raises(BadInputError, match="cannot be compared with itself"):
        create_campaign(**asked | {"checkpoint_b": asked["checkpoint_a"]})


def test_checkpoint_against_itself_cannot_be_stored(asked):
    campaign, _ = create_campaign(**asked)
    with pytest.raises(IntegrityError, match="campaign_two_checkpoints"):
        Campaign.objects.filter(pk=campaign.pk).update(checkpoint_b=campaign.checkpoint_a)


def test_appeal_that_shows_the_prompt_cannot_be_stored(asked):
    campaign, _ = create_campaign(**asked)
    with pytest.raises(IntegrityError, match="criterion_appeal_hides_prompt"):
        Criterion.objects.filter(campaign=campaign).update(shows_prompt=True)


def test_k_below_one_cannot_be_stored(asked):
    campaign, _ = create_campaign(**asked)
    with pytest.raises(IntegrityError, match="criterion_k_at_least_one"):
        Criterion.objects.filter(campaign=campaign).update(k=0)


def test_open_campaign_without_protocol_cannot_be_stored(asked):
    campaign, _ = create_campaign(**asked)
    with pytest.raises(IntegrityError, match="campaign_open_is_frozen"):
        Campaign.objects.filter(pk=campaign.pk).update(status="open")


def test_opening_freezes_the_protocol(draft):
    open_campaign(campaign=draft)
    protocol = draft.protocol
    assert draft.status == "open"
    assert len(draft.protocol_sha256) == 64
    assert protocol["checkpoints"]["a"]["sha256"] == draft.checkpoint_a.sha256
    assert protocol["checkpoints"]["a"]["parent_sha256"] is None
    assert protocol["prompt_sets"][0]["sha256"] == draft.prompt_sets.get().sha256
    assert [criterion["k"] for criterion in protocol["criteria"]] == [5, 5]
    assert protocol["seed"] == 7
    assert protocol["sampler_settings"] == factories.SETTINGS


def test_subset_of_prompts_is_seeded(asked):
    campaign, _ = create_campaign(**asked | {"prompts_per_set": 4})
    chosen = [prompt.text for prompt in planned_prompts(campaign)]
    assert len(chosen) == 4
    assert chosen == [prompt.text for prompt in planned_prompts(campaign)]
    other, _ = create_campaign(**asked | {"slug": "c", "prompts_per_set": 4, "seed": 99})
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
        (["nobody", "b"], "no checkpoint 'nobody'; usable: a, b"),
        (["a", "a"], "cannot be compared with itself"),
        (["a", "b", "--k", "0"], "give at least 1"),
        (["a", "b", "--steps", "0"], "--steps 0 is out of range"),
        (["a", "b", "--limit", "0"], "--limit 0 leaves no prompt to judge; give 1 or more"),
        (["a", "b", "--allow-cut", "1.5"], "--allow-cut 1.5 is out of range; accepted: 0 to 1"),
        (["a"], "two checkpoints are compared; name both, or give --resume NAME"),
        (["a", "b", "--resume", "x"], "leave out --prompts, A, B"),
        (["a", "b", "--criteria", "beauty"], "criteria beauty"),
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

    from evalplatform.campaigns.management.run_eval_options import SAMPLERS

    source = (Path(settings.BASE_DIR) / "models_backend/families/settings.py").read_text()
    names = re.search(r"^SAMPLERS = \((.*)\)$", source, re.MULTILINE).group(1)
    assert [*re.findall(r'"(.+?)"', names), "default"] == list(SAMPLERS)


def run_eval(campaign, *options):
    """Run the command on a campaign whose samples are all there, so that no worker is needed."""
    call_command(
        "run_eval", campaign.checkpoint_a.name, campaign.checkpoint_b.name,
        f"--prompts={campaign.prompt_sets.get().name}", f"--name={campaign.slug}",
        f"--seed={campaign.seed}", "--steps=4", "--guidance=2", *options,
    )  # fmt: skip
    campaign.refresh_from_db()


def test_emu_preset_asks_as_emu_did():
    campaign = factories.make_draft(criteria=PRESETS["emu"])
    run_eval(campaign, "--preset=emu")
    asked = [(each.kind, each.k, each.answers) for each in campaign.criteria.all()]
    assert asked == [
        ("visual_appeal", 5, "a_b_tie"), ("text_faithfulness", 3, "a_b_both_neither"),
    ]  # fmt: skip
    assert campaign.status == "open"


def test_rules_file_is_read_and_frozen_with_the_protocol(tmp_path):
    rules = {"annotation": {"session_cap": 7}, "quality": {"gold_rate": 0.1}}
    campaign = factories.make_draft(criteria=["visual_appeal"], rules=rules)
    file = tmp_path / "rules.toml"
    file.write_text("[annotation]\nsession_cap = 7\n[quality]\ngold_rate = 0.1\n")
    run_eval(campaign, "--criteria=visual_appeal", f"--rules={file}")
    assert campaign.status == "open"
    assert campaign.protocol["rules"]["annotation"]["session_cap"] == 7
    assert len([p for p in campaign.protocol["gold_pairs"] if p["purpose"] == "check"]) == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[annotation]\nsession_cap = 0\n", "annotation.session_cap"),
        ("[quality]\ngold_rate = 1.5\n", "quality.gold_rate"),
        ("[quality]\ngold = 0.1\n", "quality.gold: no such rule"),
        ("[quality]\ngold_rate = 0.3\nrepeat_rate = 0.3\n", "more checks than comparisons"),
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
    campaign = factories.make_draft(criteria=["visual_appeal"])
    run_eval(campaign, "--criteria=visual_appeal", "--no-open")
    assert campaign.status == "generating"
    assert "make_gold" in capsys.readouterr().out
    assert campaign.gold_pairs.filter(purpose="example").count() == 1
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
    campaign = factories.make_draft(criteria=["visual_appeal"])
    run_eval(campaign, "--criteria=visual_appeal", f"--gold={table}")
    assert [pair.origin["kind"] for pair in campaign.gold_pairs.all()] == ["file"]


def test_pausing_and_resuming_say_what_cannot_be_done(campaign):
    call_command("pause_campaign", campaign.slug)
    campaign.refresh_from_db()
    assert campaign.status == "paused"
    with pytest.raises(CommandError, match="is paused; only an open one can be paused"):
        call_command("pause_campaign", campaign.slug)
    call_command("pause_campaign", campaign.slug, "--resume")
    with pytest.raises(CommandError, match="is open; only a paused one can be resumed"):
        call_command("pause_campaign", campaign.slug, "--resume")
