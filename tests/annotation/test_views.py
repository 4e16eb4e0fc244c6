"""The annotator's routes: what they answer, and that nothing they answer breaks the blind."""

import io
import re
import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns import showing
from evalplatform.campaigns.models import Campaign, ShownImage
from evalplatform.campaigns.rules import parse_rules
from evalplatform.campaigns.services import close_campaign, pause_campaign
from evalplatform.generation.models import Sample
from evalplatform.generation.services import record_sample
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}


NAMES = ("work", "begin", "next", "vote", "undo", "skip")


@pytest.fixture
def urls(campaign):
    return {n: reverse(f"annotation:{n}", args=[campaign.invitation]) for n in NAMES}


@pytest.fixture
def enrolled(client, urls):
    client.post(urls["begin"])
    return client


def send(client, urls, pair, said="left", **fields):
    body = {
        "assignment": pair["assignment"],
        "idempotency_key": pair["idempotency_key"],
        "answer": said,
        "response_time_ms": "900",
    } | fields
    return client.post(urls["vote"], body, **JSON)


def next_set(client, urls):
    return client.get(urls["next"], **JSON).json()["sets"][0]


def test_welcome_comes_before_consent(client, urls):
    assert "I agree, start" in client.get(urls["work"]).content.decode()
    assert Assignment.objects.filter(annotator__isnull=False).count() == 0
    assert client.get(urls["next"]).status_code == 404


def test_forged_cookie_is_nobody(enrolled, urls):
    known = enrolled.cookies["annotator"]
    assert known["httponly"]
    identifier, _, signature = known.value.partition(":")
    enrolled.cookies["annotator"] = f"{int(identifier) + 1}:{signature}"
    assert enrolled.get(urls["next"]).status_code == 404


def test_vote_answers_with_receipt_and_next_set(enrolled, urls):
    pair = next_set(enrolled, urls)
    answer = send(enrolled, urls, pair).json()
    assert answer["receipt"] == "recorded"
    assert answer["next"]["sets"][0]["assignment"] != pair["assignment"]
    assert answer["next"]["progress"] == {"done": 1, "total": 8}


def test_resent_vote_is_acknowledged(enrolled, urls):
    pair = next_set(enrolled, urls)
    send(enrolled, urls, pair)
    assert send(enrolled, urls, pair).json()["receipt"] == "repeated"
    assert Vote.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [{"answer": "A"}, {"assignment": "x"}, {"idempotency_key": ""}, {"response_time_ms": "fast"},
     {"assignment": str(uuid.uuid4())}],
)  # fmt: skip
def test_bad_vote_is_refused_with_a_reason(enrolled, urls, fields):
    response = send(enrolled, urls, next_set(enrolled, urls), **fields)
    assert response.status_code == 400
    assert response.json()["error"]
    assert (Vote.objects.count(), SurplusVote.objects.count()) == (0, 0)


def test_answer_without_the_next_pair_is_just_the_receipt(enrolled, urls):
    assert send(enrolled, urls, next_set(enrolled, urls), want=0).json() == {"receipt": "recorded"}


@pytest.mark.parametrize("want", ["x", "-1", "1.5", "²"])
def test_number_of_pairs_wanted_is_checked(enrolled, urls, want):
    assert send(enrolled, urls, next_set(enrolled, urls), want=want).status_code == 400
    assert enrolled.get(urls["next"], {"want": want}, **JSON).status_code == 400
    assert Vote.objects.count() == 0


