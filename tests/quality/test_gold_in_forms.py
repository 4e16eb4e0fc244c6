"""Gold in every form: as many images as annotators see together, of which one is clearly best."""

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.urls import reverse
from PIL import Image

from evalplatform.annotation import examples
from evalplatform.annotation.models import Vote
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import CriterionPlan, plan_criterion
from evalplatform.campaigns.forms import form_named
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.quality.gold import gold_images
from evalplatform.quality.measures import Share
from evalplatform.quality.selectors import measures_of
from evalplatform.quality.services import import_gold, make_gold
from tests import factories
from tests.quality.conftest import THINGS, make_campaign

pytestmark = pytest.mark.django_db(transaction=True)
APPEAL, FAITHFUL = "visual_appeal", "text_faithfulness"


def gold(campaign, slug):
    return list(campaign.image_sets.gold().filter(criterion__slug=slug).order_by("pk"))


def pixels(name):
    with default_storage.open(name) as file, Image.open(file) as image:
        return np.asarray(image)


def samples_by_hash():
    return {row.image_sha256: row for row in Sample.objects.select_related("prompt", "checkpoint")}


@pytest.fixture
def gallery():
    """Four arms ranked together on eight prompts."""
    return make_campaign(arms=4, form="ranking", design="together")


# ---- rankings


def test_ranking_of_four_arms_gets_one_sample_and_three_spoilt_copies(gallery):
    make_gold(campaign=gallery, counts={"check": 4})
    by_hash = samples_by_hash()
    for each in gold(gallery, APPEAL):
        assert each.expected == [1, 0, 0, 0]
        best, *others = map(pixels, each.files)
        assert (best == pixels(by_hash[each.origin["sample_sha256"]].image)).all()
        assert len(others) == len(each.origin["damages"]) == 3
        for other in others:
            assert np.abs(best.astype(int) - other.astype(int)).mean() > 0.08 * 255
        assert len({other.tobytes() for other in others}) == 3


def test_ranking_of_four_arms_gets_three_samples_of_other_prompts_by_the_same_arm(gallery):
    make_gold(campaign=gallery, counts={"check": 4})
    by_hash = samples_by_hash()
    for each in gold(gallery, FAITHFUL):
        assert each.expected == [1, 0, 0, 0]
        right = by_hash[each.origin["sample_sha256"]]
        wrong = [by_hash[other["sample_sha256"]] for other in each.origin["others"]]
        assert right.prompt.text == each.prompt_text
        assert {row.checkpoint for row in wrong} == {right.checkpoint}
        assert len({row.prompt for row in (right, *wrong)}) == 4
        for name, row in zip(each.files, (right, *wrong), strict=True):
            assert (pixels(name) == pixels(row.image)).all()


@pytest.mark.parametrize("slug", [APPEAL, FAITHFUL])
def test_all_arms_take_turns(gallery, slug):
    make_gold(campaign=gallery, counts={"check": 8})
    arms = [each.origin["arm"] for each in gold(gallery, slug)]
    assert sorted(arms[:4]) == [0, 1, 2, 3]
    assert arms[4:] == arms[:4]


def test_example_of_a_ranking_names_its_best_image_and_speaks_of_several(gallery):
    make_gold(campaign=gallery, counts={"example": 1})
    open_campaign(campaign=gallery)
    shown = examples.examples_for(gallery)
    assert len(shown) == 2
    for each in shown:
        told = [(image["is_good"], image["verdict"]) for image in each["images"]]
        assert sorted(told, key=str) == [(None, "")] * 3 + [(True, "Better here")]
        assert len(each["images"]) == 4
        assert each["why"].startswith("The other images ")


@pytest.mark.parametrize(
    ("answer", "right"),
    [("0>1=2=3", True), ("0>3>2>1", True), ("0=1>2>3", False), ("1>0>2>3", False)],
)
def test_ranking_of_gold_is_right_where_the_best_stands_alone_at_the_top(answer, right):
    shape = form_named("ranking")
    assert shape.is_right(shape.grades(answer, range(4)), (1, 0, 0, 0)) is right


# ---- one image


