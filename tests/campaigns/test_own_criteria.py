"""Criteria of a researcher's own, from the rules file to what is asked, and the presets."""

import pytest
from django.core.management import CommandError, call_command

from evalplatform.campaigns.criteria import CRITERIA, PRESETS, plan_criterion
from evalplatform.campaigns.forms import FORMS
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.rules_file import read_rules
from evalplatform.core.errors import BadInputError
from evalplatform.runs.choices import criterion_plan, parse_choices
from evalplatform.runs.management.run_eval_options import criteria
from tests import factories, safety
from tests.running import AS_USUAL, run_eval

pytestmark = pytest.mark.django_db
HANDS = {
    "slug": "hands",
    "question": "In which image are the hands better?",
    "shows_prompt": False,
}
OPTIONS = {"preset": "default", "criteria": None, "form": None, "design": "all-pairs", "k": None}


def asked(*own, **options):
    """Return what is asked as (slug, form, k)."""
    plans = criteria(OPTIONS | options, parse_rules({"criteria": list(own)}))
    return [(plan.slug, plan.form, plan.k) for plan in plans]


# ---- what the rules file may say


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slug": "Hands"}, r"criteria\.0\.slug"),
        ({"question": ""}, r"criteria\.0\.question"),
        ({"form": "duel"}, "criteria.0: no form 'duel'; accepted are pair, [^{]*$"),
        ({"k": 0}, r"criteria\.0\.k"),
        ({"gold": "by_hand"}, r"criteria\.0\.gold"),
        ({"gold": "other_prompt", "form": "caption"}, "of the form caption no answer is known"),
        ({"heads": ["focus"]}, "heads are marked in the form keep_reject alone"),
        ({"heads": ["focus", "focus"], "form": "keep_reject"}, "two heads have the same name"),
        ({"colour": "red"}, r"criteria\.0\.colour: no such rule \(accepted are slug, label, "),
        ({"shows_promt": True}, r"shows_promt: no such rule \(did you mean shows_prompt\?\)\. See"),
        ({"slug": "visual_appeal", "shows_prompt": True}, "visual_appeal hides the prompt"),
    ],
)
def test_criterion_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(BadInputError, match=message) as refused:
        parse_rules({"criteria": [HANDS | change]})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("needed", ["slug", "question", "shows_prompt"])
def test_what_a_criterion_needs_is_named(needed):
    given = {name: value for name, value in HANDS.items() if name != needed}
    with pytest.raises(BadInputError, match=rf"criteria\.0\.{needed}: is missing\. See"):
        parse_rules({"criteria": [given]})


def test_two_criteria_of_one_slug_are_refused():
    with pytest.raises(BadInputError, match="two criteria have the same slug"):
        parse_rules({"criteria": [HANDS, HANDS]})


def test_shipped_criterion_stands_in_a_file_by_its_slug_alone(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('[[criteria]]\nslug = "text_faithfulness"\nform = "rating"\nk = 3\n')
    (found,) = read_rules(path).criteria
    assert criterion_plan(found) == plan_criterion("text_faithfulness", 3, "rating")
    drafted = parse_choices({"criteria": [{"slug": "text_faithfulness", "form": "rating", "k": 3}]})
    assert drafted.criteria == (found,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[criteria]]\nslug = "image_caption"\n',
            "rules.toml: criteria: 'image_caption' cannot be",
        ),
        ('[[criteria]]\nslug = ["hands"]\n', r"rules.toml: criteria\.0\.slug"),
        ('[[criteria]]\nslug = "hands"\n', r"rules.toml: criteria\.0\.question: is missing"),
        ("criteria = 5\n", "rules.toml: criteria: Input should be a valid list"),
    ],
)
def test_file_that_cannot_be_taken_is_named(tmp_path, text, message):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=message):
        read_rules(path)


# ---- which are asked


def test_criteria_of_the_file_are_asked_alone_beside_the_usual_preset():
    assert asked(HANDS) == [("hands", "pair", 5)]
    assert asked(HANDS | {"k": 3, "form": "rating"}) == [("hands", "rating", 3)]


def test_criteria_of_the_file_follow_those_of_another_preset():
    assert [slug for slug, _, _ in asked(HANDS, preset="emu")] == [
        "visual_appeal", "text_faithfulness", "hands",
    ]  # fmt: skip


def test_shipped_criterion_is_asked_in_the_words_of_the_file():
    own = {"slug": "text_faithfulness", "question": "Which fits?", "shows_prompt": True, "k": 2}
    (_, plan) = criteria(OPTIONS | {"preset": "emu"}, parse_rules({"criteria": [own]}))
    assert (plan.slug, plan.question, plan.form, plan.k) == (
        "text_faithfulness", "Which fits?", "pair", 2,
    )  # fmt: skip


def test_option_chooses_among_file_preset_and_shipped_in_its_order():
    chosen = "overall_preference, hands,visual_appeal"
    assert [slug for slug, _, _ in asked(HANDS, criteria=chosen)] == [
        "overall_preference", "hands", "visual_appeal",
    ]  # fmt: skip


def test_form_is_put_on_all_but_the_files_own_and_k_on_all():
    assert asked(HANDS, criteria="hands,visual_appeal", form="rating", k=2) == [
        ("hands", "pair", 2), ("visual_appeal", "rating", 2),
    ]  # fmt: skip
    assert asked(preset="emu", design="together") == [
        ("visual_appeal", "ranking", 5), ("text_faithfulness", "ranking", 3),
    ]  # fmt: skip


