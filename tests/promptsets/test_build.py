"""Prompt sets built from a log: the funnel, going on after a kill, and servers that have a say."""

import gzip
import json
import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command
from pyarrow import parquet

from evalplatform.accounts.projects import default_project
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building import stages
from evalplatform.promptsets.building.log import Log
from evalplatform.promptsets.building.outside import Server
from evalplatform.promptsets.building.peek import first_rows
from evalplatform.promptsets.building.recipe import Choices, Recipe
from evalplatform.promptsets.models import PromptSet
from evalplatform.promptsets.services import BuildOptions, build_prompt_set, import_content
from evalplatform.promptsets.services.building import keep_built

ANIMALS = ["fox", "owl", "bear", "wolf", "frog", "deer", "goat", "duck", "horse", "tiger"]
PLACES = ["harbour", "desert", "meadow", "canyon", "swamp", "glacier"]
LINES = [
    *(f"a {animal} near a {place}, 8k" for animal in ANIMALS for place in PLACES),
    "a FOX near a harbour!",
    "an old fisherman mending nets on a wooden pier while gulls watch in the early sun",
    "an old fisherman mending nets on a wooden pier while gulls watch in the late sun",
    "write to jo@example.org for a cat",
    "two nudes in a garden",
    "ein Hund liegt im Schnee vor dem Haus",
    "masterpiece, 8k",
    "watercolor of a pizza with olives",
]


def build(
    folder, lines=LINES, *, name="built", log=None, choices=None, say=lambda *_: None, **options
):
    if log is None:
        log = folder / "log.csv"
        log.write_text("prompt\n" + "".join(f'"{each}"\n' for each in lines), encoding="utf-8")
    recipe = Recipe(choices or Choices(size=20, seed=3))
    return build_prompt_set(
        project=default_project(),
        name=name,
        log=Log.at(log),
        options=BuildOptions(recipe, folder / name, **options),
        say=say,
    )


def dropped(folder):
    rows = (folder / "dropped.jsonl").read_text().splitlines()
    return {row["line"]: row for row in map(json.loads, rows)}


@pytest.mark.django_db
def test_every_line_is_in_the_set_or_has_its_reason(tmp_path):
    built = build(tmp_path)
    out = dropped(tmp_path / "built")
    rows = (tmp_path / "built/prompts.jsonl").read_text().splitlines()
    kept = [json.loads(each) for each in rows]
    numbers = [*out, *(each["line"] for each in kept)]
    assert sorted(numbers) == list(range(2, len(LINES) + 2))  # the header is line 1
    reasons = {LINES[number - 2]: row["reason"] for number, row in out.items()}
    assert reasons["a FOX near a harbour!"] == "duplicate: the same text"
    assert reasons[LINES[62]] == "duplicate: a similar text"
    assert out[64]["of"] == 63
    assert "text" not in out[65]
    assert reasons["write to jo@example.org for a cat"] == "personal: e-mail"
    assert reasons["masterpiece, 8k"] == "empty: nothing but prompt engineering"
    steps = built.funnel["steps"]
    assert steps[-1]["kept"] == len(kept) == built.prompt_set.prompts.count() == 20
    assert built.funnel["lines"] == len(LINES)
    assert sum(each["dropped"] for each in steps) == len(out)
    assert json.loads((tmp_path / "built/funnel.json").read_text())["steps"] == steps


@pytest.mark.django_db
def test_set_is_balanced_tagged_and_keeps_its_recipe(tmp_path):
    prompt_set = build(tmp_path).prompt_set
    balance = prompt_set.recipe["funnel"]["balance"]
    assert balance["food"] == {"there": 1, "wanted": 2, "taken": 1}
    assert sum(each["taken"] for each in balance.values()) == 20
    pizza = prompt_set.prompts.get(category="food")
    assert (pizza.text, pizza.tags) == ("watercolor of a pizza with olives", ["stylized"])
    fox = prompt_set.prompts.filter(text__contains="near a").first()
    assert f"there: {fox.text}, 8k" in fox.note
    assert prompt_set.recipe["recipe"]["choices"]["seed"] == 3
    assert prompt_set.recipe["log_sha256"] == Log.at(tmp_path / "log.csv").sha256()


