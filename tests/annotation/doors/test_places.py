"""Where annotators began: told apart, never stored, shown as information, and forgotten."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.doors.places import footprint_of, shared_places
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import enrol, open_campaign
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return factories.make_draft(sampled=False, prompts=1)


def come(campaign, name: str, address: str, browser: str = "Firefox") -> Enrolment:
    request = RequestFactory().get("/", REMOTE_ADDR=address, headers={"user-agent": browser})
    annotator = Annotator.objects.create(pseudonym=name)
    return enrol(campaign=campaign, annotator=annotator, footprint=footprint_of(request, campaign))


def test_people_of_one_place_are_named_together(campaign):
    come(campaign, "ann-1", "203.0.113.9")
    come(campaign, "ann-2", "203.0.113.9")
    come(campaign, "ann-3", "203.0.113.9", "Chrome")
    come(campaign, "ann-4", "203.0.113.10")
    come(campaign, "ann-5", "2001:db8:1:2::1")
    come(campaign, "ann-6", "2001:db8:1:2::2")
    found = shared_places(campaign, timezone.now())
    assert [(each.pseudonyms, each.same_browser) for each in found] == [
        (("ann-1", "ann-2", "ann-3"), 2),
        (("ann-5", "ann-6"), 2),
    ]


def test_no_address_or_browser_is_stored(campaign):
    enrolment = come(campaign, "ann-1", "203.0.113.9", "Browser of Ana")
    stored = str(Enrolment.objects.values().get())
    assert "203.0" not in stored
    assert "Browser" not in stored
    assert len(enrolment.address_hash) == len(enrolment.browser_hash) == 64


def test_places_of_two_campaigns_and_of_two_sites_cannot_be_put_together(campaign, settings):
    other = factories.make_draft(slug="other", sampled=False, prompts=1)
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")
    here = footprint_of(request, campaign).address_hash
    assert here == footprint_of(request, campaign).address_hash
    assert here != footprint_of(request, other).address_hash
    settings.SECRET_KEY = "of another site"
    assert here != footprint_of(request, campaign).address_hash


def test_places_are_forgotten_after_their_time(campaign, settings):
    settings.PLACES_KEPT_DAYS = 30
    now = timezone.now()
    for name in ("ann-1", "ann-2"):
        come(campaign, name, "203.0.113.9")
    later = now + timedelta(days=31)
    assert shared_places(campaign, later) == []  # before it was removed, too
    Enrolment.objects.update(consented_at=now - timedelta(days=31))
    out = io.StringIO()
    call_command("forget_places", stdout=out)
    assert "2 enrolments older than 30 days" in out.getvalue()
    assert set(Enrolment.objects.values_list("address_hash", "browser_hash")) == {("", "")}
    call_command("forget_places", stdout=out)
    assert "\n0 enrolments" in out.getvalue()


def test_places_are_not_kept_where_the_setting_says_so(campaign, settings):
    settings.PLACES_KEPT_DAYS = 0
    assert come(campaign, "ann-1", "203.0.113.9").address_hash == ""


def test_simulated_annotators_share_no_place(campaign):
    for name in ("sim-1", "sim-2"):
        come(campaign, name, "203.0.113.9")
    Annotator.objects.update(is_simulated=True)
    assert shared_places(campaign, timezone.now()) == []


def test_place_is_information_and_nobody_is_excluded_by_it(campaign):
    for name in ("ann-1", "ann-2"):
        come(campaign, name, "203.0.113.9")
    out = io.StringIO()
    call_command("review_annotators", campaign.slug, "--apply", stdout=out)
    said = "for information: 2 annotators began at one place (2 with browsers alike): ann-1, ann-2"
    assert said in out.getvalue()
    assert not Enrolment.objects.exclude(status="active").exists()


def test_dashboard_shows_them_and_files_that_go_round_do_not(client, rania):
    campaign = factories.make_draft()
    open_campaign(campaign=campaign)
    for name in ("ann-1", "ann-2"):
        come(campaign, name, "203.0.113.9")
    client.force_login(rania)
    page = client.get(reverse("reports:people", args=[campaign.slug])).content.decode()
    assert "Began at one place" in page
    assert "ann-1, ann-2" in page
    overview = client.get(reverse("reports:dashboard", args=[campaign.slug])).content.decode()
    assert "Door: open: whoever has the link" in overview
    export = reverse("reports:export", args=[campaign.slug, "dashboard.html"])
    response = client.get(export)
    content = response.getvalue() if response.streaming else response.content
    assert b"Began at one place" not in content
    assert b"ann-1, ann-2" not in content


def test_newcomers_read_that_it_is_kept(settings):
    campaign = factories.make_draft()
    open_campaign(campaign=campaign)
    url = reverse("annotation:work", args=[campaign.invitation])
    assert "For 30 days we keep" in Client().get(url).content.decode()
    settings.PLACES_KEPT_DAYS = 0
    assert "we keep" not in Client().get(url).content.decode()
