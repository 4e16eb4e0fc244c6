"""A gallery of two checkpoints and a collection of images: every report knows all three."""

import csv
import io
import json

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import all_pictures, ready_sets
from evalplatform.exports.paper.checklist import checklist
from evalplatform.exports.paper.tables import tables
from evalplatform.images.models import CollectedImage
from evalplatform.reports.csv_files import samples_csv, withheld_csv
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.fingerprint import fingerprint
from evalplatform.reports.methods import PlainWording, methods
from evalplatform.reports.results import campaign_results
from evalplatform.reports.table import results_table
from evalplatform.reports.votes_csv import votes_csv
from evalplatform.safety.services import request_checks
from evalplatform.safety.tasks import check_safety
from tests import factories, safety
from tests.campaigns.test_collections_as_arms import collect, make
from tests.reports.test_galleries import voted

pytestmark = pytest.mark.django_db(transaction=True)
PEER = 2  # the place of the collection's arm


def prefer_peer(slot):
    """The collection's image wins wherever it stands; else the first of the set."""
    images = {image.place: image.arm.place for image in slot.item.image_set.images.all()}
    best = max(images, key=lambda place: (images[place] == PEER, -place))
    return factories.pick(slot, best)


def judged(campaign):
    factories.judge_everything(
        campaign, [Annotator.objects.create() for _ in range(3)], prefer_peer
    )
    return Campaign.objects.get(pk=campaign.pk)


@pytest.fixture
def gallery(db):
    campaign = make()
    open_campaign(campaign=campaign)
    return judged(campaign)


@pytest.fixture
def screened(red_detector):
    """Every image of the collection is unsafe: two checkpoints are left."""
    rules = {"safety": {"detector": safety.NAME, "threshold": 0.5}}
    campaign = make(rules=rules, picture=lambda seed, size: safety.picture(seed, 0.9, size))
    pictures = all_pictures(ready_sets(campaign))
    request_checks(pictures=pictures, detector=safety.NAME, now=timezone.now())
    while check_safety(safety.NAME):
        pass
    open_campaign(campaign=campaign)
    return judged(campaign)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_results_rank_the_collection_beside_the_checkpoints(gallery):
    found = json.loads(json.dumps(results_json(campaign_results(gallery))))
    assert [each["name"] for each in found["arms"]] == ["checkpoint-0", "checkpoint-1", "peer"]
    assert found["votes"] == found["votes_wanted"] == 2 * 2 * 4 * 3
    whole = [each for each in found["galleries"] if not each["depth"]]
    assert [each["criterion"] for each in whole] == ["visual_appeal", "text_faithfulness"]
    for each in whole:
        first = each["ranking"]["standings"][0]
        assert (first["arm"], first["unbounded"]) == ("C", "won every comparison")
        assert first["tally"] == {"win": 16, "tie": 0, "lose": 0}


def test_votes_csv_names_the_collection_and_its_images_hash(gallery):
    found = rows(b"".join(votes_csv(gallery)).decode())
    known = set(CollectedImage.objects.values_list("image_sha256", flat=True))
    with_peer = [each for each in found if "C" in each["arms"].split()]
    assert (len(found), len(with_peer)) == (48, 32)
    for each in with_peer:
        place = each["arms"].split().index("C")
        assert each["arm_names"].split("|")[place] == "peer"
        assert each["image_sha256"].split()[place] in known
        assert each["tokens_read"].split()[place] == "?"
        assert each["outcome"] == "C"


def test_samples_csv_has_one_row_an_image_of_either_kind(gallery):
    found = rows(samples_csv(campaign_results(gallery)))
    assert len(found) == 4 * 3
    brought = [each for each in found if each["arm_name"] == "peer"]
    assert {int(each["collected_image"]) for each in brought} == set(
        CollectedImage.objects.values_list("pk", flat=True)
    )
    assert all(each["sample"] == "" and each["sha256"] for each in brought)
    assert all(each["collected_image"] == "" for each in found if each["arm_name"] != "peer")


def test_nothing_is_said_of_how_imported_images_were_made(gallery, client, rania):
    results = campaign_results(gallery)
    said = methods(results, PlainWording())
    assert "C = peer (images of Peer 3; SHA-256 " in said
    assert "Of every prompt each of A, B made one image, none selected by hand (steps" in said
    assert "The images of C existed already and were imported, one image of every prompt" in said
    assert "C = peer (images of Peer 3)" in results_table(results)
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    selection = told["Images per prompt, and no selection by hand"]
    assert selection.endswith("C: imported, only their maker can say")
    assert told["Sampler, steps, guidance, resolution"].startswith("A, B: steps")
    client.force_login(rania)
    page = client.get(reverse("reports:protocol", args=[gallery.slug])).content.decode()
    assert "<dt>Samples</dt><dd>A, B: 1 per prompt and arm, the same seeds for all, none" in page
    assert "<dt>Imported images</dt><dd>C: 1 per prompt and arm; how they were made" in page


