"""What is said to a person names no option of a command and no other command.

A service does not know whether a page, the API or a command calls it, so its words hold for each.
What only a command's reader can do stands in an error's `by_command`. The models backend is held
to it too: a job or a program that failed on a worker hands its reason on to a page.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE, BACKEND = ROOT / "evalplatform", ROOT / "models_backend"
OF_A_COMMAND = re.compile(
    r"(?<![\w-])--(?:[a-z]|\{)|manage\.py|python3? -m |`make [a-z]|\bthe (?:same )?command again\b"
)
BARE_OPTION = re.compile(r"--[a-z{][^\s]*")

# Modules and folders whose texts are read by somebody at a shell, or are no texts for a person.
FOR_A_SHELL = {
    "core/checks.py": "what `check --deploy` says",
    "command_line.py": "reads a command's own line",
    "core/commands.py": "makes and reads options of commands",
    "core/embedded_postgres.py": "reads a command's own line",
    "core/processes.py": "starts the site, by `demo` and `services`",
    "demo": "the command `demo`, which gives commands their options",
    "exports/documents": "files of an export, which say how to check it at a shell",
    "exports/paper": "files of an export, which say how to compute its numbers again",
    "operations": "`backup`, `restore` and `health`",
    "settings.py": "looks for the file manage.py",
    "simulation/client.py": "the command `simulate_annotators`",
}

# Functions that show a command as a command, beside what else a person can do.
SHOW_A_COMMAND = {
    "api/client_code.py:": "the first line of a generated file says what writes it",
    "api/reading.py:_curl": "an example of a request",
    "exports/options.py:asked_on_the_command_line": "the command that makes the same export",
    "feedback/steps.py:_command": "the command of a step of a round",
    "flows/pages.py:_curl": "an example of a request",
    "flows/pages.py:list_context": "the command that starts a flow",
    "overview/pool_pages.py:pool_context": "the command that exports a pool",
    "promptsets/building/jargon.py:": "what Midjourney takes within a prompt",
    "runs/run_plans.py:_sampling": "the command that launches a draft",
    "runs/run_plans.py:run_eval_line": "the command that launches a draft",
}

# Programs of the models backend that no page and no job calls, and what reads their options.
PROGRAMS = {
    "__main__.py": "reads the options of a program",
    "curation/drawing_at_random.py": "`curation draw`",
    "curation/loading.py": "`curation select`",
    "curation/pool.py": "`curation select`",
    "curation/recall.py": "`curation recall`",
    "curation/rules.py": "`curation select`",
    "curation/upscaling.py": "`curation upscale`",
    "data/curated.py": "`train --tuning`, a set that was curated",
    "data/emoji/": "`data.emoji`",
    "data/shards.py": "`data.shards`",
    "fuse.py": "reads the options of a program",
    "rewards/card.py": "a card beside a reward's weights, which says how to measure it",
    "studies/": "programs",
    "train.py": "reads the options of a program",
}

# Give options to other programs; a bare option is no text there, a sentence is.
GIVE_OPTIONS = {
    "accounts/commands.py",
    "checkpoints/services/backend.py",
    "checkpoints/services/fusing.py",
    "core/version.py",
    "feedback/services/expanding.py",
    "feedback/services/exporting.py",
    "feedback/training.py",
}


def texts(node: ast.AST, function: str = "") -> Iterator[tuple[int, str, str]]:
    """Yield line, function and text of all texts below a node; "{…}" stands for what is put in.

    Left out are docstrings, what is for commands by its name, and what programs print or read.
    """
    if _is_of_a_program(node):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, function, node.value
    if isinstance(node, ast.JoinedStr):
        parts = (each.value if isinstance(each, ast.Constant) else "{…}" for each in node.values)
        yield node.lineno, function, "".join(map(str, parts))
    for child in ast.iter_child_nodes(node):
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        is_for_commands = _name_of(child).strip("_").lower() == "by_command"
        is_part = isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
        if not (is_docstring or is_for_commands or is_part):
            yield from texts(child, function)


def _is_of_a_program(node: ast.AST) -> bool:
    called = getattr(node, "func", None)
    name = getattr(called, "id", "") or getattr(called, "attr", "")
    return name in ("print", "add_argument", "ArgumentParser")


def _name_of(node: ast.AST) -> str:
    """Return the name under which something is said: of an argument, a variable, a function."""
    if isinstance(node, ast.Assign):
        return getattr(node.targets[0], "id", "")
    return str(getattr(node, "arg", None) or getattr(node, "name", None) or "")


def faults_of(path: str, code: str) -> Iterator[str]:
    """Yield "path:function: text" of every text of a module that names an option or a command."""
    if not OF_A_COMMAND.search(code):  # most need no parsing
        return
    for _, function, text in texts(ast.parse(code)):
        is_argument = path in GIVE_OPTIONS and BARE_OPTION.fullmatch(text)
        if OF_A_COMMAND.search(text) and not is_argument:
            yield f"{path}:{function}: {text}"


def modules(folder: Path = CODE) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder)
        if not {"management", "migrations"} & set(name.parts):
            yield name.as_posix(), path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found() -> list[str]:
    return [fault for path, code in modules() for fault in faults_of(path, code)]


def is_below(fault: str, names: Iterable[str]) -> bool:
    return fault.startswith(tuple(f"{each}{end}" for each in names for end in ("/", ":")))


def test_words_of_services_pages_and_the_api_hold_without_a_command_line(found):
    shown = {f"{each}:" for each in SHOW_A_COMMAND}
    assert [
        fault
        for fault in found
        if not is_below(fault, FOR_A_SHELL) and not fault.startswith(tuple(shown))
    ] == []


def test_every_exception_is_needed(found):
    assert [each for each in FOR_A_SHELL if not any(is_below(x, [each]) for x in found)] == []
    assert [
        each for each in SHOW_A_COMMAND if not any(x.startswith(f"{each}:") for x in found)
    ] == []
    assert [each for each in GIVE_OPTIONS if "--" not in (CODE / each).read_text()] == []


@pytest.fixture(scope="module")
def found_in_backend() -> list[str]:
    found = [fault for path, code in modules(BACKEND) for fault in faults_of(path, code)]
    return [each for each in found if not BARE_OPTION.fullmatch(each.rpartition(": ")[2])]


def is_of(fault: str, program: str) -> bool:
    path = fault.partition(":")[0]
    return path.endswith(program) or path.startswith(program)


def test_words_of_workers_and_of_programs_that_jobs_call_hold_on_a_page(found_in_backend):
    assert [x for x in found_in_backend if not any(is_of(x, each) for each in PROGRAMS)] == []
    assert [x for x in PROGRAMS if not any(is_of(each, x) for each in found_in_backend)] == []


def test_no_page_tells_its_reader_to_start_a_worker_at_a_shell():
    pages = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "js").rglob("*.js")]
    texts_of = {str(path.relative_to(ROOT)): path.read_text() for path in pages}
    assert len(texts_of) > 100
    assert [path for path, text in texts_of.items() if "make worker" in text] == []


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ('raise E("taken; choose another --name.")', True),
        ('raise E(f"the {what}, --{what} is long")', True),
        ('raise E("make it "\n    "with `manage.py make`.")', True),
        ('def say(x="--name of it"):\n    """Take `--name`."""', True),
        ('def say(x):\n    """Take `--name`."""', False),
        ('raise E("choose another name.", by_command=f"--{x} names it.")', False),
        (
            '_BY_COMMAND = "--name names it."\nraise E("choose another.", by_command=_BY_COMMAND)',
            False,
        ),
        ('how = "--name names it."\nraise E(f"choose another: {how}")', True),
        ('raise E("no worker lives; start one with `make worker`.")', True),
        ('raise E("make one with: python -m models_backend.curation select")', True),
        ('raise E("it is full; run the command again.")', True),
        ('raise E("in the range 1--3, a – dash, --")', False),
    ],
)
def test_option_is_found_in_texts_alone(code, is_found):
    assert bool(list(faults_of("images/x.py", code))) == is_found


def test_sentence_is_found_where_other_programs_get_options():
    path = next(iter(GIVE_OPTIONS))
    assert list(faults_of(path, 'run(["--out", f"--set={x}"])')) == []
    assert list(faults_of(path, 'raise E("--weights is for pipelines.")')) != []