def test_no_more_than_eight_pairs_are_held(client):
    campaign = factories.make_bulk_draft(prompts=60, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    client.post(reverse("annotation:begin", args=[campaign.invitation]))
    url = reverse("annotation:next", args=[campaign.invitation])
    assert len(client.get(url, {"want": 99}, **JSON).json()["sets"]) == 8
    assert Assignment.objects.filter(annotator__isnull=False).count() == 8


def test_vote_keeps_what_the_screen_was_like(enrolled, urls):
    screen = {"viewport_width": 375, "viewport_height": 720, "pixel_ratio": "2.5", "zoomed": 1}
    send(enrolled, urls, next_set(enrolled, urls), **screen)
    stored = Vote.objects.get()
    assert (stored.viewport_width, stored.viewport_height) == (375, 720)
    assert (stored.pixel_ratio, stored.zoomed) == (2.5, True)


def test_undo_over_http_brings_the_pair_back_under_a_new_key(enrolled, urls):
    pair = next_set(enrolled, urls)
    undo = send(enrolled, urls, pair).json()["next"]["undo"]
    assert undo["assignment"] == pair["assignment"]
    answer = enrolled.post(urls["undo"], {"idempotency_key": undo["idempotency_key"]}, **JSON)
    assert answer.json()["receipt"] == "undone"
    first = answer.json()["next"]["sets"][0]
    assert first["assignment"] == pair["assignment"]
    assert first["idempotency_key"] != pair["idempotency_key"]
    assert answer.json()["next"]["undo"] is None


def test_plain_forms_undo_and_skip_too(enrolled, urls):
    pair = next_set(enrolled, urls)
    enrolled.post(urls["vote"], {**keys_of(pair), "answer": "left"})
    assert enrolled.post(urls["undo"])["Location"] == urls["work"]
    skipped = enrolled.post(urls["skip"], {**keys_of(pair), "reason": "unsafe"})
    assert skipped["Location"] == urls["work"]
    assert Vote.objects.get().retracted_at is not None


@pytest.fixture
def ranked(client):
    """The first set of a campaign that ranks three images, and the address of its votes."""
    campaign = factories.make_draft(
        arms=3, form="ranking", design="together", criteria=["visual_appeal"]
    )
    open_campaign(campaign=campaign)
    urls = {n: reverse(f"annotation:{n}", args=[campaign.invitation]) for n in NAMES}
    client.post(urls["begin"])
    return next_set(client, urls), urls


@pytest.mark.parametrize(
    ("places", "answer"), [("123", "0>1>2"), ("211", "1=2>0"), ("919", "1>0=2"), ("444", "0=1=2")]
)
def test_plain_form_of_a_ranking_gives_each_image_a_place(client, ranked, places, answer):
    shown, urls = ranked
    fields = {f"rank-{position}": place for position, place in enumerate(places)}
    sent = client.post(urls["vote"], {**keys_of(shown), "answer": "", **fields})
    assert sent.status_code == 302
    vote = Vote.objects.get()
    assert vote.answer == answer
    worst_first = sorted(set(places), reverse=True)
    assert [vote.grades[place] for place in vote.order] == [worst_first.index(p) for p in places]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rank-0": "1", "rank-1": "", "rank-2": "2"}, "image 2 has no place"),
        ({"rank-0": "1", "rank-2": "2"}, "image 2 has no place"),
        ({"rank-0": "1", "rank-1": "2"}, "image 2 has no place"),
        ({"rank-0": "1", "rank-1": "0", "rank-2": "2"}, "image 2 has no place"),
        ({"rank-0": "1", "rank-1": "2", "rank-2": "²"}, "image 3 has no place"),
        ({"rank-0": "1", "rank-1": "2", "rank-2": "3", "rank-3": "4"}, "no image of this set of 3"),
        ({"answer": "0>1"}, "image 2 has no place"),
        ({"answer": "0>1>2>2"}, "an image has two places"),
        ({"answer": "left"}, "is no image of this set of 3"),
    ],
)
def test_incomplete_ranking_is_refused_with_what_is_wrong(client, ranked, fields, words):
    shown, urls = ranked
    response = client.post(urls["vote"], {**keys_of(shown), **fields})
    assert response.status_code == 400
    assert words in response.content.decode().lower()
    assert Vote.objects.count() == 0


def test_page_brings_the_forms_of_its_campaign_alone(client, ranked):
    page = client.get(ranked[1]["work"]).content.decode()
    assert re.findall(r"/forms/(\w+)", page) == ["base", "ranking"]
    assert re.findall(r'data-form="(\w+)"', page) == ["ranking"]


