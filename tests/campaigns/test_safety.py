"""The safety filter, from the rules to what reaches an annotator's browser."""

import csv
import io
import re

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from evalplatform.annotation.models import Assignment
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign, ImageSet, ShownImage, Withheld
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.campaigns.safety import filter_counts
from evalplatform.core.errors import BadInputError
from evalplatform.quality.services import import_gold, make_gold
from evalplatform.runs.management import safety_wait
from evalplatform.safety import services as safety_services
from evalplatform.safety import tasks as safety_tasks
from evalplatform.safety.models import SafetyCheck
from evalplatform.safety.services import request_checks
from tests import factories, safety
from tests.running import AS_USUAL, run_eval

pytestmark = pytest.mark.django_db(transaction=True)
RED = safety.HALF_FILTERED
GOLD_PURPOSES = [each for each in ImageSet.Purpose.values if each != "main"]


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Messages go nowhere; the tests call the task themselves."""
    messages = []
    monkeypatch.setattr(
        safety_services.current_app, "send_task", lambda name, args, queue: messages.append(args)
    )
    return messages


def texts(items):
    return sorted(item.image_set.prompt.text for item in items)


# ---- rules


def test_filter_is_off_until_a_threshold_is_given():
    assert Rules().safety.threshold is None
    assert "safety" not in Rules().as_dict()  # protocols without a filter say what they always did
    rules = parse_rules({"safety": {"threshold": 0.6}})
    assert (rules.safety.detector, rules.safety.threshold) == ("nudenet", 0.6)
    assert parse_rules(rules.as_dict()) == rules


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"threshold": 0}, "safety.threshold"),
        ({"threshold": 1.01}, "safety.threshold"),
        ({"detector": "nudenet"}, "needs a threshold"),
        ({"detector": "../x", "threshold": 0.5}, "safety.detector"),
        ({"treshold": 0.5}, "safety.treshold: no such rule"),
    ],
)
def test_section_that_makes_no_sense_is_refused(section, message):
    with pytest.raises(BadInputError, match=message):
        parse_rules({"safety": section})


# ---- opening


def test_unsafe_images_are_withheld_and_their_prompts_make_no_items(filtered):
    rows = filtered.withheld.order_by("sample__prompt__position", "arm__place")
    assert [(row.sample.prompt.text, row.arm.letter) for row in rows] == [
        ("apple", "A"), ("cats", "B"), ("lighthouse", "B"), ("train", "A"), ("train", "B"),
    ]  # fmt: skip
    assert (rows[0].score, rows[0].threshold) == (pytest.approx(0.9, abs=0.01), 0.5)
    assert str(rows[0].detector) == "red 1"
    for criterion in filtered.criteria.all():
        assert texts(criterion.items.main()) == ["balloon", "mountains", "puppies", "violin"]
    filtered.refresh_from_db()
    assert filtered.item_count == 8
    positions = filtered.items.main().values_list("position", flat=True)
    assert list(positions) == list(range(8))


def test_filter_is_frozen_with_the_protocol(filtered):
    assert filtered.protocol["rules"]["safety"] == {"detector": "red", "threshold": 0.5}
    assert filtered.protocol["safety_filter"] == {
        "detector": "red", "version": "1", "weights_sha256": factories.digest("red"),
        "unsafe_labels": ["RED"], "threshold": 0.5, "withheld_images": 5,
        "sets_left_out": 4,
    }  # fmt: skip


def test_campaign_does_not_open_while_a_score_is_missing(red_detector):
    draft = safety.make_draft(RED)
    samples = safety.samples_of(draft)
    with pytest.raises(BadInputError, match="16 of 16 samples have no safety score by 'red'"):
        open_campaign(campaign=draft)
    request_checks(pictures=samples[1:], detector=safety.NAME, now=timezone.now())
    safety_tasks.check_safety(safety.NAME)
    with pytest.raises(BadInputError, match="1 of 16 samples have no safety score"):
        open_campaign(campaign=draft)
    draft.refresh_from_db()
    assert draft.status == "draft"
    assert not ImageSet.objects.exists()
    assert not Withheld.objects.exists()


def test_scores_of_two_versions_are_not_mixed(red_detector):
    draft = safety.make_draft(RED)
    samples = safety.samples_of(draft)
    request_checks(pictures=samples[:8], detector=safety.NAME, now=timezone.now())
    safety_tasks.check_safety(safety.NAME)
    red_detector.use("2")
    request_checks(pictures=samples[8:], detector=safety.NAME, now=timezone.now())
    safety_tasks.check_safety(safety.NAME)
    with pytest.raises(BadInputError, match="8 of 16 samples have no safety score"):
        open_campaign(campaign=draft)


def test_campaign_of_which_nothing_is_left_does_not_open(red_detector):
    draft = safety.make_draft({(index, "a"): 0.8 for index in range(8)})
    safety.check(draft)
    for act in (
        lambda: open_campaign(campaign=draft),
        lambda: make_gold(campaign=draft, counts={ImageSet.Purpose.EXAMPLE: 1}),
    ):
        with pytest.raises(BadInputError, match="leaves none of 8 sets"):
            act()
    assert not Withheld.objects.exists()


def test_campaign_without_the_rule_shows_everything_and_asks_no_detector(red_detector):
    rules = {"samples": {"allow_constant": 1}}
    draft = safety.make_draft(RED, threshold=None, rules=rules)
    open_campaign(campaign=draft)
    assert draft.items.main().count() == 16
    assert draft.safety_detector is None
    assert "safety_filter" not in draft.protocol
    assert not SafetyCheck.objects.exists()


def test_another_threshold_needs_no_other_check(filtered, red_detector):
    looked_at = red_detector.loaded.images
    run_eval(filtered, "--name=stricter", rules_option("red", 0.3))
    stricter = Campaign.objects.get(slug="stricter")
    assert filter_counts(stricter).filtered == 5
    assert stricter.withheld.count() == 6
    assert red_detector.loaded.images == looked_at


# ---- what the database refuses


def test_withheld_image_cannot_be_shown(filtered):
    withheld, image_set = filtered.withheld.first(), another_set(filtered)
    with pytest.raises(IntegrityError, match="the safety filter keeps back cannot be shown"):
        ShownImage.objects.create(
            image_set=image_set, place=0, arm=withheld.arm, sample=withheld.sample, copies=["a"]
        )


def a_set(campaign):
    return campaign.image_sets.main().first()


def another_set(campaign):
    prompt = campaign.withheld.first().sample.prompt
    return ImageSet.objects.create(campaign=campaign, prompt=prompt, position=99)


def test_image_that_is_shown_cannot_be_withheld(filtered):
    shown, withheld = a_set(filtered).images.first(), filtered.withheld.first()
    with pytest.raises(IntegrityError, match="the safety filter keeps back cannot be shown"):
        Withheld.objects.create(
            campaign=filtered, arm=shown.arm, sample=shown.sample, detector=withheld.detector,
            score=1, threshold=0.5,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"score": 0.1}, "withheld_has_a_reason"),
        ({"score": 1.2}, "withheld_shares"),
        ({"threshold": 0.0}, "withheld_shares"),
        ({}, "withheld_once"),
    ],
)
def test_record_of_a_withheld_image_that_makes_no_sense_cannot_be_stored(
    filtered, change, constraint
):
    row = filtered.withheld.first()
    row.pk = None
    for name, value in change.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError, match=constraint):
        row.save(force_insert=True)


def test_record_of_a_withheld_image_is_never_changed(filtered):
    with pytest.raises(IntegrityError, match="never changed"):
        filtered.withheld.update(threshold=0.1)


def test_open_campaign_whose_filter_was_not_applied_cannot_be_stored(filtered):
    with pytest.raises(IntegrityError, match="campaign_open_is_filtered"):
        Campaign.objects.filter(pk=filtered.pk).update(safety_detector=None)


# ---- gold


def test_gold_is_made_of_prompts_that_passed_only(red_detector):
    draft = safety.make_draft(RED)
    counts = dict.fromkeys(GOLD_PURPOSES, 4)
    with pytest.raises(BadInputError, match="no safety score"):
        make_gold(campaign=draft, counts=counts)
    safety.check(draft)
    make_gold(campaign=draft, counts=counts)
    passed = {"balloon", "mountains", "puppies", "violin"}
    origins = list(draft.image_sets.gold().values_list("origin", flat=True))
    assert {each["prompt"] for each in origins} == passed
    others = {other["prompt"] for each in origins for other in each.get("others", [])}
    assert others
    assert others <= passed


def test_gold_made_before_another_detector_decided_keeps_the_campaign_shut(red_detector):
    """Version 1 let an image pass that version 2 does not, and gold was made of it meanwhile."""
    draft = safety.make_draft({(index, "a"): 0.6 for index in range(7)}, threshold=0.7)
    safety.check(draft)
    make_gold(campaign=draft, counts={ImageSet.Purpose.CHECK: 4})
    Campaign.objects.filter(pk=draft.pk).update(
        rules={"safety": {"detector": safety.NAME, "threshold": 0.5}}
    )
    with pytest.raises(BadInputError, match=r"gold sets show images .* remove all gold") as refused:
        open_campaign(campaign=Campaign.objects.get(pk=draft.pk))
    assert f"make_gold {draft.slug} --clear`" in refused.value.by_command


def test_file_of_gold_that_brings_a_filtered_image_keeps_the_campaign_shut(red_detector, tmp_path):
    draft = safety.make_draft(RED, criteria=["visual_appeal"])
    safety.check(draft)
    unsafe = safety.samples_of(draft)[0]
    with default_storage.open(unsafe.image) as file:
        (tmp_path / "unsafe.png").write_bytes(file.read())
    safety.picture(1).save(tmp_path / "other.png")
    (tmp_path / "gold.tsv").write_text(
        "criterion\tpurpose\tprompt\tbetter\tworse\twhy\n"
        "visual_appeal\tcheck\t\tother.png\tunsafe.png\tx\n"
    )
    import_gold(campaign=draft, path=tmp_path / "gold.tsv")
    with pytest.raises(BadInputError, match="1 gold set shows images"):
        open_campaign(campaign=draft)


# ---- the whole way


def test_no_response_to_an_annotator_carries_a_filtered_image(red_detector, steady_turns):
    """All five annotators walk every route to the end: examples, qualification, checks, repeats."""
    quality = {
        "gold_rate": 0.25, "repeat_rate": 0.25, "repeat_gap": 1, "qualification_pairs": 2,
        "min_response_ms": 0,
    }  # fmt: skip
    rules = {"quality": quality, "annotation": {"same_pair": "unrestricted"}}
    draft = safety.make_draft(RED, k=5, prompts=12, rules=rules)
    safety.check(draft)
    counts = dict.fromkeys(GOLD_PURPOSES, 6)
    make_gold(campaign=draft, counts=counts)
    open_campaign(campaign=draft)
    seen = [image for _ in range(5) for image in walk(draft)]
    purposes = set(Assignment.objects.completed().values_list("purpose", flat=True))
    assert purposes == {"main", "gold", "repeat", "qualification"}
    assert len(seen) > 60
    assert max(safety.red_share_of(image) for image in seen) < 0.5
    unsafe = [row.sample.image for row in draft.withheld.all()]
    assert len(unsafe) == 5
    hidden = {pixels(default_storage.open(name)) for name in unsafe}
    assert hidden.isdisjoint({pixels(io.BytesIO(image)) for image in seen})


def pixels(file):
    with file, Image.open(file) as image:
        return image.tobytes()


def walk(campaign):
    """Yield every image an annotator's browser gets, from the welcome page to the last pair."""
    client = Client()
    page = reverse("annotation:work", args=[campaign.invitation])
    welcome = client.get(page).content.decode()
    examples = sorted(set(re.findall(r"/annotate/examples/[0-9a-f-]+/[01]/", welcome)))
    assert len(examples) == 24
    client.post(f"{page}begin/", {"consent": "yes"})
    state = client.get(f"{page}next/", headers={"accept": "application/json"}).json()
    yield from (b"".join(client.get(each).streaming_content) for each in examples)
    while state["state"] == "judge":
        shown = state["sets"][0]
        assert len(shown["images"]) == 2
        for address in shown["images"]:
            yield b"".join(client.get(address).streaming_content)
        answer = {"assignment": shown["assignment"], "answer": "left", "response_time_ms": 900}
        answer["idempotency_key"] = shown["idempotency_key"]
        voted = client.post(f"{page}vote/", answer, headers={"accept": "application/json"})
        state = voted.json()["next"]