@pytest.mark.django_db
def test_set_keeps_how_it_was_made_first(tmp_path):
    made = {"project": default_project(), "name": "made", "licence": ""}
    content = b'{"prompt": "a cat"}\n'
    first = keep_built(**made, content=content, recipe={"log": "a.csv"})
    assert keep_built(**made, content=content, recipe={"log": "a.csv"}) == first
    with pytest.raises(BadInputError, match=r"made@1 .* not built in this way; give"):
        keep_built(**made, content=content, recipe={"log": "b.csv"})
    import_content(project=default_project(), name="file", content=content, source="a.jsonl")
    with pytest.raises(BadInputError, match="file@1 has these prompts already"):
        keep_built(**made | {"name": "file"}, content=content, recipe={"log": "a.csv"})
    assert list(PromptSet.objects.order_by("pk").values_list("recipe", flat=True)) == [
        {"log": "a.csv"}, None,
    ]  # fmt: skip


@pytest.mark.django_db
def test_formats_of_one_log_give_one_set_to_the_byte(tmp_path):
    wanted = build(tmp_path, name="csv")
    rows = "".join(json.dumps({"prompt": each}) + "\n" for each in ["", *LINES])
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    parquet.write_table(pa.table({"prompt": ["", *LINES]}), tmp_path / "log.parquet")
    for log in ("log.jsonl.gz", "log.parquet"):
        name = log.rpartition(".")[2]
        again = build(tmp_path, name=name, log=tmp_path / log)
        files = [tmp_path / each / "prompts.jsonl" for each in ("csv", name)]
        assert files[0].read_bytes() == files[1].read_bytes()
        assert again.prompt_set.sha256 == wanted.prompt_set.sha256
    other = build(tmp_path, name="seed", choices=Choices(size=20, seed=4))
    assert other.prompt_set.sha256 != wanted.prompt_set.sha256


@pytest.mark.django_db
@pytest.mark.parametrize("stage", ["read", "once", "near", "pool", "chosen"])
def test_build_that_was_killed_goes_on_to_the_same_bytes(tmp_path, monkeypatch, stage):
    whole = build(tmp_path, name="whole")
    monkeypatch.setattr(stages, "_AT_A_TIME", 7)
    name, at = {
        "read": ("_take", 40),
        "once": ("_mark", 1),
        "near": ("_find_pairs", 1),
        "pool": ("draw_pool", 1),
        "chosen": ("drop_unchosen", 1),
    }[stage]
    calls, real = [], getattr(stages, name)

    def dies(*given):
        calls.append(given)
        if len(calls) == at:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(stages, name, dies)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path)
    assert not PromptSet.objects.filter(name="built").exists()
    assert build(tmp_path).prompt_set.sha256 == whole.prompt_set.sha256
    assert dropped(tmp_path / "built") == dropped(tmp_path / "whole")
    if stage == "read":
        assert len(calls) < 40 + 45  # it did not begin anew
    assert not list((tmp_path / "built").glob("work.sqlite*"))


@pytest.mark.django_db
def test_build_stops_before_the_disk_is_full_and_goes_on_once_there_is_room(tmp_path, monkeypatch):
    whole = build(tmp_path, name="whole")
    monkeypatch.setattr(stages, "_AT_A_TIME", 7)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**29))
    with pytest.raises(BadInputError, match="512 MiB left after line 7 of the log; at least 1,024"):
        build(tmp_path)
    monkeypatch.undo()
    assert build(tmp_path).prompt_set.sha256 == whole.prompt_set.sha256


@pytest.mark.django_db
@pytest.mark.parametrize(
    "what",
    [
        "duplicates",
        "near duplicates: signatures",
        "near duplicates: bands",
        "near duplicates: their texts",
        "drawing",
    ],
)
def test_every_stage_stops_before_the_disk_is_full(tmp_path, monkeypatch, what):
    """Room is left until the stage's last batch: it looks at each."""
    choices = Choices(size=20, seed=3, pool=30)
    monkeypatch.setattr(stages, "_AT_A_TIME", 7)
    said = []
    whole = build(tmp_path, name="whole", choices=choices, say=lambda *each: said.append(each[0]))
    last = said.count(what)
    assert last > 0
    told = []

    def usage(_):
        is_full = told.count(what) == last and told[-1] == what
        return SimpleNamespace(free=2**29 if is_full else 2**40)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(BadInputError, match=f"512 MiB left at stage “{what}”; at least 1,024"):
        build(tmp_path, choices=choices, say=lambda *each: told.append(each[0]))
    monkeypatch.undo()
    assert build(tmp_path, choices=choices).prompt_set.sha256 == whole.prompt_set.sha256
    assert dropped(tmp_path / "built") == dropped(tmp_path / "whole")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("what", "before"),
    [
        ("duplicates: their texts", "_note_pairs"),
        ("categories", "draw_pool"),
        ("balance", "balanced"),
    ],
)
def test_stage_without_progress_stops_before_the_disk_is_full(tmp_path, monkeypatch, what, before):
    whole = build(tmp_path, name="whole")
    disk, real = SimpleNamespace(free=2**40), getattr(stages, before)

    def fills(*given):
        found = real(*given)
        disk.free = 2**29
        return found

    monkeypatch.setattr(stages, before, fills)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    with pytest.raises(BadInputError, match=f"512 MiB left at stage “{what}”; at least 1,024"):
        build(tmp_path)
    monkeypatch.undo()
    assert build(tmp_path).prompt_set.sha256 == whole.prompt_set.sha256


