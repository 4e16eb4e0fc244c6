"""Every way of writing votes down gives the votes that the file means."""

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from pyarrow import parquet

from evalplatform.annotation.models import Vote
from evalplatform.imports.reading.values import moment
from evalplatform.promptsets.models import Prompt
from tests.factories import make_prompt_set
from tests.imports.conftest import pair


def forms(campaign) -> dict[str, str]:
    return {each.slug: each.form for each in campaign.criteria.all()}


@pytest.mark.parametrize(
    ("winner", "grades"),
    [
        ("a", {"sdxl": 1, "dalle": 0}),
        ("b", {"sdxl": 0, "dalle": 1}),
        ("model_b", {"sdxl": 0, "dalle": 1}),
        ("dalle", {"sdxl": 0, "dalle": 1}),
        ("Tie", {"sdxl": 0, "dalle": 0}),
        ("both", {"sdxl": 1, "dalle": 1}),
        ("neither", {"sdxl": 0, "dalle": 0}),
    ],
)
def test_winner_of_a_pair_gets_the_grade(desk, said, winner, grades):
    campaign = desk.take(desk.csv([pair("sdxl", "dalle", winner)]))

    assert said(campaign) == [("ann", grades)]


def test_left_and_right_stay_as_the_file_says(desk):
    rows = [
        pair("sdxl", "dalle", "a", annotator="ann"),
        pair("dalle", "sdxl", "a", annotator="ben"),
    ]
    desk.take(desk.csv(rows))

    votes = Vote.objects.order_by("pk").values_list("answer", "order", "grades")
    # Arms stand in the order of their names: dalle is place 0.
    assert list(votes) == [("left", [1, 0], [0, 1]), ("left", [0, 1], [1, 0])]


def test_each_side_column_name_is_known(desk, said):
    for number, (left, right) in enumerate(
        [("left", "right"), ("model_left", "model_right"), ("left_model", "right_model"),
         ("model_1", "model_2"), ("Model_A", "Model_B")]
    ):  # fmt: skip
        rows = [{left: "x", right: "y", "winner": right, "prompt": "p", "user_id": 3}]
        campaign = desk.take(desk.csv(rows), campaign=f"sides-{number}")
        assert said(campaign) == [("3", {"x": 0, "y": 1})]


def test_arena_battles_with_both_bad_keep_ties_apart(desk, said):
    def battle(winner, who, text):
        turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]
        return {"question_id": text, "model_a": "x", "model_b": "y", "winner": winner,
                "judge": who, "conversation_a": turns, "tstamp": 1682351591.5}  # fmt: skip

    rows = [battle("model_a", "u1", "a cat"), battle("tie", "u2", "a cat"),
            battle("tie (bothbad)", "u3", "a dog")]  # fmt: skip
    campaign = desk.take(desk.jsonl(rows))

    assert forms(campaign) == {"overall_preference": "pair_both_neither"}
    assert [grades for _, grades in said(campaign)] == [
        {"x": 1, "y": 0}, {"x": 1, "y": 1}, {"x": 0, "y": 0},
    ]  # fmt: skip
    assert list(Prompt.objects.values_list("text", flat=True)) == ["a cat", "a dog"]
    assert Vote.objects.earliest("pk").voted_at.isoformat() == "2023-04-24T15:53:11.500000+00:00"


def test_pick_a_pic_parquet_with_images_inside(desk, said):
    columns = {
        "caption": ["a cat", "a cat", "a dog"],
        "model_0": ["x", "x", "y"], "model_1": ["y", "y", "x"],
        "label_0": [1.0, 0.5, 0.0], "label_1": [0.0, 0.5, 0.0],
        "image_0_uid": ["i1", "i3", "i5"], "image_1_uid": ["i2", "i4", "i6"],
        "has_label": [True, True, False], "user_id": [7, 7, 8],
        "jpg_0": [b"\xff", b"\xff", b"\xff"],
    }  # fmt: skip
    path = desk.folder / "train.parquet"
    parquet.write_table(pa.table(columns), path)

    campaign = desk.take(path)

    # One person judged two pairs of images of one prompt: two items.
    assert said(campaign) == [("7", {"x": 1, "y": 0}), ("7", {"x": 0, "y": 0})]
    assert campaign.item_count == 2
    assert campaign.imported_from["unlabelled"] == 1
    assert campaign.image_sets.first().origin == {"images": ["i1", "i2"]}


