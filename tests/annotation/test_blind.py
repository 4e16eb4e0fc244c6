"""What a check may not be told by: everything an annotator can do with it is as with any pair."""

from datetime import timedelta

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation import views
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services import exclude, give_back, open_campaign, reinstate
from evalplatform.campaigns.forms import form_named
from tests import factories

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("steady_turns"),
]
JSON = {"headers": {"accept": "application/json"}}
RULES = {"quality": {"gold_rate": 0.3, "repeat_rate": 0.2, "repeat_gap": 1}}
KINDS = {"main", "gold", "repeat"}


SHAPES = {
    "pair": {"prompts": 60},
    "gallery": {"prompts": 12, "arms": 3},
    "ranking": {"prompts": 36, "arms": 3, "design": "together", "form": "ranking"},
}


@pytest.fixture(params=SHAPES)
def browser(request):
    """An annotator at work in a campaign half of whose turns are checks."""
    campaign = factories.make_bulk_draft(
        criteria=["visual_appeal"], rules=RULES, **SHAPES[request.param]
    )
    factories.add_gold(campaign, "check", 36)
    open_campaign(campaign=campaign)
    return Browser(campaign)


def test_every_answer_about_pairs_waits_for_a_time_of_its_own(browser, monkeypatch):
    """How long a check takes to make is then not to be read from one answer."""
    waits = []
    monkeypatch.setattr(views.time, "sleep", waits.append)
    (pair,) = browser.state()["sets"]
    browser.vote(pair, want=1)
    (pair,) = browser.state()["sets"]
    browser.vote(pair, want=0)
    browser.client.get(browser.url)
    assert len(waits) == len(set(waits)) == 5
    assert min(waits) > 0


class Browser:
    def __init__(self, campaign):
        self.url = reverse("annotation:work", args=[campaign.invitation])
        self.client = Client()
        self.client.post(f"{self.url}begin/")

    @property
    def enrolment(self):
        return Enrolment.objects.get()

    def state(self, want=1):
        return self.client.get(f"{self.url}next/", {"want": want}, **JSON).json()

    def vote(self, pair, **fields):
        keys = {name: pair[name] for name in ("assignment", "idempotency_key")}
        said = {"answer": pair["answers"][0] if pair["answers"] else "1>0=2"}
        return self.client.post(f"{self.url}vote/", keys | said | fields, **JSON).json()

    def skip(self, pair):
        fields = {"assignment": pair["assignment"], "reason": "unsafe"}
        return self.client.post(f"{self.url}skip/", fields, **JSON).json()

    def image(self, pair):
        """Return the status that all images of a set are answered with."""
        (status,) = {self._status(url) for url in pair["images"]}
        return status

    def _status(self, url):
        response = self.client.get(url)
        response.close()
        return response.status_code

    def one_of_each(self):
        """Walk on, answering, until a pair of every kind was held; yield each as it is held."""
        missing = set(KINDS)
        while missing:
            pair = self.state()["sets"][0]
            kind = Assignment.objects.get(public_id=pair["assignment"]).purpose
            if kind in missing:
                missing.remove(kind)
                yield kind, pair
            if self.state()["sets"][0]["assignment"] == pair["assignment"]:
                self.vote(pair)


def test_skipped_check_is_gone_as_a_skipped_pair_is(browser):
    told = {}
    for kind, pair in browser.one_of_each():
        before = self_total(browser)
        first, again = browser.skip(pair), browser.skip(pair)
        told[kind] = (
            first["receipt"], again["receipt"], browser.image(pair), browser.vote(pair)["receipt"],
            self_total(browser) - before,
        )  # fmt: skip
    assert set(told) == KINDS
    assert set(told.values()) == {("skipped", "repeated", 404, "surplus", -1)}


def self_total(browser):
    return browser.state()["progress"]["total"]


def test_answered_check_can_be_undone_and_seen_as_an_answered_pair(browser):
    told = {}
    for kind, pair in browser.one_of_each():
        voted = browser.vote(pair)
        seen = browser.image(pair)
        undone = browser.client.post(f"{browser.url}undo/", {}, **JSON).json()
        back = undone["next"]["sets"][0]
        told[kind] = (
            voted["receipt"], voted["next"]["undo"]["assignment"] == pair["assignment"], seen,
            undone["receipt"], back["assignment"] == pair["assignment"], browser.image(back),
            browser.vote(back)["receipt"], browser.vote(back)["receipt"], tuple(back),
        )  # fmt: skip
    assert set(told) == KINDS
    assert len(set(told.values())) == 1


@pytest.mark.parametrize("how", ["returned", "excluded"])
def test_images_of_checks_go_with_those_of_pairs_when_the_work_ends(browser, how):
    answered = dict(browser.one_of_each())
    held = browser.state(8)["sets"]
    assert {browser.image(pair) for pair in [*answered.values(), *held]} == {200}
    now = timezone.now()
    if how == "returned":
        give_back(enrolment=browser.enrolment, now=now)
        assert {browser.image(pair) for pair in answered.values()} == {200}
        assert {browser.image(pair) for pair in held} == {404}
        return
    exclusion = exclude(enrolment=browser.enrolment, rule="manual", detail="x", now=now)
    assert {browser.image(pair) for pair in [*answered.values(), *held]} == {404}
    reinstate(exclusion=exclusion, now=now)
    assert {browser.image(pair) for pair in answered.values()} == {200}


def test_check_does_not_stay_when_others_have_taken_all_other_pairs(browser):
    """After a long absence the pairs are others'; the one still there would be the check."""
    for kind, pair in browser.one_of_each():
        if kind == "main":
            continue
        past = timezone.now() - timedelta(hours=2)
        Assignment.objects.filter(public_id=pair["assignment"]).update(
            leased_at=past, lease_expires_at=past + timedelta(hours=1)
        )
        assert browser.state()["sets"][0]["assignment"] != pair["assignment"]
        assert browser.vote(pair)["receipt"] == "recorded"  # what was answered offline counts


@pytest.mark.parametrize("form", ["pair", "ranking"])
def test_place_of_an_item_does_not_tell_where_an_arm_stands(form):
    """Which arm stands first is as likely at every slot of every item; of a pair with five slots
    either arm has three left ones, and of two neighbours each has them once."""
    n = {"pair": 2, "ranking": 3}[form]
    first = np.array(
        [
            [[order[0] for order in each] for each in form_named(form).orders(
                k=5, sizes=[n] * 10, rng=np.random.default_rng(seed)
            )]
            for seed in range(400)
        ]
    )  # fmt: skip
    for place in range(n):
        assert (abs((first == place).mean(axis=0) - 1 / n) < 0.1).all()
    if form == "pair":
        more = (first == 0).sum(axis=2) == 3
        assert (more[:, ::2] != more[:, 1::2]).all()
        assert (abs(more.mean(axis=0) - 0.5) < 0.1).all()
