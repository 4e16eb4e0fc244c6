"""Campaigns with each door, and what a browser does at one."""

import re

from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation.models import Invitation
from evalplatform.annotation.services import invite, open_campaign
from tests import factories

JSON = {"headers": {"accept": "application/json"}}
PROLIFIC = {"PROLIFIC_PID": "5f1e0a", "STUDY_ID": "study1", "SESSION_ID": "session1"}


def make_campaign(door: str, slug: str = "asked"):
    campaign = factories.make_draft(slug=slug, rules={"annotation": {"door": door}})
    open_campaign(campaign=campaign)
    return campaign


def url_of(campaign) -> str:
    return reverse("annotation:work", args=[campaign.invitation])


def door_of(response) -> str | None:
    found = re.search(r'data-door="(\w+)"', response.content.decode())
    return found[1] if found else None


def begin(client, url):
    return client.post(url + "begin/", follow=True)


def works(client, url) -> bool:
    response = client.get(url + "next/", **JSON)
    return response.status_code == 200 and response.json()["state"] == "judge"


def pair_of(client, url) -> str:
    return client.get(url + "next/", **JSON).json()["sets"][0]["assignment"]


def new_invitation(campaign, **options) -> tuple[Invitation, str]:
    return invite(campaign=campaign, labels=[""], now=timezone.now(), **options)[0]


def personal_link(client, url) -> str:
    page = client.get(url + "elsewhere/").content.decode()
    return re.search(r'value="http://testserver([^"]+\?key=[^"]+)"', page)[1]
