"""The annotator's routes: what they answer, and that nothing they answer breaks the blind."""

import re
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.campaigns.services import close_campaign
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}


@pytest.fixture
def urls(campaign):
    names = ("work", "begin", "next", "vote")
    return {n: reverse(f"annotation:{n}", args=[campaign.invitation]) for n in names}


@pytest.fixture
def enrolled(client, urls):
    client.post(urls["begin"])
    return client


def send(client, urls, pair, choice="left", **fields):
    body = {
        "assignment": pair["assignment"],
        "idempotency_key": pair["idempotency_key"],
        "choice": choice,
        "response_time_ms": "900",
    } | fields
    return client.post(urls["vote"], body, **JSON)


def next_pair(client, urls):
    return client.get(urls["next"], **JSON).json()["pairs"][0]


def test_welcome_comes_before_consent(client, urls):
    assert "I agree, start" in client.get(urls["work"]).content.decode()
    assert Assignment.objects.filter(annotator__isnull=False).count() == 0
    assert client.get(urls["next"]).status_code == 404


def test_vote_answers_with_receipt_and_next_pair(enrolled, urls):
    pair = next_pair(enrolled, urls)
    answer = send(enrolled, urls, pair).json()
    assert answer["receipt"] == "recorded"
    assert answer["next"]["pairs"][0]["assignment"] != pair["assignment"]
    assert answer["next"]["progress"] == {"done": 1, "total": 8}


def test_resent_vote_is_acknowledged(enrolled, urls):
    pair = next_pair(enrolled, urls)
    send(enrolled, urls, pair)
    assert send(enrolled, urls, pair).json()["receipt"] == "repeated"
    assert Vote.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [{"choice": "A"}, {"assignment": "x"}, {"idempotency_key": ""}, {"response_time_ms": "fast"},
     {"assignment": str(uuid.uuid4())}],
)  # fmt: skip
def test_bad_vote_is_refused_with_a_reason(enrolled, urls, fields):
    response = send(enrolled, urls, next_pair(enrolled, urls), **fields)
    assert response.status_code == 400
    assert response.json()["error"]
    assert (Vote.objects.count(), SurplusVote.objects.count()) == (0, 0)


def test_closed_campaign_says_so(enrolled, urls, campaign):
    close_campaign(campaign=campaign)
    assert enrolled.get(urls["next"], **JSON).json()["state"] == "closed"
    assert "This study has ended" in enrolled.get(urls["work"]).content.decode()


def test_campaign_that_is_not_open_yet_is_not_there(client, draft):
    url = reverse("annotation:work", args=[draft.invitation])
    assert client.get(url).status_code == 404


def test_images_are_served_to_their_annotator_only(enrolled, urls):
    pair = next_pair(enrolled, urls)
    image = enrolled.get(pair["left"])
    assert body(image).startswith(b"\x89PNG")
    assert (image.status_code, image["Content-Type"]) == (200, "image/png")
    assert Client().get(pair["left"]).status_code == 404
    stranger = Client()
    stranger.post(urls["begin"])
    assert stranger.get(pair["left"]).status_code == 404
    assert enrolled.get(pair["left"].replace("/left/", "/middle/")).status_code == 404


@pytest.mark.parametrize("a_on_left", [True, False])
def test_images_stand_on_the_planned_sides(enrolled, urls, a_on_left):
    from django.core.files.storage import default_storage

    pair = next_pair(enrolled, urls)
    Assignment.objects.filter(public_id=pair["assignment"]).update(a_on_left=a_on_left)
    comparison = Assignment.objects.get(public_id=pair["assignment"]).comparison
    left = comparison.sample_a if a_on_left else comparison.sample_b
    with default_storage.open(left.image) as file:
        stored = file.read()
    assert body(enrolled.get(pair["left"])) == stored