def test_hpdv2_preferences(desk, said):
    entries = [
        {"prompt": "a cat", "file_path": ["SDXL/1.jpg", "CM/1.jpg"], "human_preference": [0, 1],
         "user_hash": "9f"},
        {"prompt": "a dog", "file_path": ["CM/2.jpg", "SDXL/2.jpg"], "human_preference": [0, 1],
         "user_hash": "9f"},
    ]  # fmt: skip
    path = desk.folder / "train.json"
    path.write_text(json.dumps(entries, indent=1))

    assert said(desk.take(path)) == [("9f", {"SDXL": 0, "CM": 1}), ("9f", {"SDXL": 1, "CM": 0})]


def test_hpdv2_rankings_of_every_annotator(desk, said):
    entries = [
        {"prompt": "a cat", "image_path": ["a/1.jpg", "b/1.jpg", "c/1.jpg"], "rank": [1, 2, 3],
         "raw_annotations": [{"rank": [1, 2, 3], "user_hash": "u1"},
                             {"rank": [3, 1, 2], "user_hash": "u2"}]},
    ]  # fmt: skip
    path = desk.folder / "test.json"
    path.write_text(json.dumps(entries))

    campaign = desk.take(path)

    assert forms(campaign) == {"overall_preference": "ranking"}
    assert said(campaign) == [("u1", {"a": 2, "b": 1, "c": 0}), ("u2", {"a": 0, "b": 2, "c": 1})]


def test_rankings_in_rows_ties_and_gaps_after_ties(desk, said):
    rows = [
        {"model": model, "rank": rank, "prompt": "p", "annotator": who}
        for model, ranks in {"z": (1, 1), "y": (2, 2), "x": (2, 3), "w": (4, 4)}.items()
        for who, rank in zip(("u1", "u2"), ranks, strict=True)
    ]
    campaign = desk.take(desk.csv(rows))

    assert said(campaign) == [
        ("u1", {"z": 2, "y": 1, "x": 1, "w": 0}), ("u2", {"z": 3, "y": 2, "x": 1, "w": 0}),
    ]  # fmt: skip
    assert campaign.item_count == 1
    assert campaign.criteria.get().k == 2


@pytest.mark.parametrize(
    "ranking", ["x > y = z", '["x", "y", "z"]', '[["x"], ["y", "z"]]']
)  # fmt: skip
def test_ranking_in_one_cell_is_best_first(desk, said, ranking):
    rows = [{"prompt": "p", "annotator": "u", "ranking": ranking}]

    [(_, grades)] = said(desk.take(desk.csv(rows)))

    assert grades["x"] > grades["y"] >= grades["z"]
    assert (grades["y"] == grades["z"]) == (ranking != '["x", "y", "z"]')


def test_ratings_and_a_column_for_each_rater(desk, said):
    long = [{"model": "x", "rating": 4, "prompt": "p", "annotator": "u"},
            {"model": "y", "rating": "2.0", "prompt": "p", "annotator": "u"}]  # fmt: skip
    campaign = desk.take(desk.csv(long, "votes.tsv"))
    assert forms(campaign) == {"overall_preference": "rating"}
    assert said(campaign) == [("u", {"x": 4}), ("u", {"y": 2})]

    wide = [{"prompt": "p", "model": "x", "rating_1": 5, "rating_2": ""}]
    assert said(desk.take(desk.csv(wide), campaign="wide")) == [("1", {"x": 5})]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_table_that_a_spreadsheet_saved_is_read(desk, said, separator, end):
    """Semicolons where a comma is the decimal point, rows and columns that were emptied."""
    rows = [
        ["prompt", "model_a", "model_b", "winner", "annotator", "", ""],
        ["a cat", "x", "y", "b", "ann", "", ""],
        [""] * 7,
        ["a dog", "x", "y", "a", "ann", "", ""],
        [""] * 7,
    ]
    path = desk.folder / "votes.csv"
    text = end.join(separator.join(row) for row in rows)
    path.write_bytes(text.encode("utf-8-sig"))
    assert said(desk.take(path)) == [("ann", {"x": 0, "y": 1}), ("ann", {"x": 1, "y": 0})]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("20240131", "2024-01-31T00:00:00"),
        (20240131, "2024-01-31T00:00:00"),
        ("20240131125959", "2024-01-31T12:59:59"),
        (date(2024, 1, 31), "2024-01-31T00:00:00"),
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("2024-01-31 12:30:00.123457+02:00", "2024-01-31T10:30:00.123457"),
        ("1706704200", "2024-01-31T12:30:00"),
        (1706704200.5, "2024-01-31T12:30:00.500000"),
        ("1706704200123", "2024-01-31T12:30:00.123000"),
        ("99999999", "1973-03-03T09:46:39"),  # no day
    ],
)
def test_time_is_read_as_it_is_written(written, meant):
    assert moment(written) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