_TABLES_BEFORE = """
DROP TABLE passed; DROP TABLE repeat; DROP TABLE line; DELETE FROM state WHERE key = 'layout';
CREATE TABLE line (
    number INTEGER PRIMARY KEY, same BLOB NOT NULL UNIQUE, text TEXT NOT NULL,
    original TEXT, given TEXT NOT NULL, priority INTEGER NOT NULL,
    place INTEGER, category TEXT, said TEXT, judged INTEGER NOT NULL DEFAULT 0);
"""


@pytest.mark.django_db
def test_unfinished_build_of_an_earlier_layout_is_begun_anew(tmp_path, monkeypatch):
    whole = build(tmp_path, name="whole")
    monkeypatch.setattr(stages, "_AT_A_TIME", 7)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**29))
    with pytest.raises(BadInputError, match="after line 7 of the log"):
        build(tmp_path)
    monkeypatch.undo()
    with closing(sqlite3.connect(tmp_path / "built/work.sqlite")) as database:
        database.executescript(_TABLES_BEFORE)
    assert build(tmp_path).prompt_set.sha256 == whole.prompt_set.sha256
    assert dropped(tmp_path / "built") == dropped(tmp_path / "whole")


@pytest.mark.django_db
def test_unfinished_build_takes_no_other_options(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "drop_near", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(tmp_path)
    monkeypatch.undo()
    with pytest.raises(BadInputError, match="unfinished build"):
        build(tmp_path, choices=Choices(size=21))


@pytest.mark.django_db
def test_log_with_one_line_works_and_one_without_any_says_what_dropped_all(tmp_path):
    assert build(tmp_path, ["a fox in the snow"]).prompt_set.prompts.count() == 1
    with pytest.raises(BadInputError, match="mostly for 'unsafe: sexual'"):
        build(tmp_path, ["a nude"], name="none")
    assert (tmp_path / "none/funnel.json").exists()


@pytest.mark.django_db
def test_bad_lines_of_a_log_are_passed_over(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(
        b'{"prompt": "a fox in the snow"}\n{"prompt": 3}\n{"pro\n[1]\n\n"an owl at night"\n'
        b'{"prompt": "half \\ud800"}\n{"prompt": "a \xff frog"}\n{"prompt": "nul \\u0000"}\n'
    )
    built = build(tmp_path, log=log)
    assert built.prompt_set.prompts.count() == 2
    assert {n: row["reason"] for n, row in dropped(tmp_path / "built").items()} == {
        2: "unreadable: no prompt",
        3: "unreadable: not JSON",
        4: "unreadable: neither a text nor an object",
        7: "unreadable: not UTF-8",
        8: "unreadable: not UTF-8",
        9: "unreadable: not UTF-8",
    }


@pytest.mark.parametrize("read", [first_rows, lambda log: list(log.lines(lambda share: None))])
def test_packed_log_that_was_damaged_on_its_way_is_refused_in_words(tmp_path, read):
    rows = "".join(json.dumps({"prompt": f"{hash(at)} cats"}) + "\n" for at in range(2000))
    packed = bytearray(gzip.compress(rows.encode()))
    packed[40:70] = b"\xff" * 30
    (tmp_path / "log.jsonl.gz").write_bytes(packed)
    with pytest.raises(BadInputError, match=r"log\.jsonl\.gz .*again"):
        read(Log.at(tmp_path / "log.jsonl.gz"))


@contextmanager
def answering(answer):
    """Serve an OpenAI-compatible server; `answer(path, body)` gives status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, value = answer(self.path, body, self.headers.get("Authorization"))
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *given):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def said(text):
    return 200, {"choices": [{"message": {"content": text}}]}


@pytest.mark.django_db
def test_rewording_tries_again_goes_on_and_keeps_both_texts(tmp_path):
    asked, fails = [], [503, 429]

    def answer(path, body, key):
        assert (path, key, body["model"]) == ("/v1/chat/completions", "Bearer k", "m")
        text = body["messages"][1]["content"]
        asked.append(text)
        if fails:
            return fails.pop(), {}
        if "owl" in text:
            return said("mail me@example.org")  # does not pass what lines pass
        return said("nothing" if "bear" in text else f' "Please show {text}" ')

    with answering(answer) as url:
        server = Server(url, "m", "k", wait=lambda seconds: None)
        built = build(tmp_path, ["an owl by a lake", "a fox by a lake"], paraphrase=server)
    assert len(asked) == 4
    texts = dict(built.prompt_set.prompts.values_list("text", "note"))
    assert set(texts) == {"an owl by a lake", "Please show a fox by a lake"}
    assert texts["Please show a fox by a lake"] == "log line 3; there: a fox by a lake"
    assert built.funnel["reworded"] == 1
    assert built.prompt_set.recipe["paraphrase"] == "m"
    assert "k" not in {built.prompt_set.recipe["recipe"]["lists"].get("names")}


@pytest.mark.django_db
def test_answers_that_came_before_a_refusal_are_not_asked_for_again(tmp_path):
    asked, lines = (
        [],
        [f"a {each} by a lake" for each in ANIMALS] + [f"a {each} by a road" for each in ANIMALS],
    )

    def answer(path, body, key):
        asked.append(body["messages"][1]["content"])
        if len(asked) > 16 and broken:
            return 401, {}
        return said(f"Show {asked[-1]}")

    broken = True
    with answering(answer) as url:
        server = Server(url, "m", wait=lambda seconds: None)
        with pytest.raises(BadInputError, match="status 401"):
            build(tmp_path, lines, paraphrase=server)
        broken = False
        asked_before = len(asked)
        build(tmp_path, lines, paraphrase=server)
    assert len(asked) - asked_before == 4


@pytest.mark.django_db
def test_classifier_drops_chosen_prompts_and_others_take_their_places(tmp_path):
    def answer(path, body, key):
        flags = [{"flagged": "fox" in each, "categories": {"odd": True}} for each in body["input"]]
        return 200, {"results": flags}

    lines = [f"a {each} by a lake" for each in ANIMALS]
    with answering(answer) as url:
        built = build(tmp_path, lines, choices=Choices(size=9), moderation=Server(url, "m"))
    assert built.prompt_set.prompts.count() == 9
    assert not built.prompt_set.prompts.filter(text__contains="fox").exists()
    assert dropped(tmp_path / "built")[2]["reason"] == "unsafe: classifier (odd)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "value", "error"),
    [
        (404, {}, "status 404"),
        (200, [], "something other"),
        (200, {"choices": []}, "without choices"),
        (500, {}, "status 500"),
        (302, {}, "status 302"),
    ],
)
def test_server_that_answers_wrongly_ends_the_build_in_one_line(tmp_path, status, value, error):
    with answering(lambda *given: (status, value)) as url:
        server = Server(url, "m", wait=lambda seconds: None)
        with pytest.raises(BadInputError, match=error):
            build(tmp_path, ["a fox by a lake"], paraphrase=server)


@pytest.mark.django_db
def test_command_prints_the_funnel_and_what_is_short(tmp_path, capsys):
    log = tmp_path / "log.txt"
    log.write_text("\n".join(LINES))
    call_command(
        "build_prompt_set", str(log), "--name=mine", f"--out={tmp_path / 'out'}", "--size=30"
    )
    told = capsys.readouterr().out
    assert "chosen by the balance of categories" in told
    assert "short of prompts:" in told
    assert f"built mine@1: 30 prompts, 1 stylized, sha256 {PromptSet.objects.get().sha256}" in told
    with pytest.raises(CommandError, match="finished build"):
        call_command("build_prompt_set", str(log), "--name=mine", f"--out={tmp_path / 'out'}")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="no column Prompt"):
        call_command("build_prompt_set", str(other), "--name=x", f"--out={tmp_path / 'o'}")
