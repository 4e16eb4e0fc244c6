"""Files of votes, and a short way to import them."""

import csv
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign


class Desk:
    """Where a researcher has files of votes and imports them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def csv(self, rows: list[dict], name: str = "votes.csv") -> Path:
        path = self.folder / name
        with path.open("w", newline="") as file:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        return path

    def jsonl(self, rows: list[dict], name: str = "votes.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def take(self, path: Path, *options: str, campaign: str = "elsewhere") -> Campaign:
        call_command("import_votes", str(path), "--campaign", campaign, *options)
        return Campaign.objects.get(slug=campaign)

    def refused(self, path: Path, *options: str) -> str:
        """Return the one line that refuses a file, of which nothing may have been stored."""
        with pytest.raises(CommandError) as refusal:
            self.take(path, *options)
        assert refusal.value.returncode == 2
        assert not Campaign.objects.exists()
        assert "\n" not in str(refusal.value)
        return str(refusal.value)


@pytest.fixture
def desk(db, tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def said():
    """What the votes of a campaign say: annotator's id, {model: grade}, in the order cast."""

    def read(campaign: Campaign) -> list[tuple[str, dict[str, int]]]:
        votes = Vote.objects.filter(assignment__campaign=campaign).order_by("pk")
        return [
            (
                vote.annotator.pseudonym.removeprefix(f"{campaign.slug}-"),
                {
                    image.arm.name: vote.grades[image.place]
                    for image in vote.assignment.item.image_set.images.all()
                },
            )
            for vote in votes
        ]

    return read


def pair(left: str, right: str, winner: str, prompt: str = "a cat", annotator: str = "ann", **more):
    return {"model_a": left, "model_b": right, "winner": winner, "prompt": prompt,
            "annotator": annotator} | more  # fmt: skip