def test_time_of_a_vote_is_kept_to_the_microsecond(desk):
    times = [f"2024-01-31T12:30:00.{each:06}+00:00" for each in range(123_450, 123_460)]
    rows = [pair("x", "y", "a", annotator=each, voted_at=each) for each in times]
    campaign = desk.take(desk.csv(rows))
    kept = Vote.objects.filter(assignment__campaign=campaign).order_by("voted_at")
    assert [each.voted_at.isoformat() for each in kept] == times


def test_columns_are_renamed_and_left_out(desk, said):
    rows = [{"Model A": "x", "Model B": "y", "verdict": "left", "text": "p", "who": "u",
             "criterion": "looks"}]  # fmt: skip
    campaign = desk.take(
        desk.csv(rows), "--column", "model_a=Model A", "--column", "model_b=Model B",
        "--column", "winner=verdict", "--column", "prompt=text", "--column", "annotator=who",
        "--column", "criterion=", "--criterion", "visual_appeal",
    )  # fmt: skip

    assert said(campaign) == [("u", {"x": 1, "y": 0})]
    assert forms(campaign) == {"visual_appeal": "pair"}


def test_criteria_of_the_file_each_become_one(desk):
    rows = [
        pair("x", "y", "a", criterion="Visual appeal"),
        pair("x", "y", "both", criterion="Fit!"),
    ]
    campaign = desk.take(desk.csv(rows))

    assert forms(campaign) == {"visual_appeal": "pair", "fit": "pair_both_neither"}
    assert [(each.label, each.shows_prompt) for each in campaign.criteria.all()] == [
        ("Visual appeal", False), ("Fit!", True),
    ]  # fmt: skip
    assert campaign.image_sets.count() == 1
    assert campaign.outline == [
        [each.pk, at, 0] for at, each in enumerate(campaign.criteria.all(), 1)
    ]


def test_prompts_of_a_known_set_by_text_or_key(desk):
    known = make_prompt_set("things")
    rows = [pair("x", "y", "a", prompt="a  secret-things-prompt number 2", key=""),
            pair("x", "y", "a", prompt="", key="003")]  # fmt: skip
    campaign = desk.take(desk.csv(rows), "--prompts", "things")

    assert [each.prompt.position for each in campaign.image_sets.order_by("position")] == [2, 3]
    assert list(campaign.prompt_sets.all()) == [known]


def test_whole_numbers_of_a_data_frame_are_whole_numbers(desk, said):
    make_prompt_set("things")
    row = pair("x", "y", "a", annotator=7.0, key=3.0)
    campaign = desk.take(desk.jsonl([row | {"prompt": None}]), "--prompts", "things")
    assert campaign.image_sets.get().prompt.position == 3
    assert said(campaign) == [("7", {"x": 1, "y": 0})]


def test_ratings_as_pairs_compare_what_one_person_rated_on_one_prompt(desk, said):
    rows = [{"model": model, "rating": rating, "prompt": prompt, "annotator": who}
            for model, rating, prompt, who in [
                ("x", 4, "p", "u"), ("y", 2, "p", "u"), ("z", 2, "p", "u"), ("x", 1, "q", "u"),
                ("x", 5, "p", "v"), ("y", 5, "p", "v")]]  # fmt: skip
    campaign = desk.take(desk.csv(rows), "--as-pairs")

    assert forms(campaign) == {"overall_preference": "pair"}
    assert said(campaign) == [
        ("u", {"x": 1, "y": 0}), ("u", {"x": 1, "z": 0}), ("u", {"y": 0, "z": 0}),
        ("v", {"x": 0, "y": 0}),
    ]  # fmt: skip


def test_rankings_of_nine_are_read_as_pairs(desk, said):
    rows = [{"prompt": "p", "annotator": "u", "ranking": ">".join("abcdefghi")}]
    path = desk.csv(rows)
    assert "up to 8" in desk.refused(path)

    assert len(said(desk.take(path, "--as-pairs"))) == 36