@pytest.mark.parametrize(("form", "worst"), [("rating", 1), ("keep_reject", 0)])
def test_single_images_are_spoilt_or_of_another_prompt(form, worst):
    campaign = make_campaign(arms=2, form=form)
    make_gold(campaign=campaign, counts={"example": 1, "check": 3})
    by_hash = samples_by_hash()
    for each in gold(campaign, APPEAL):
        (name,) = each.files
        sample = pixels(by_hash[each.origin["sample_sha256"]].image)
        assert np.abs(sample.astype(int) - pixels(name).astype(int)).mean() > 0.08 * 255
        assert each.why.startswith("The image ")
        assert each.expected == [worst]
    for each in gold(campaign, FAITHFUL):
        (other,) = each.origin["others"]
        assert (pixels(each.files[0]) == pixels(by_hash[other["sample_sha256"]].image)).all()
        assert other["prompt"] != each.prompt_text
        assert each.why == "The image shows something else than the description says."
        assert each.expected == [worst]


def pages_of(client, campaign):
    """What somebody reads before they agree to take part, and then."""
    page = reverse("annotation:work", args=[campaign.invitation])
    welcome = client.get(page).content.decode()
    client.post(reverse("annotation:begin", args=[campaign.invitation]), {"consent": "yes"})
    return welcome, client.get(page).content.decode()


@pytest.mark.parametrize(("form", "said"), [("rating", "1 (worst)"), ("keep_reject", "Rejected")])
def test_example_of_one_image_says_what_is_right_of_it(form, said, client):
    campaign = make_campaign(arms=2, form=form, criteria=[APPEAL])
    make_gold(campaign=campaign, counts={"example": 1})
    open_campaign(campaign=campaign)
    (example,) = examples.examples_for(campaign)
    assert [(each["is_good"], each["verdict"]) for each in example["images"]] == [(False, said)]
    welcome, work = pages_of(client, campaign)
    assert f"<figcaption>{said}</figcaption>" in welcome
    assert f"<strong>{said}</strong>" in work


def test_examples_of_pairs_leave_the_room_to_the_pair(client):
    campaign = make_campaign(arms=2, form="pair", criteria=[APPEAL])
    make_gold(campaign=campaign, counts={"example": 1})
    open_campaign(campaign=campaign)
    welcome, work = pages_of(client, campaign)
    assert "Better here" in welcome
    assert "data-work" in work
    assert "example-beside" not in work


@pytest.mark.parametrize(
    ("form", "answers", "right"),
    [("rating", ["1", "2", "3", "5"], 2), ("keep_reject", ["reject", "unsure", "keep"], 1)],
)
def test_low_grades_of_a_spoilt_image_are_right(form, answers, right, enrolled, steady_turns):
    campaign = make_campaign(
        arms=1, form=form, k=1, criteria=[APPEAL],
        rules={"quality": {"qualification_pairs": len(answers)}},
    )  # fmt: skip
    make_gold(campaign=campaign, counts={"qualification": len(answers)})
    open_campaign(campaign=campaign)
    (ana,) = enrolled(campaign, "ana")
    for answer in answers:
        factories.vote(ana, factories.lease(ana), answer)
    assert Vote.objects.filter(assignment__purpose="qualification").count() == len(answers)
    assert measures_of(ana).qualification == Share(right, len(answers))


# ---- several forms, designs, images a prompt


def test_each_criterion_of_a_campaign_gets_gold_of_its_own_form():
    campaign = make_campaign(
        arms=3, criteria=[plan_criterion(APPEAL, 2, "pair"), plan_criterion(FAITHFUL, 2, "rating")]
    )
    make_gold(campaign=campaign, counts={"check": 2})
    assert [len(each.files) for each in gold(campaign, APPEAL)] == [2, 2]
    assert [len(each.files) for each in gold(campaign, FAITHFUL)] == [1, 1]


@pytest.mark.parametrize("design", ["all-pairs", "against=plain", "random=1"])
def test_gold_of_a_gallery_of_pairs_is_made_of_every_arm(design):
    """Also where the design lets only some arms meet on a prompt."""
    campaign = make_campaign(arms=3, design=design)
    make_gold(campaign=campaign, counts={"check": 6})
    for slug in (APPEAL, FAITHFUL):
        assert {each.origin["arm"] for each in gold(campaign, slug)} == {0, 1, 2}
        assert {len(each.files) for each in gold(campaign, slug)} == {2}