def keys_of(pair):
    return {name: pair[name] for name in ("assignment", "idempotency_key")}


def test_plain_form_that_makes_no_sense_gets_a_page_with_the_way_back(enrolled, urls):
    response = enrolled.post(urls["skip"], {**keys_of(next_set(enrolled, urls)), "reason": ""})
    assert response.status_code == 400
    assert "send one of broken_image" in response.content.decode()
    assert f'href="{urls["work"]}"' in response.content.decode()


def test_last_free_pairs_in_other_hands_are_waited_for(campaign, urls):
    Assignment.objects.exclude(slot=1, item__criterion__slug="visual_appeal").delete()
    with factories.thawed():
        campaign.criteria.update(k=1)
    first, second = Client(), Client()
    for client in (first, second):
        client.post(urls["begin"])
    held = first.get(urls["next"], {"want": 5}, **JSON).json()["sets"]
    while (state := second.get(urls["next"], **JSON).json())["state"] == "judge":
        send(second, urls, state["sets"][0])
    assert state["state"] == "waiting"
    while held:
        for pair in held:
            send(first, urls, pair)
        held = first.get(urls["next"], {"want": 5}, **JSON).json()["sets"]
    assert second.get(urls["next"], **JSON).json()["state"] == "done"


def test_paused_campaign_says_so(enrolled, urls, campaign):
    pause_campaign(campaign=campaign)
    assert enrolled.get(urls["next"], **JSON).json()["state"] == "paused"


def test_progress_never_goes_back_and_ends_full(campaign, urls):
    clients = [Client() for _ in range(7)]
    shares = {client: [] for client in clients}
    for client in clients:
        client.post(urls["begin"])
    busy = True
    while busy:
        busy = False
        for client in clients:
            state = client.get(urls["next"], {"want": 3}, **JSON).json()
            done, total = state["progress"]["done"], state["progress"]["total"]
            shares[client].append(done / total if total else 1.0)
            if state["state"] == "judge":
                busy = True
                send(client, urls, state["sets"][0])
    for share in shares.values():
        assert share == sorted(share)
        assert share[-1] == 1.0


def test_closed_campaign_says_so(enrolled, urls, campaign):
    close_campaign(campaign=campaign)
    assert enrolled.get(urls["next"], **JSON).json()["state"] == "closed"
    assert "This study has ended" in enrolled.get(urls["work"]).content.decode()


def test_campaign_that_is_not_open_yet_is_not_there(client, draft):
    url = reverse("annotation:work", args=[draft.invitation])
    assert client.get(url).status_code == 404


def test_images_are_served_to_their_annotator_only(enrolled, urls):
    pair = next_set(enrolled, urls)
    image = enrolled.get(pair["images"][0])
    assert body(image).startswith(b"\x89PNG")
    assert (image.status_code, image["Content-Type"]) == (200, "image/png")
    assert Client().get(pair["images"][0]).status_code == 404
    stranger = Client()
    stranger.post(urls["begin"])
    assert stranger.get(pair["images"][0]).status_code == 404
    assert enrolled.get(pair["images"][0].replace("/0/", "/2/")).status_code == 404


def test_images_stand_on_the_planned_sides(enrolled, urls):
    from django.core.files.storage import default_storage

    orders = set()
    for pair in enrolled.get(urls["next"], {"want": 8}, **JSON).json()["sets"]:
        slot = Assignment.objects.get(public_id=pair["assignment"])
        orders.add(tuple(slot.order))
        for url, place in zip(pair["images"], slot.order, strict=True):
            sample = slot.item.image_set.images.get(place=place).sample
            shown = Image.open(io.BytesIO(body(enrolled.get(url))))
            with default_storage.open(sample.image) as file:
                assert shown.tobytes() == Image.open(file).tobytes()
    assert orders == {(0, 1), (1, 0)}


def test_personal_link_signs_the_annotator_in_and_leaves_the_address_bar(client, urls, ana):
    response = client.get(urls["work"], {"key": ana.access_key})
    assert response["Location"] == urls["work"]
    client.post(urls["begin"])
    assert ana.enrolments.count() == 1
    assert client.get(urls["work"], {"key": "wrong"}).status_code == 404


