"""The speed table runs, compares results with the peers, and stops where they disagree."""

from dataclasses import replace

import pytest

from .bench import data, speed
from .bench.rows import ROWS

BY_NAME = {row.name: row for row in ROWS}
QUICK = ("point_fit", "point_fit_evalica", "point_fit_davidson", "two_way_rates", "two_way_rank",
         "rank_arms", "alpha", "agreement")  # fmt: skip


@pytest.fixture(scope="module")
def votes():
    return data.make(20_000)


def test_every_row_with_a_peer_gives_a_ratio_and_every_row_its_peak(votes, capsys):
    found = speed.run([BY_NAME[name] for name in QUICK], votes, repeats=1)
    assert {key for key in found if key.startswith("ratio")} == {
        f"ratio_{name}" for name in QUICK if BY_NAME[name].peer
    }
    assert all(found[f"peak_{name}"] >= 1.0 for name in QUICK)
    assert "results differ by" in capsys.readouterr().out


def test_a_disagreement_with_the_peer_stops_the_table(votes):
    row = replace(BY_NAME["point_fit"], peer=lambda made: row.ours(made) + 0.01)
    with pytest.raises(SystemExit, match="point_fit: the two results differ"):
        speed.run([row], votes, repeats=1)


def test_names_of_rows_are_unique():
    assert len(BY_NAME) == len(ROWS)