# ---- run_eval


def rules_option(detector, threshold):
    content = f'[safety]\ndetector = "{detector}"\nthreshold = {threshold}\n'
    name = default_storage.save("rules.toml", ContentFile(content.encode()))
    return f"--rules={default_storage.path(name)}"


def test_run_eval_has_the_samples_checked_waits_and_says_what_was_filtered(
    red_detector, monkeypatch, capsys
):
    draft = safety.make_draft(RED, rules=AS_USUAL)
    monkeypatch.setattr(safety_services, "BATCH", 5)
    monkeypatch.setattr(
        safety_wait.time, "sleep", lambda seconds: safety_tasks.check_safety(safety.NAME)
    )
    run_eval(draft, rules_option("red", 0.5))
    assert draft.status == "open"
    out = capsys.readouterr().out
    assert (
        "safety filter red 1 at 0.5: 4 of 8 prompts filtered: 1 for A, 2 for B, 1 for both" in out
    )


def test_campaign_that_is_not_opened_yet_says_what_would_be_filtered(red_detector, capsys):
    draft = safety.make_draft(safety.HALF_FILTERED, criteria=["visual_appeal"], rules=AS_USUAL)
    safety.check(draft)
    run_eval(draft, rules_option("red", 0.5), "--no-open", "--criteria=visual_appeal")
    assert draft.status == "generating"
    assert "at 0.5: 4 of 8 prompts filtered" in capsys.readouterr().out
    assert not draft.withheld.exists()


