"""docs/data-dictionary.md names every column of every file, in their order."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from evalplatform.reports import csv_files, pay, votes_csv

TEXT = (Path(settings.BASE_DIR) / "docs/data-dictionary.md").read_text()
FILES = {
    "votes.csv": votes_csv.VOTE_COLUMNS,
    "checks.csv": csv_files.CHECK_COLUMNS,
    "groups.csv": csv_files.GROUP_COLUMNS,
    "withheld.csv": csv_files.WITHHELD_COLUMNS,
    "samples.csv": csv_files.SAMPLE_COLUMNS,
    "payments.csv": pay.PAYMENT_COLUMNS + pay.CROWD_COLUMNS,
}


@pytest.mark.parametrize("name", FILES)
def test_every_column_is_explained_in_its_place(name):
    section = TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.M)
    assert [column for column, _ in rows] == list(FILES[name])
    first = TEXT.partition("\n## checks.csv\n")[0]
    for column, meaning in rows:
        assert len(meaning) >= 7
        if meaning == "as above":
            assert f"| `{column}` |" in TEXT.partition(f"\n## {name}\n")[0] or column in first


def test_every_command_of_ours_is_listed():
    listed = re.findall(r"`([a-z_]+)`", (Path(settings.BASE_DIR) / "docs/commands.md").read_text())
    ours = {name for name, app in get_commands().items() if str(app).startswith("evalplatform.")}
    assert len(ours) > 30
    assert ours - set(listed) == set()
