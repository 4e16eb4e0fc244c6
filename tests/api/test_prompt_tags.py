"""Tags of prompts by the API: a new version, as the page makes it; the old one stays."""

import pytest

from evalplatform.promptsets.models import PromptSet
from evalplatform.promptsets.services import import_content
from tests.api.test_idempotency import send, token_of

pytestmark = pytest.mark.django_db
LINES = b"a red fox\na fox, watercolor painting\na blue cube\n"


@pytest.fixture
def ask(rania):
    project = rania.memberships.get().project
    import_content(project=project, name="mine", content=LINES, source="mine.txt", licence="")
    secret = token_of(rania)

    def run(path, body=None, **headers):
        return send("POST", f"/api/v1/prompt-sets/mine/{path}", secret, body, **headers)

    return run


def tags(version):
    rows = PromptSet.objects.get(name="mine", version=version).prompts.order_by("position")
    return list(rows.values_list("tags", flat=True))


def test_a_tag_by_hand_makes_a_version_and_leaves_the_old_one(ask):
    made = ask("1/tags", {"tag": "hard", "positions": [0, 2]})
    assert (made.status_code, made.json()["version"], made.json()["prompts"]) == (201, 2, 3)
    assert (tags(1), tags(2)) == ([[], [], []], [["hard"], [], ["hard"]])
    assert ask("2/tags", {"tag": "hard", "positions": [0]}).json()["version"] == 2  # has it
    taken = ask("2/tags", {"tag": "hard", "positions": [2], "take": True})
    assert (taken.json()["version"], tags(3)) == (3, [["hard"], [], []])
    assert PromptSet.objects.get(version=3).recipe["tagging"]["by"] == "rania"


def test_what_the_words_call_stylized_is_tagged_so(ask):
    made = ask("1/tags/stylized")
    assert (made.status_code, made.json()["version"]) == (201, 2)
    assert tags(2) == [[], ["stylized"], []]
    assert ask("2/tags/stylized").json()["version"] == 2


def test_a_request_that_is_sent_twice_makes_one_version(ask):
    key = {"Idempotency-Key": "once"}
    first, again = (ask("1/tags", {"tag": "hard", "positions": [0]}, **key) for _ in range(2))
    assert (first.content, again["Idempotency-Replayed"]) == (again.content, "true")
    assert PromptSet.objects.filter(name="mine").count() == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tag": "a,b"}, "cannot be a tag"),
        ({"tag": " "}, "cannot be a tag"),
        ({"tag": "x\u202e"}, "cannot be a tag"),
        ({"tag": ""}, "tag"),
        ({"tag": "x" * 201}, "tag"),
        ({"positions": [0, 3]}, "position 3 is none of "),
        ({"positions": [3]}, "its prompts have the positions 0 to 2."),
        ({"positions": [-1]}, "positions"),
        ({"positions": []}, "positions"),
        ({"tags": ["x"]}, "tags"),
    ],
)
def test_a_tag_that_cannot_be_is_refused_and_nothing_is_made(ask, wrong, said):
    answer = ask("1/tags", {"tag": "x", "positions": [0]} | wrong)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.content
    assert PromptSet.objects.filter(name="mine").count() == 1


def test_a_version_that_there_is_not_is_404(ask):
    for path in ("7/tags", f"{2**31}/tags"):
        assert ask(path, {"tag": "x", "positions": [0]}).status_code == 404
    assert ask("7/tags/stylized").status_code == 404