def test_heads_are_what_may_be_marked_of_an_image_kept_or_rejected():
    own = HANDS | {"form": "keep_reject", "heads": ["fingers", "pose"]}
    (plan,) = criteria(OPTIONS, parse_rules({"criteria": [own]}))
    assert plan.heads == ("fingers", "pose")


def test_label_is_made_of_the_slug():
    (plan,) = criteria(OPTIONS, parse_rules({"criteria": [HANDS | {"slug": "fine_hands"}]}))
    assert plan.label == "Fine hands"


# ---- the whole way

FILE = """
[quality]
gold_rate = 0.1
qualification_pairs = 2

[[criteria]]
slug = "hands"
label = "Hands"
question = "In which image are the hands better?"
instructions = "Count the fingers."
shows_prompt = false
k = 2

[[criteria]]
slug = "mood"
question = "How well does the image carry the mood of the description?"
shows_prompt = true
form = "rating"
gold = "other_prompt"
"""


def test_run_eval_opens_with_criteria_of_ones_own_of_which_one_has_no_gold(tmp_path, capsys):
    file = tmp_path / "rules.toml"
    file.write_text(FILE)
    draft = safety.make_draft(threshold=None, rules=AS_USUAL)
    call_command(
        "run_eval", *(arm.name for arm in draft.contenders), "--name=own", f"--rules={file}",
        f"--prompts={draft.prompt_sets.get().name}", "--seed=7", "--steps=4", "--guidance=2",
    )  # fmt: skip
    campaign = Campaign.objects.get(slug="own")
    assert campaign.status == "open"
    hands, mood = campaign.criteria.all()
    assert (hands.label, hands.k, hands.gold) == ("Hands", 2, "")
    assert (mood.label, mood.form, mood.k) == ("Mood", "rating", 5)
    assert (hands.items.main().count(), mood.items.main().count()) == (8, 16)
    gold = [(each["criterion"], each["purpose"]) for each in campaign.protocol["gold"]]
    assert {slug for slug, _ in gold} == {"mood"}
    # The qualification is of those that have gold alone.
    assert [purpose for _, purpose in gold].count("qualification") == 2
    assert [purpose for _, purpose in gold].count("check") == 20
    assert campaign.protocol["criteria"][0] == {
        "slug": "hands", "label": "Hands", "question": "In which image are the hands better?",
        "instructions": "Count the fingers.", "shows_prompt": False, "form": "pair",
        "heads": [], "gold": "", "k": 2, "translations": {},
    }  # fmt: skip
    assert "criteria" not in campaign.protocol["rules"]
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "no gold" in each]
    assert "no gold can be made for 'hands', since it names no recipe" in line


def test_changed_words_are_another_protocol(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(FILE.replace("qualification_pairs = 2", ""))
    draft = safety.make_draft(threshold=None, rules=AS_USUAL)
    options = [
        *(arm.name for arm in draft.contenders), "--name=own", f"--rules={file}", "--no-open",
        f"--prompts={draft.prompt_sets.get().name}", "--seed=7", "--steps=4", "--guidance=2",
    ]  # fmt: skip
    call_command("run_eval", *options)
    file.write_text(file.read_text().replace("Count the fingers.", "Count all fingers."))
    with pytest.raises(CommandError, match=r"different protocol \(criteria, k or forms\)"):
        call_command("run_eval", *options)


# ---- what is shipped


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_opens_and_asks_what_it_says(preset):
    draft = safety.make_draft(threshold=None, criteria=PRESETS[preset], rules=AS_USUAL)
    run_eval(draft, f"--preset={preset}")
    assert draft.status == "open"
    found = [(each.slug, each.form, each.k) for each in draft.criteria.all()]
    assert found == [(plan.slug, plan.form, plan.k) for plan in PRESETS[preset]]
    assert [each.items.main().count() for each in draft.criteria.all()] == [8] * len(found)
    # Each has an example for the welcome page.
    examples = draft.image_sets.filter(purpose="example").values_list("criterion__slug", flat=True)
    assert set(examples) == {slug for slug, _, _ in found}


def test_composition_preset_asks_what_t2i_compbench_asks_beside_appeal():
    assert [plan.slug for plan in PRESETS["composition"]] == [
        "visual_appeal", "attribute_binding", "spatial_relationship", "non_spatial_relationship",
    ]  # fmt: skip


@pytest.mark.parametrize("slug", CRITERIA)
def test_shipped_criterion_can_be_asked_in_each_form_it_has_words_for(slug):
    for form in FORMS:
        if form in CRITERIA[slug].wording:
            plan = plan_criterion(slug, 3, form)
            assert (plan.form, plan.k) == (form, 3)
            assert plan.question
            assert bool(plan.gold) == (form != "caption")  # no text is the only right one
        else:
            others = ", ".join(CRITERIA[slug].wording)
            said = rf"cannot be asked as '{form}'; it can as {others}\."
            with pytest.raises(BadInputError, match=said):
                plan_criterion(slug, 3, form)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("caption", "approve")])
def test_both_usual_criteria_are_asked_in_every_form(form):
    options = {"ranking": {"arms": 3, "design": "together"}, "rating": {"arms": 1}}
    draft = factories.make_draft(form=form, rules=AS_USUAL, prompts=2, **options.get(form, {}))
    design = ["--design=together"] if form == "ranking" else []
    run_eval(draft, f"--form={form}", *design)
    assert draft.status == "open"
    assert [each.form for each in draft.criteria.all()] == [form, form]