def test_csrf_token_is_demanded(campaign, urls):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(urls["begin"]).status_code == 403


GOLD = {
    "annotation": {"session_cap": 14},
    "quality": {"gold_rate": 0.25, "repeat_rate": 0.25, "repeat_gap": 1, "qualification_pairs": 1},
    "questionnaire": [{"name": "eyes", "label": "Glasses?", "choices": ["yes", "no"]}],
}


@pytest.fixture
def everything_on(steady_turns):
    """A campaign with qualification, gold, repeats, examples, session cap and questionnaire."""
    campaign = factories.make_draft(prompts=6, rules=GOLD)
    for purpose in ("example", "qualification", "check"):
        factories.add_gold(campaign, purpose, 3)
    open_campaign(campaign=campaign)
    return campaign


def test_no_response_tells_which_checkpoint_made_an_image(everything_on):
    """Walk everything one annotator can get, to the end, and hunt for what must stay hidden."""
    campaign = everything_on
    names = ("work", "begin", "next", "vote", "undo", "skip", "questionnaire")
    urls = {n: reverse(f"annotation:{n}", args=[campaign.invitation]) for n in names}
    annotator = Client()
    welcome = annotator.get(urls["work"])
    images = re.findall(r'src="([^"]*/examples/[^"]*)"', welcome.content.decode())
    assert len(images) == 2 * 2 * 3
    responses = [welcome, annotator.post(urls["begin"])]
    responses += [annotator.get(url) for url in images]
    prompts = [each.prompt_text for each in campaign.image_sets.exclude(purpose="example")]
    seen, turn = {"prompt": 0, "hidden": 0}, 0
    while (state := ask(annotator, urls, responses))["state"] == "judge":
        turn += 1
        pair = state["sets"][0]
        batch = [annotator.get(urls["work"]), annotator.get(urls["next"], {"want": 3}, **JSON)]
        batch += [annotator.get(url) for each in state["sets"] for url in each["images"]]
        if turn == 3:
            fields = {"assignment": pair["assignment"], "reason": "cannot_judge", "want": 3}
            responses.append(annotator.post(urls["skip"], fields, **JSON))
        else:
            responses.append(send(annotator, urls, pair, want=3))
        if turn == 5:
            responses.append(annotator.post(urls["undo"], {"want": 3}, **JSON))
        if pair["criterion"] == "visual_appeal":
            # The vote's answer carries the next pair, which may be one that shows its prompt.
            seen["hidden"] += 1
            for response in batch:
                assert not any(prompt.encode() in everything(response) for prompt in prompts)
        else:
            assert pair["prompt"] in prompts
            seen["prompt"] += 1
        responses += batch
    assert min(seen.values()) >= 3
    assert state["state"] == "questionnaire"
    responses.append(annotator.get(urls["work"]))
    responses.append(annotator.post(urls["questionnaire"], {"eyes": "yes"}, **JSON))
    assert responses[-1].json()["next"]["state"] == "finished"
    responses.append(annotator.get(urls["work"]))
    for response in responses:
        content = everything(response)
        for secret in secrets_of(campaign):
            assert secret.encode() not in content, secret


def ask(client, urls, responses):
    response = client.get(urls["next"], {"want": 3}, **JSON)
    responses.append(response)
    return response.json()


def test_later_pair_that_shows_its_prompt_is_not_sent_along_with_one_that_hides_it(campaign, urls):
    annotator = Client()
    annotator.post(urls["begin"])
    for _ in range(3):
        send(annotator, urls, next_set(annotator, urls))
    state = annotator.get(urls["next"], {"want": 3}, **JSON).json()
    assert [pair["criterion"] for pair in state["sets"]] == ["visual_appeal"]
    answer = send(annotator, urls, state["sets"][0], want=3).json()
    assert [pair["criterion"] for pair in answer["next"]["sets"]] == ["text_faithfulness"] * 2