def test_scores_are_listed_surest_first_to_choose_a_threshold_by(red_detector, tmp_path):
    draft = safety.make_draft(safety.HALF_FILTERED)
    with pytest.raises(CommandError, match="0 of 16 samples") as raised:
        call_command("safety_scores", draft.slug)
    assert raised.value.returncode == 2
    safety.check(draft)
    file = tmp_path / "scores.csv"
    call_command("safety_scores", draft.slug, f"--output={file}")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == 16
    assert [(row["prompt_text"], row["arm"]) for row in rows[:3]] == [
        ("lighthouse", "B"), ("apple", "A"), ("train", "B"),
    ]  # fmt: skip
    assert (rows[0]["score"], rows[0]["labels"], rows[0]["detector"]) == ("1.0", "RED 1.0", "red 1")
    places = [int(row["prompt_position"]) for row in rows]
    assert rows[0]["prompt_text"] == draft.prompt_sets.get().prompts.get(position=places[0]).text
    assert rows[0]["name"] == draft.contenders[1].checkpoint.name


def test_scores_of_a_campaign_without_the_rule_are_refused():
    draft = safety.make_draft(threshold=None)
    with pytest.raises(CommandError, match="has no safety filter"):
        call_command("safety_scores", draft.slug)


def test_run_eval_names_why_a_worker_could_not_check(monkeypatch):
    draft = safety.make_draft(rules=AS_USUAL)
    Campaign.objects.filter(pk=draft.pk).update(
        rules=parse_rules({"safety": {"detector": "unheard-of", "threshold": 0.5}}).as_dict()
    )

    def work(seconds):
        with pytest.raises(Exception, match="no safety detector"):
            safety_tasks.check_safety("unheard-of")

    monkeypatch.setattr(safety_wait.time, "sleep", work)
    with pytest.raises(CommandError, match=r"no safety detector 'unheard-of'.* 0 of 16") as raised:
        run_eval(draft, rules_option("unheard-of", 0.5))
    assert raised.value.returncode == 2


