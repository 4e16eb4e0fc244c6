"""The two tutorials: their own commands, run in the order of the page."""

import json
import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from evalplatform.campaigns.models import Campaign
from tests import factories, live
from tests.generation.tiny import save_tiny_pipeline

DOCS = Path(settings.BASE_DIR) / "docs"
# What the tutorial of checkpoints asks of real models, for tiny ones: the encoders read 16 letters.
TINY = {
    "--steps 30": "--steps 2",
    "--limit 300": "--limit 2 --allow-cut 1 --allow-identical 1 --allow-constant 1",
}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def commands_of(text: str) -> list[list[str]]:
    """Return the management commands of a page's shell blocks, as a shell would pass them."""
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)).splitlines()
    others = [each for each in lines if each and not each.startswith("python manage.py ")]
    # Starting the platform is what a test does in another way.
    assert set(others) <= {"make run", ". .venv/bin/activate"}
    return [shlex.split(each)[2:] for each in lines if each.startswith("python manage.py ")]


def write_prompts(text: str, folder: Path) -> list[str]:
    """Write the prompts that the page of images shows, and return them."""
    table = next(each for each in re.findall(r"^```text\n(.*?)^```", text, re.M | re.S)
                 if each.startswith("Prompt\t"))  # fmt: skip
    (folder / "prompts.tsv").write_text(table)
    return [line.partition("\t")[0] for line in table.splitlines()[1:]]


@pytest.mark.django_db(transaction=True)
def test_images_you_already_have(tmp_path, monkeypatch, capsys):
    text = page("first-images.md")
    prompts = write_prompts(text, tmp_path)
    for shade, arm in enumerate(("ours", "theirs")):
        (tmp_path / arm).mkdir()
        for number in range(len(prompts)):
            image = factories.make_image(10 * shade + number, size=32)
            image.save(tmp_path / arm / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    for command in commands_of(text):
        call_command(*command)
    campaign = Campaign.objects.get(slug="ours-vs-theirs")
    assert campaign.status == Campaign.Status.CLOSED
    assert campaign.items.main().count() == 2 * len(prompts)
    assert f"/annotate/{campaign.invitation}/" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["campaign"] == "ours-vs-theirs"
    assert (tmp_path / "votes.csv").read_text().startswith("campaign,vote_id")


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_your_two_checkpoints(tmp_path, monkeypatch):
    text = page("first-campaign.md")
    write_prompts(page("first-images.md"), tmp_path)
    for seed, name in enumerate(("base", "tuned")):
        save_tiny_pipeline(tmp_path / name, seed)
        text = text.replace(f"/models/{name}", str(tmp_path / name))
    for real, tiny in TINY.items():
        assert real in text
        text = text.replace(real, tiny)
    monkeypatch.chdir(tmp_path)
    with live.worker():
        for command in commands_of(text):
            call_command(*command)
    campaign = Campaign.objects.get(slug="tuned-vs-base")
    assert campaign.status == Campaign.Status.CLOSED
    assert campaign.items.main().count() == 4
    assert "<html" in (tmp_path / "report.html").read_text()
