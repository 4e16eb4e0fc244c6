"""Samples nobody should be paid to judge: counted before a campaign opens, and kept from it."""

import pytest
from django.core.management import CommandError, call_command

from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.sample_faults import frozen_faults
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.quality.services import make_gold
from tests import faulty
from tests.running import AS_USUAL, run_eval

pytestmark = pytest.mark.django_db
FAITHFULNESS = {"criteria": ["text_faithfulness"]}
APPEAL = {"criteria": ["visual_appeal"]}


@pytest.mark.parametrize(
    ("faults", "message", "options"),
    [
        ({"constant": [1, 3]},
         r"2 of 4 images of checkpoint 'tuned-\d+' \(A\) are of one colour \(50\.0 %, at most 1 % "
         r"are let through\): “a secret-.* number 1”, “.* number 3”; mend .* "
         r"share of 0\.5 through\.$",
         "--allow-constant 0.5"),
        ({"identical": [0]},
         r"1 of 4 sets show the same .*25\.0 %.* share of 0\.25 through\.$",
         "--allow-identical 0.25"),
        ({"cut_a": [0, 1, 2, 3]},
         r"4 of 4 prompts are cut by .*'tuned-\d+' \(A\).* and others; .* share of 1 through\.$",
         "--allow-cut 1"),
        ({"cut_b": [2]},
         r"1 of 4 prompts are cut by .*'plain-\d+' \(B\).* share of 0\.25 through\.$",
         "--allow-cut 0.25"),
        ({"cut_a": [0], "unknown_b": True},
         r"'tuned-\d+' \(A\).* share of 0\.25 through\.$", "--allow-cut 0.25"),
        ({"constant": [1], "cut_b": [2]},
         r"of one colour .* 0\.25 through\. Also: .* are cut .* 0\.25 through\.$",
         "--allow-constant 0.25 --allow-cut 0.25"),
        ({"cut_a": [0], "cut_b": [0, 1]},
         r"\(A\).* share of 0\.25 through\. Also: .*\(B\).* share of 0\.5 through\.$",
         "--allow-cut 0.5"),
    ],
)  # fmt: skip
def test_more_than_the_rules_let_through_keeps_a_campaign_from_opening(faults, message, options):
    draft = faulty.make_draft(**FAITHFULNESS, **faults)
    with pytest.raises(BadInputError, match=message) as refused:
        open_campaign(campaign=draft)
    assert "\n" not in str(refused.value)
    goes_on = f"`manage.py run_eval --resume {draft.slug} {options}` lets them through."
    assert refused.value.by_command == goes_on
    draft.refresh_from_db()
    assert (draft.status, draft.items.main().count()) == ("draft", 0)


@pytest.mark.parametrize(
    ("rule", "faults"),
    [("allow_constant", {"constant": [1]}), ("allow_identical", {"identical": [1]}),
     ("allow_cut", {"cut_a": [1]}), ("allow_cut", {"cut_b": [1]})],
)  # fmt: skip
def test_a_share_is_let_through_up_to_the_rule_and_not_above(rule, faults):
    rules = {"samples": {rule: 0.25}}
    assert open_campaign(campaign=faulty.make_draft(rules=rules, **faults))
    two = {name: [*places, 2] for name, places in faults.items()}
    with pytest.raises(BadInputError, match="at most 25 % are let through"):
        open_campaign(campaign=faulty.make_draft(slug="more", rules=rules, **two))


def test_a_few_faults_among_many_samples_are_let_through_without_a_word_of_the_researcher():
    faults = {"constant": [1], "identical": [2], "cut_a": [3, 4, 5]}
    draft = faulty.make_draft(prompts=100, **APPEAL, **faults)
    open_campaign(campaign=draft)
    assert draft.protocol["rules"]["samples"] == {
        "allow_constant": 0.01, "allow_identical": 0.01, "allow_cut": 0.05,
    }  # fmt: skip


def test_cut_prompts_are_no_matter_where_annotators_are_shown_none():
    draft = faulty.make_draft(**APPEAL, cut_a=[0, 1, 2, 3])
    open_campaign(campaign=draft)
    assert frozen_faults(draft).arms[0].prompts_cut == 4


