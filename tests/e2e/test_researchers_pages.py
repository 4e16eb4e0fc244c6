"""Pages of a signed-in person that no other test looks at: each is accessible and fits a phone."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import exclude
from evalplatform.campaigns.models import ImageSet
from evalplatform.promptsets.models import PromptSet
from tests.e2e.accessibility import FEW_LOOKS, assert_page_is_accessible
from tests.e2e.test_dashboard import sign_in, voted  # noqa: F401

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def addresses(campaign):
    """Return the pages' addresses, by what they are called below."""
    last = Enrolment.objects.order_by("pk").last()
    exclude(enrolment=last, rule="gold", detail="1 of 6", now=timezone.now())
    shown = ImageSet.objects.filter(campaign=campaign).first()
    prompts = PromptSet.objects.get()
    project = default_project().name
    compared = f"?first={campaign.slug}&second={campaign.slug}"
    return {
        "Home": reverse("overview:home"),
        "Leaderboard": reverse("leaderboard:leaderboard"),
        "Campaigns": reverse("reports:campaign_list"),
        "Compare": reverse("reports:compare") + compared,
        "Prompts": reverse("prompts:list"),
        "Prompt set": reverse("prompts:set", args=[prompts.name, prompts.version]),
        "Person": reverse("reports:person", args=[campaign.slug, last.annotator.pseudonym]),
        "Set of images": reverse("reports:image_set", args=[campaign.slug, shown.pk]),
        "Invitations": reverse("reports:invitations", args=[campaign.slug]),
        "New pool": reverse("asked_pools:new"),
        "Webhooks": reverse("webhooks:list", args=[project]),
        "Project": reverse("projects:project", args=[project]),
    }


def test_pages_are_accessible_and_fit_a_phone(page, site, voted, rania):  # noqa: F811
    sign_in(page, site + reverse("overview:home"))
    page.get_by_role("heading", name="Home").wait_for()
    for name, address in addresses(voted).items():
        assert page.goto(site + address).status == 200, name
        assert_page_is_accessible(page, name, FEW_LOOKS)