def test_several_images_of_a_prompt_all_serve_as_gold():
    campaign = make_campaign(images_per_prompt=2, criteria=[APPEAL])
    make_gold(campaign=campaign, counts={"check": 16})
    made_of = [each.origin["sample_sha256"] for each in gold(campaign, APPEAL)]
    assert len(set(made_of)) == 16
    prompts = [each.prompt_text for each in gold(campaign, APPEAL)]
    assert sorted(prompts) == sorted([text for text, _ in THINGS] * 2)


# ---- a criterion that names no recipe


def own(**fields):
    given = {"slug": "hands", "label": "Hands", "question": "Which hands are better?",
             "instructions": "", "shows_prompt": False, "k": 2}  # fmt: skip
    return CriterionPlan(**given | fields)


def test_criterion_without_a_recipe_gets_none_and_the_others_theirs(capsys):
    campaign = make_campaign(criteria=[own(), APPEAL])
    call_command("make_gold", campaign.slug, examples=1, qualification=0, checks=2)
    told = capsys.readouterr()
    assert "3 gold sets made" in told.out
    assert [each.purpose for each in gold(campaign, APPEAL)] == ["example", "check", "check"]
    assert gold(campaign, "hands") == []
    (line,) = [each for each in told.err.splitlines() if "hands" in each]
    assert line == (
        "no gold can be made for 'hands', since it names no recipe; give pairs of your own, or say "
        'in the rules file how it is made: gold = "damaged_copy" or "other_prompt". '
        "Your pairs come by --from."
    )


def test_asked_for_alone_it_is_refused_in_one_line():
    campaign = make_campaign(criteria=[own(form="rating")])
    with pytest.raises(
        BadInputError, match=r"no gold can be made for 'hands', .*; say in the rules"
    ):
        make_gold(campaign=campaign, counts={"check": 1})
    criterion = campaign.criteria.get()
    with pytest.raises(BadInputError, match="no gold can be made for 'hands'"):
        next(gold_images(campaign, criterion, [], []))


def test_of_texts_no_recipe_is_advised():
    campaign = make_campaign(criteria=[own(form="caption")])
    with pytest.raises(BadInputError, match=r"for 'hands': of texts no answer is known.$"):
        make_gold(campaign=campaign, counts={"check": 1})


@pytest.mark.parametrize("recipe", ["damaged_copy", "other_prompt"])
def test_criterion_of_ones_own_gets_gold_by_the_recipe_it_names(recipe):
    campaign = make_campaign(criteria=[own(gold=recipe, shows_prompt=True)])
    make_gold(campaign=campaign, counts={"check": 2})
    assert [each.origin["kind"] for each in gold(campaign, "hands")] == [recipe] * 2


def test_file_brings_gold_for_a_criterion_without_a_recipe(tmp_path):
    campaign = make_campaign(criteria=[own()])
    for name in ("good", "bad"):
        factories.make_image(len(name)).save(tmp_path / f"{name}.png")
    table = tmp_path / "gold.tsv"
    table.write_text(
        "criterion\tpurpose\tprompt\tbetter\tworse\twhy\nhands\tcheck\t\tgood.png\tbad.png\t\n"
    )
    assert import_gold(campaign=campaign, path=table) == 1
    assert make_gold(campaign=campaign, counts={"check": 1}) == 0  # it is there: nothing is lacking


def test_file_of_pairs_for_a_criterion_of_another_form_is_refused(gallery, tmp_path):
    table = tmp_path / "gold.tsv"
    table.write_text(
        "criterion\tpurpose\tprompt\tbetter\tworse\twhy\n"
        "visual_appeal\tcheck\t\tgood.png\tbad.png\t\n"
    )
    message = "line 2, column criterion: visual_appeal is asked as ranking; a file gives pairs"
    with pytest.raises(BadInputError, match=message):
        import_gold(campaign=gallery, path=table)