def test_quality_tab_speaks_of_text_encoders_where_an_arm_has_some(gallery, client, rania):
    client.force_login(rania)
    address = reverse("reports:quality", args=[gallery.slug])
    page = client.get(address).content.decode()
    assert page.count("imported: not known here") == 1
    assert "Text encoders cut what is longer" in page
    assert "read in full by" not in page  # by all: of C nobody knows
    assert "C = peer: 0 of 4 images of one colour" in results_table(campaign_results(gallery))
    for place, arm in enumerate(gallery.arms.filter(collection=None)):
        brought = collect(gallery.prompt_sets.get(), f"brought-{place}")
        gallery.arms.filter(pk=arm.pk).update(checkpoint=None, collection=brought)
    page = client.get(address).content.decode()
    assert "Images of one colour" in page
    assert "0 of 12 sets showed the same image twice" in page
    assert "ext encoders" not in page
    assert "ead in full" not in page


def test_imported_images_alone_name_no_sampler(gallery):
    results = campaign_results(gallery)
    peer = gallery.contenders[PEER]
    gallery.contenders[:] = [peer]
    results.campaign.contenders[:] = [peer]
    said = methods(results, PlainWording())
    assert "The images of every arm existed already and were imported" in said
    assert "none selected by hand" not in said
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    assert told["Images per prompt, and no selection by hand"] is None
    assert told["Sampler, steps, guidance, resolution"] is None


def test_ratings_are_told_without_a_design_and_grades_without_signs(db, client, rania):
    campaign = voted("rating", prompts=3, k=2, people=2)
    results = campaign_results(campaign)
    said = methods(results, PlainWording())
    assert "Who meets whom" not in said
    assert "Single images are compared by their mean grade" in said
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    assert told["Comparison design, and k"] == "single images; visual_appeal: k = 2"
    assert told["Win, tie, lose with intervals; method"].startswith("mean grades with 95 % ")
    assert "$[+" not in tables(results)["grades"]
    client.force_login(rania)
    page = client.get(reverse("reports:protocol", args=[campaign.slug])).content.decode()
    assert "<dt>Design</dt>" not in page


def test_gallery_says_how_its_intervals_and_tests_were_made(gallery):
    results = campaign_results(gallery)
    said = methods(results, PlainWording())
    assert "on 24 items of 4 prompts (48 of 48 wanted)" in said
    assert "values of all pairs are adjusted by Holm's procedure" in said
    told = {each.item: each.known for each in checklist(results, consent="", licence="")}
    assert told["Prompts, items, votes; exactly k"].startswith("4 prompts, 24 items, 48 of 48")
    assert "pairs and groups by Holm" in told["Test, and control of many comparisons"]
    assert told["Win, tie, lose with intervals; method"].startswith("strengths with 95 % intervals")
    for name in ("strengths", "pairs"):
        table = tables(results)[name]
        assert r"95\,\% interval" in table
        assert "A: checkpoint-{}0; B: checkpoint-{}1; C: peer." in table


def test_dashboard_shows_images_of_the_collection(gallery, client, rania):
    client.force_login(rania)
    page = client.get(reverse("reports:images", args=[gallery.slug])).content.decode()
    shown = [
        each.pk
        for each in CollectedImage.objects.all()
        if reverse("registry:collected_thumbnail", args=[each.pk]) in page
    ]
    assert len(shown) == 4
    assert "peer" in page
    offline = offline_dashboard(campaign_results(gallery))
    # 12 sets of pairs are shown, every image inside the file
    assert offline.count("data:image/") >= 24


def test_results_are_computed_anew_when_a_collection_is_renamed(gallery):
    before = fingerprint(gallery)
    arm = gallery.contenders[PEER]
    type(arm.collection).objects.filter(pk=arm.collection_id).update(model="renamed")
    assert fingerprint(gallery) != before


def test_withheld_images_of_a_collection_are_listed_and_in_no_figure(screened):
    results = campaign_results(screened)
    found = rows(withheld_csv(results))
    assert len(found) == 4
    known = set(CollectedImage.objects.values_list("image_sha256", flat=True))
    assert {each["arm"] for each in found} == {"C"}
    assert {each["image_sha256"] for each in found} == known
    content = json.loads(json.dumps(results_json(results)))
    assert {each["arm"] for each in content["safety_filter"]["withheld_images"]} == {"C"}
    assert "peer" in offline_dashboard(results)
    voted = rows(b"".join(votes_csv(screened)).decode())
    assert {each["arms"] for each in voted} == {"A B"}
    assert {each["arm_name"] for each in rows(samples_csv(results))} == {
        "checkpoint-0", "checkpoint-1",
    }  # fmt: skip
