"""What cannot be imported is said in one line with its place, and nothing is stored."""

import json

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.answer_columns import LEFT, NO_SIDE, RIGHT, vote_columns
from evalplatform.annotation.models import Vote
from evalplatform.promptsets.models import PromptSet
from tests.factories import make_prompt_set
from tests.imports.conftest import pair


def rated(rating, who="u", model="x"):
    return {"model": model, "rating": rating, "prompt": "p", "annotator": who}


def ranked(*ranks):
    return [{"model": f"m{at}", "rank": rank, "prompt": "p", "annotator": "u"}
            for at, rank in enumerate(ranks)]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([rated(3), rated(6, "v")], ["line 3", "'6' is none of 1, 2, 3, 4, 5"]),
        ([rated("good")], ["line 2", "'good' is none of 1, 2, 3, 4, 5"]),
        ([rated("2.5")], ["line 2", "'2.5'"]),
        (ranked(1, 2, 4), ["line 4", "1, 2, 4 have gaps"]),
        (ranked(2, 3), ["line 3", "have gaps"]),
        (ranked(1), ["line 2", "'m0' alone"]),
        ([*ranked(1, 2, 3), *ranked(1)], ["line 5", "'m0' is ranked twice"]),
        ([pair("x", "x", "a")], ["line 2", "'x' is compared with itself"]),
        ([pair("x", "y", "a"), pair("x", "y", "z", annotator="v")],
         ["line 3", "winner 'z' is neither 'x' nor 'y'", "a, b, tie, both, neither"]),
        ([pair("x", "y", "")], ["line 2", "has no winner"]),
        ([pair("x", "", "a")], ["line 2", "has no model"]),
        ([pair("x", "y", "a", prompt="")], ["line 2", "has no prompt"]),
        ([pair("x", "y", "a", annotator="")], ["line 2", "does not say who voted"]),
        ([pair("x", "y", "a", voted_at="yesterday")], ["line 2", "'yesterday'", "ISO 8601"]),
        ([pair("x", "y", "a", voted_at="9999-12-31T23:59:59.999999")],
         ["line 2", "its time 9999", "not of the years 1970 to 9998"]),
        ([{"models": '["x", "y", "z"]', "ranking": "2>0=1", "prompt": "p", "annotator": "u"}],
         ["line 2", "ranks '2', which is none of its models"]),
        ([pair("x", "y", "a", voted_at="0001-01-01T00:00+14:00")], ["line 2", "its time 0001"]),
        ([pair("x" * 201, "y", "a")], ["line 2", "over 200 characters"]),
        ([pair("x", "y", "a"), pair("y", "x", "tie")],
         ["line 3", "'ann' judged the same before, at line 2", "--keep-first"]),
        ([pair("x", "y", "both"), pair("x", "y", "tie", annotator="v")], ["both or neither"]),
    ],
)  # fmt: skip
def test_row_that_cannot_be_imported_is_named(desk, rows, says):
    refusal = desk.refused(desk.csv(rows))

    assert all(each in refusal for each in says), refusal
    assert not Vote.objects.exists()
    assert not PromptSet.objects.exists()
    assert not Annotator.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("votes.csv", b"", "is empty"),
        ("votes.csv", b"model_a,model_b,winner,prompt,annotator\n", "has no votes"),
        ("votes.csv", b"model_a,model_b,winner,prompt,annotator\nx,y,a,p\0q,u\n",
         "line 2 holds a NUL byte"),
        ("votes.csv", b"model_a,model_b,winner,prompt,annotator\nx,y,a\n", "line 2 has 3 fields"),
        ("votes.csv", b"model_a,model_b,winner,prompt,annotator\nx,y,a,\xff,u\n", "not UTF-8"),
        ("votes.csv", b'model_a,model_b,winner,prompt,annotator\nx,y,a,"p,u\n', "not valid CSV"),
        ("votes.csv", b"model,model,rating\nx,y,3\n", "two columns 'model'"),
        ("votes.csv", b"chosen,rejected\nx,y\n", "its columns are chosen, rejected"),
        ("votes.csv", b"model_a,model_b,winner,annotator\nx,y,a,u\n", "what the prompts were"),
        ("votes.csv", b"model_a,model_b,winner,prompt\nx,y,a,p\n", "does not say who voted"),
        ("votes.jsonl", b'{"model": "x"\n', "is not JSON"),
        ("votes.json", b'[{"model": "x", "rating": 3}, {"mo', "what follows entry 1 is not JSON"),
        ("votes.json", b'[{"model": "x\\u0000", "rating": 3, "prompt": "p", "user": "u"}]',
         "entry 1 there is a character that is no text in its model"),
        ("votes.parquet", b"PAR1", "cannot be read as parquet"),
        ("votes.xlsx", b"x", "ending in .xlsx are not read"),
    ],
)  # fmt: skip
def test_file_that_cannot_be_read_is_refused(desk, name, content, says):
    path = desk.folder / name
    path.write_bytes(content)

    assert says in desk.refused(path)


def test_nothing_stands_before_the_reason_in_a_log(desk, capsys):
    desk.refused(desk.csv([pair("x", "", "a")]))
    assert capsys.readouterr().err == ""


def test_unknown_columns_are_listed_with_what_is_accepted(desk):
    refusal = desk.refused(desk.csv([{"chosen": "x", "rejected": "y"}]))

    assert "its columns are chosen, rejected" in refusal
    assert "model_a, model_b, winner" in refusal
    assert "label_0" in refusal
    assert "human_preference" in refusal