def test_personal_link_signs_the_annotator_in_and_leaves_the_address_bar(client, urls, ana):
    response = client.get(urls["work"], {"key": ana.access_key})
    assert response["Location"] == urls["work"]
    client.post(urls["begin"])
    assert ana.enrolments.count() == 1
    assert client.get(urls["work"], {"key": "wrong"}).status_code == 404


def test_csrf_token_is_demanded(campaign, urls):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(urls["begin"]).status_code == 403


def test_no_response_tells_which_checkpoint_made_an_image(campaign, urls):
    """Walk everything one annotator can get, to the end, and hunt for what must stay hidden."""
    annotator = Client()
    responses = [annotator.get(urls["work"]), annotator.post(urls["begin"])]
    prompts = [comparison.prompt.text for comparison in campaign.comparisons.all()]
    seen_prompt = 0
    while (state := annotator.get(urls["next"], **JSON).json())["state"] == "pair":
        pair = state["pairs"][0]
        batch = [annotator.get(urls["work"]), annotator.get(urls["next"], **JSON)]
        batch += [annotator.get(pair["left"]), annotator.get(pair["right"])]
        batch.append(send(annotator, urls, pair))
        if pair["criterion"] == "visual_appeal":
            # The vote's answer carries the next pair, which may be one that shows its prompt.
            for response in batch[:-1]:
                assert not any(prompt.encode() in everything(response) for prompt in prompts)
        else:
            assert pair["prompt"] in prompts
            seen_prompt += 1
        responses += batch
    assert seen_prompt == 4
    responses.append(annotator.get(urls["work"]))
    for response in responses:
        content = everything(response)
        for secret in secrets_of(campaign):
            assert secret.encode() not in content, secret


def body(response) -> bytes:
    if not response.streaming:
        return response.content
    response.body = getattr(response, "body", None) or b"".join(response.streaming_content)
    response.close()
    return response.body


def everything(response) -> bytes:
    """Return a response's headers, cookies and body as one string of bytes."""
    cookies = response.cookies.output().encode()
    return str(dict(response.items())).encode() + cookies + body(response)


def secrets_of(campaign) -> list[str]:
    rows = [campaign.checkpoint_a, campaign.checkpoint_b]
    secrets = [campaign.slug, "quality_tuned", "pretrained", "checkpoint", "sample_a", "a_on_left"]
    secrets += [row.name for row in rows] + [row.sha256 for row in rows]
    for comparison in campaign.comparisons.select_related("sample_a", "sample_b"):
        for sample in (comparison.sample_a, comparison.sample_b):
            secrets += [sample.image, sample.image_sha256, str(sample.seed)]
    return secrets


def test_the_hunt_would_find_a_leak(campaign):
    """The test above can fail: a header with a checkpoint's name is found."""
    from django.http import HttpResponse

    leak = HttpResponse(headers={"X-Model": campaign.checkpoint_a.name})
    assert any(secret.encode() in everything(leak) for secret in secrets_of(campaign))


def test_served_images_are_bare_png(enrolled, urls):
    """No text, time or profile chunk that could tell where an image came from."""
    content = body(enrolled.get(next_pair(enrolled, urls)["left"]))
    assert content.startswith(b"\x89PNG")
    chunks = re.findall(rb"(IHDR|PLTE|IDAT|IEND|tEXt|zTXt|iTXt|eXIf|tIME|iCCP|pHYs|gAMA)", content)
    assert set(chunks) <= {b"IHDR", b"IDAT", b"IEND"}


def test_sides_do_not_tell(campaign):
    """Over a campaign A stands on the left as often as on the right."""
    left = Assignment.objects.filter(a_on_left=True).count()
    assert left == Assignment.objects.count() / 2


def test_annotators_do_not_see_each_others_answers(campaign, urls, ana):
    factories.judge_everything(campaign, [ana], lambda assignment: "left")
    other = Client()
    other.post(urls["begin"])
    assert other.get(urls["next"], **JSON).json()["progress"]["done"] == 0