def test_images_of_different_sizes_are_shown_at_one_size(draft, client):
    """A checkpoint that draws larger is not told by the size of its images."""
    sample = Sample.objects.filter(checkpoint=draft.contenders[0].checkpoint)
    for row in sample:
        Sample.objects.filter(pk=row.pk).update(status="planned", image="", image_sha256="")
        record_sample(sample=row, image=factories.make_image(row.pk, 24), now=timezone.now())
    open_campaign(campaign=draft)
    urls = {n: reverse(f"annotation:{n}", args=[draft.invitation]) for n in ("begin", "next")}
    client.post(urls["begin"])
    pair = next_set(client, urls)
    images = [body(client.get(url)) for url in pair["images"]]
    assert [Image.open(io.BytesIO(each)).size for each in images] == [(16, 16), (16, 16)]


def test_smaller_copy_is_sent_at_a_width_that_the_state_names(draft, client, monkeypatch):
    monkeypatch.setattr(showing, "LADDER", (8,))
    Campaign.objects.update(rules=parse_rules({"annotation": {"delivery": "webp"}}).as_dict())
    open_campaign(campaign=draft)
    urls = {n: reverse(f"annotation:{n}", args=[draft.invitation]) for n in ("begin", "next")}
    client.post(urls["begin"])
    state = client.get(urls["next"], **JSON).json()
    assert state["widths"] == [8]
    url = state["sets"][0]["images"][0]
    page = client.get(reverse("annotation:work", args=[draft.invitation])).content.decode()
    assert f'srcset="{url}?width=8 8w, {url} 4096w"' in page
    for asked, side in (("", 16), ("?width=8", 8)):
        response = client.get(url + asked)
        assert response["Content-Type"] == "image/webp"
        assert Image.open(io.BytesIO(body(response))).size == (side, side)
    statuses = [client.get(f"{url}?width={width}").status_code for width in ("16", "0", "-8", "x")]
    assert statuses == [404, 400, 400, 400]


def test_proxy_is_told_what_to_send_and_python_sends_no_image(enrolled, urls, settings):
    settings.IMAGE_ACCEL_PREFIX = "/protected/"
    response = enrolled.get(next_set(enrolled, urls)["images"][0])
    assert response["X-Accel-Redirect"].startswith("/protected/shown/")
    assert response.content == b""


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
    secrets = [campaign.slug, "quality_tuned", "pretrained", "checkpoint", "gold", "repeat", "arm"]
    for arm in campaign.contenders:
        secrets += [arm.name, arm.sha256]
    for image in ShownImage.objects.filter(image_set__campaign=campaign).select_related("sample"):
        secrets += image.copies
        if image.sample:
            secrets += [image.sample.image, image.sample.image_sha256, str(image.sample.seed)]
    return secrets


def test_the_hunt_would_find_a_leak(campaign):
    """The test above can fail: a header with a checkpoint's name is found."""
    from django.http import HttpResponse

    leak = HttpResponse(headers={"X-Model": campaign.contenders[0].name})
    assert any(secret.encode() in everything(leak) for secret in secrets_of(campaign))


def test_served_images_are_bare_png(enrolled, urls):
    """No text, time or profile chunk that could tell where an image came from."""
    content = body(enrolled.get(next_set(enrolled, urls)["images"][0]))
    assert content.startswith(b"\x89PNG")
    chunks = re.findall(rb"(IHDR|PLTE|IDAT|IEND|tEXt|zTXt|iTXt|eXIf|tIME|iCCP|pHYs|gAMA)", content)
    assert set(chunks) <= {b"IHDR", b"IDAT", b"IEND"}


def test_sides_do_not_tell(campaign):
    """Over a campaign the first arm stands on the left as often as on the right."""
    left = Assignment.objects.filter(order=[0, 1]).count()
    assert left == Assignment.objects.count() / 2


def test_annotators_do_not_see_each_others_answers(campaign, urls, ana):
    factories.judge_everything(campaign, [ana], lambda assignment: "left")
    other = Client()
    other.post(urls["begin"])
    assert other.get(urls["next"], **JSON).json()["progress"]["done"] == 0