def test_options_that_do_not_fit_are_refused(desk):
    path = desk.csv([pair("x", "y", "a")])
    assert "no column verdict" in desk.refused(path, "--column", "winner=verdict")
    assert "no such field" in desk.refused(path, "--column", "victor=winner")
    assert "is no slug" in desk.refused(path, "--criterion", "Visual appeal")
    assert "without the prompt" in desk.refused(
        path, "--criterion", "visual_appeal", "--shows-prompt", "yes"
    )
    several = desk.csv([pair("x", "y", "a", aspect="a"), pair("x", "y", "a", aspect="b")], "2.csv")
    assert "names criteria itself" in desk.refused(several, "--criterion", "looks")
    assert "2 criteria (a, b)" in desk.refused(several, "--question", "Which?")


def test_name_that_is_taken_is_refused(desk):
    path = desk.csv([pair("x", "y", "a")])
    desk.take(path)

    with pytest.raises(Exception, match="'elsewhere' exists already"):
        desk.take(path)
    assert Vote.objects.count() == 1


def test_prompts_that_a_set_lacks_are_named(desk):
    make_prompt_set("things")
    rows = [pair("x", "y", "a", prompt="a secret-things-prompt number 1"),
            pair("x", "y", "a", prompt="a zebra"), pair("x", "y", "a", prompt="a gnu")]  # fmt: skip

    refusal = desk.refused(desk.csv(rows), "--prompts", "things")

    assert "2 votes are on prompts that the set does not have, the first at line 3" in refusal
    assert "'a zebra'" in refusal
    assert "'a gnu'" in refusal


def test_key_with_more_digits_than_a_number_has_is_named(desk):
    make_prompt_set("things")
    rows = [pair("x", "y", "a", prompt="", key="7" * 5000)]
    assert "its key is '777" in desk.refused(desk.csv(rows), "--prompts", "things")


def test_bad_rows_are_left_out_and_counted(desk, said, capsys):
    rows = [pair("x", "y", "a"), pair("x", "x", "a"), pair("x", "y", "?", annotator="v")]

    campaign = desk.take(desk.csv(rows), "--skip-bad")

    assert said(campaign) == [("ann", {"x": 1, "y": 0})]
    assert campaign.imported_from["left_out"] == {"itself": 1, "winner": 1}
    assert "line 3: 'x' is compared with itself" in capsys.readouterr().err


def test_first_of_two_votes_by_one_annotator_is_kept(desk, said):
    rows = [pair("x", "y", "a"), pair("y", "x", "a"), pair("x", "y", "b", annotator="v")]

    campaign = desk.take(desk.csv(rows), "--keep-first")

    assert said(campaign) == [("ann", {"x": 1, "y": 0}), ("v", {"x": 0, "y": 1})]
    assert campaign.imported_from["repeated"] == 1
    slots = campaign.assignments.order_by("slot").values_list("slot", flat=True)
    assert list(slots) == [1, 2]
    assert campaign.criteria.get().k == 2


def test_failure_while_writing_leaves_nothing(desk, monkeypatch):
    from evalplatform.imports import writing

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_enrolments", fail)
    desk.refused(desk.csv([pair("x", "y", "a")]))

    assert not PromptSet.objects.exists()
    assert not Annotator.objects.exists()


def test_pseudonyms_never_collide_and_hide_addresses(desk):
    Annotator.objects.create(pseudonym="elsewhere-ann")
    long = "u" * 60
    rows = [pair("x", "y", "a", annotator=who) for who in ("ann", "a@b.org", long, "7")]

    campaign = desk.take(desk.csv(rows))

    names = list(campaign.enrolments.values_list("annotator__pseudonym", flat=True))
    assert len(set(names)) == 4
    assert "elsewhere-ann" not in names
    assert "elsewhere-7" in names
    assert not any("@" in name or len(name) > 40 for name in names)


def test_votes_of_nobody_in_particular_are_by_a_person_each(desk):
    rows = [{"model_a": "x", "model_b": "y", "winner": winner, "prompt": "p"} for winner in "aab"]

    campaign = desk.take(desk.csv(rows), "--anonymous")

    assert campaign.enrolments.count() == 3
    assert "nor is known who cast which" in campaign.imported_note


def test_sides_are_not_believed_where_one_always_won(desk):
    def rows(winner):
        return [pair("x", "y", winner(at), prompt=f"p{at}") for at in range(30)]

    always = desk.take(desk.csv(rows(lambda at: "a")), campaign="always")
    mixed = desk.take(desk.csv(rows(lambda at: "ab"[at % 2])), campaign="mixed")

    assert not always.knows_sides
    assert set(vote_columns(always).side.tolist()) == {NO_SIDE}
    assert mixed.knows_sides
    assert set(vote_columns(mixed).side.tolist()) == {LEFT, RIGHT}


def test_own_mark_of_simulated_votes_stays(desk):
    path = desk.jsonl([pair("x", "y", "a", is_simulated=1), pair("x", "y", "b", annotator="v")])

    campaign = desk.take(path)

    votes = Vote.objects.filter(assignment__campaign=campaign).order_by("pk")
    assert [vote.is_simulated for vote in votes] == [True, False]
    assert [vote.annotator.is_simulated for vote in votes] == [True, False]


def test_long_json_list_is_read_piece_by_piece(desk):
    entries = [pair("x", "y", "a", prompt=f"{at} " + "é" * 3000) for at in range(1500)]
    path = desk.folder / "votes.json"
    path.write_text(json.dumps(entries, ensure_ascii=False, indent=2))

    assert desk.take(path).item_count == 1500
