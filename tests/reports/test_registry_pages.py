"""The registry's pages: every checkpoint, its lineage, samples and campaigns."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.generation.models import Sample
from evalplatform.reports.registry import lineage
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def researcher(client, rania):
    client.force_login(rania)
    return client


def text(client, name, *args):
    return client.get(reverse(f"registry:{name}", args=args)).content.decode()


def test_registry_needs_a_sign_in(client):
    assert client.get(reverse("registry:list")).status_code == 302


def test_empty_registry_says_what_to_do(researcher):
    assert "No checkpoints yet" in text(researcher, "list")


def test_lineage_is_the_whole_family_from_its_oldest_down():
    first = factories.make_checkpoint("first")
    tuned = factories.make_checkpoint("tuned", "quality_tuned", parent=first)
    other = factories.make_checkpoint("other", "quality_tuned", parent=first)
    again = factories.make_checkpoint("again", "quality_tuned", parent=other)
    factories.make_checkpoint("stranger")
    found = [(each.checkpoint, each.depth, each.is_self) for each in lineage(again)]
    assert found == [
        (first, 0, False), (other, 1, False), (again, 2, True), (tuned, 1, False),
    ]  # fmt: skip


def test_page_shows_campaigns_and_samples(researcher, draft):
    checkpoint = draft.checkpoint_a
    page = text(researcher, "checkpoint", checkpoint.name)
    assert draft.slug in page
    sample = Sample.objects.filter(checkpoint=checkpoint).first()
    url = reverse("registry:sample", args=[sample.pk])
    assert url in page
    assert sample.prompt.text in page
    image = researcher.get(url)
    assert image["Content-Type"] == "image/png"
    assert b"".join(image.streaming_content).startswith(b"\x89PNG")


def test_sample_is_for_researchers_only(client, draft):
    sample = Sample.objects.first()
    assert client.get(reverse("registry:sample", args=[sample.pk])).status_code == 302


def test_model_card_is_shown_as_text_never_as_markup(researcher, settings, tmp_path):
    settings.CHECKPOINT_DIR = tmp_path
    checkpoint = factories.make_checkpoint("carded")
    checkpoint.directory.mkdir(parents=True)
    (checkpoint.directory / "README.md").write_text("# Card\n<script>alert(1)</script>")
    page = text(researcher, "checkpoint", "carded")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_parameters_and_training_are_told(researcher):
    Checkpoint.objects.filter(pk=factories.make_checkpoint("told").pk).update(
        parameters={"F16": 2_800_000_000}, training={"recipe": "pretrain", "steps": {"denoiser": 9}}
    )
    page = text(researcher, "checkpoint", "told")
    assert "2,800,000,000 F16" in page
    assert "denoiser 9" in page
    assert "2.8 billion" in text(researcher, "list")


def test_hub_and_commit_are_told(researcher):
    commit = "c0ffee" * 6 + "c0ff"
    factories.make_checkpoint("from-hub", origin={"hub": "org/name", "commit": commit})
    page = text(researcher, "checkpoint", "from-hub")
    assert "org/name" in page
    assert commit in page
    factories.make_checkpoint("from-here")
    assert "From the hub" not in text(researcher, "checkpoint", "from-here")


def test_retiring_names_running_campaigns_and_shows_who_and_when(researcher, draft):
    name = draft.checkpoint_a.name
    page = text(researcher, "checkpoint", name)
    assert "Still running on it" in page.split("Retire this checkpoint")[1].split("</details>")[0]
    answer = researcher.post(reverse("registry:retire", args=[name]))
    assert answer["Location"] == reverse("registry:checkpoint", args=[name])
    page = text(researcher, "checkpoint", name)
    assert re.search(r"Retired</span>\s+on \d{4}-\d\d-\d\d \d\d:\d\d by rania", page)
    assert 'data-state="retired"' in text(researcher, "list")
    researcher.post(reverse("registry:restore", args=[name]))
    assert Checkpoint.objects.get(name=name).status == "verified"


def test_retiring_needs_a_sign_in_a_post_and_the_forms_token(rania):
    factories.make_checkpoint("kept")
    url = reverse("registry:retire", args=["kept"])
    client = Client(enforce_csrf_checks=True)
    assert client.post(url).status_code == 403
    client.force_login(rania)
    assert client.get(url).status_code == 405
    assert client.post(url).status_code == 403
    assert Checkpoint.objects.get().status == "verified"


@pytest.mark.parametrize("status", ["uploading", "verifying", "rejected"])
def test_list_shows_the_state_of_every_upload(researcher, status, settings, tmp_path):
    settings.CHECKPOINT_DIR = tmp_path
    Upload.objects.create(
        file_name="sd.zip", size_bytes=10, checkpoint_name="sd", status=status, reason="no weights"
    )
    page = text(researcher, "list")
    assert f'data-state="{status}"' in page
    assert "no weights" in page