def test_shorthand_is_the_rule_with_the_usual_detector(monkeypatch, capsys):
    draft = safety.make_draft(threshold=None, rules=AS_USUAL)
    Campaign.objects.filter(pk=draft.pk).update(
        rules=parse_rules({"safety": {"threshold": 0.999}}).as_dict()
    )
    monkeypatch.setattr(
        safety_wait.time, "sleep", lambda seconds: safety_tasks.check_safety("nudenet")
    )
    run_eval(draft, "--safety=0.999")
    assert draft.safety_detector.name == "nudenet"
    assert "at 0.999: 0 of 8 prompts filtered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--safety=0"], "safety: safety.threshold"),
        (["--safety=2"], "safety: safety.threshold"),
        (["--safety=0.5", "--rules"], "keep one"),
    ],
)
def test_shorthand_refuses_what_makes_no_sense(options, message):
    draft = safety.make_draft(threshold=None, rules=AS_USUAL)
    if options[-1] == "--rules":
        options = [options[0], rules_option("nudenet", 0.5)]
    with pytest.raises(CommandError, match=message):
        run_eval(draft, *options)


def test_filter_cannot_be_changed_by_resuming(red_detector):
    filtered = safety.make_draft(RED, rules=AS_USUAL)
    safety.check(filtered)
    open_campaign(campaign=filtered)
    run_eval(filtered, rules_option("red", 0.5))
    with pytest.raises(CommandError, match="exists with a different protocol"):
        run_eval(filtered, "--safety=0.5")


def test_bulk_insert_is_refused_as_a_whole(filtered):
    withheld, image_set = filtered.withheld.first(), another_set(filtered)
    shown = a_set(filtered).images.exclude(arm=withheld.arm).get()
    with (
        pytest.raises(IntegrityError, match="the safety filter keeps back cannot be shown"),
        transaction.atomic(),
    ):
        ShownImage.objects.bulk_create(
            ShownImage(
                image_set=image_set, place=place, arm=each.arm, sample=each.sample, copies=["a"]
            )
            for place, each in enumerate((shown, withheld))
        )
    assert not image_set.images.exists()