def test_what_was_counted_is_frozen_with_the_protocol():
    rules = {"samples": {"allow_constant": 1, "allow_identical": 1, "allow_cut": 1}}
    draft = faulty.make_draft(rules=rules, constant=[0], identical=[1], cut_a=[1, 2], cut_b=[2, 3])
    open_campaign(campaign=draft)
    a = {"images": 4, "of_one_colour": 1, "prompts_read_in_full": 2, "prompts_cut": 2,
         "prompts_unknown": 0, "tokens_of_cut": 200, "tokens_of_cut_read": 122}  # fmt: skip
    assert draft.protocol["samples"] == {
        "prompts": 4, "sets": 4, "identical": 1, "read_in_full_by_all": 1,
        "arms": [a, a | {"of_one_colour": 0}],
    }  # fmt: skip
    assert frozen_faults(draft).as_dict() == draft.protocol["samples"]


def test_unknown_is_never_said_to_be_read_in_full():
    draft = faulty.make_draft(unknown_b=True)
    open_campaign(campaign=draft)
    faults = frozen_faults(draft)
    assert (faults.arms[1].prompts_unknown, faults.arms[1].prompts_read_in_full) == (4, 0)
    assert faults.read_in_full_by_all == 0
    said = faults.lines(["one", "two"])
    assert said[0] == "A = one: 4 of 4 prompts read in full; 0 of 4 images of one colour"
    assert said[1].startswith("B = two: whether its text encoders read the prompts in full is unk")


def test_no_gold_is_made_of_a_black_image_or_of_one_that_both_sides_show():
    """Nobody is to be excluded for not preferring black."""
    draft = faulty.make_draft(prompts=6, **APPEAL, constant=[0, 1], identical=[2])
    make_gold(campaign=draft, counts={"check": 12})
    used = {gold.origin["sample_sha256"] for gold in draft.image_sets.gold()}
    made_of = Sample.objects.filter(image_sha256__in=used)
    assert set(made_of.values_list("prompt__position", flat=True)) == {3, 4, 5}


# ---- by command ---------------------------------------------------------------------------------


def test_run_eval_says_what_it_found_before_it_refuses(capsys):
    draft = faulty.make_draft(rules=AS_USUAL, cut_a=[0, 1])
    with pytest.raises(CommandError, match=r"--allow-cut 0\.5") as refused:
        run_eval(draft)
    assert refused.value.returncode == 2
    out = capsys.readouterr().out
    assert "2 of 4 prompts read in full, 2 cut (61 % of their tokens read); 0 of 4 images" in out
    assert "the same image twice: 0 of 4 sets" in out
    assert "reads in full counts as read in full" in out
    assert not draft.image_sets.gold().exists()


def test_the_option_that_the_refusal_names_opens_the_campaign(capsys):
    draft = faulty.make_draft(rules=AS_USUAL, constant=[0], cut_a=[1])
    with pytest.raises(CommandError, match=r"--allow-constant 0\.25"):
        run_eval(draft)
    with pytest.raises(CommandError, match=r"^campaign .* does not open\. 1 of 4 prompts"):
        call_command("run_eval", resume=draft.slug, allow_constant=0.25)
    run_eval(draft, "--allow-cut=0.25")  # what was let through before stays so
    assert draft.status == "open"
    assert draft.protocol["rules"]["samples"]["allow_constant"] == 0.25
    assert draft.protocol["rules"]["samples"]["allow_cut"] == 0.25


def test_what_is_let_through_is_frozen_once_it_is_open(capsys):
    draft = faulty.make_draft(rules=AS_USUAL)
    run_eval(draft, "--allow-cut=0.2")
    run_eval(draft)
    run_eval(draft, "--allow-cut=0.2")
    with pytest.raises(CommandError, match=r"different protocol \(rules\)"):
        run_eval(draft, "--allow-cut=0.3")
    with pytest.raises(CommandError, match="is open: what it lets through is frozen"):
        call_command("run_eval", resume=draft.slug, allow_cut=0.3)
    assert draft.checked_rules.samples.allow_cut == 0.2


def test_options_go_before_the_rules_file(tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("[samples]\nallow_cut = 0.1\nallow_constant = 0.3\n")
    draft = faulty.make_draft(rules=AS_USUAL, cut_a=[1], constant=[1])
    run_eval(draft, f"--rules={rules}", "--allow-cut=0.5")
    assert draft.status == "open"
    assert draft.checked_rules.samples.allow_constant == 0.3
    assert draft.checked_rules.samples.allow_cut == 0.5


def test_to_look_first_does_not_fail_but_says_it(capsys):
    draft = faulty.make_draft(rules=AS_USUAL, constant=[0])
    run_eval(draft, "--no-open")
    assert "--allow-constant 0.25" in capsys.readouterr().err
    assert draft.status == "generating"


@pytest.mark.parametrize("share", [-0.1, 1.1, "all"])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(BadInputError, match=r"samples\.allow_cut"):
        parse_rules({"samples": {"allow_cut": share}})
