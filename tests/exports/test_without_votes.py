"""Exports of a campaign that has opened and has no vote yet: whole, and they say so."""

import subprocess
import sys

import pytest
from pyarrow import parquet

from evalplatform.annotation.services import open_campaign
from evalplatform.exports.replaying.comparing import replay
from evalplatform.exports.replaying.example import PLAIN_PYTHON
from tests import factories
from tests.exports.campaigns import exported

pytestmark = pytest.mark.django_db(transaction=True)


def test_campaign_without_a_vote_is_exported_and_computed_again(tmp_path):
    campaign = factories.make_draft(prompts=2, k=2, slug="nobody-yet")
    open_campaign(campaign=campaign)
    for kind in ("csv", "trl", "paper", "html"):
        exported(campaign, tmp_path / kind, kind)
    found = replay(tmp_path / "csv")
    assert (found.difference, found.numbers > 0) == ("", True)
    plain = [sys.executable, "-I", "-c", PLAIN_PYTHON]
    said = subprocess.run(plain, cwd=tmp_path / "csv", check=True, capture_output=True).stdout
    assert said == b""
    (rows,) = (tmp_path / "trl" / "data").rglob("*.parquet")
    assert parquet.read_metadata(rows).num_rows == 0
    for kind in ("csv", "trl"):
        card = (tmp_path / kind / "README.md").read_text()
        assert "There is no row yet, so nothing to load" in card
        assert "from datasets import" not in card
        assert "votes may be missing that came later" in card
    assert "No votes yet" in (tmp_path / "html" / "dashboard.html").read_text()
    assert (tmp_path / "paper" / "main.tex").exists()
