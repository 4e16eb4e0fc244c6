"""The demo's steps, each of which can be repeated: what is done is found done, not done again."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.urls import reverse

from evalplatform.accounts.members import set_member
from evalplatform.accounts.projects import Role, default_project
from evalplatform.accounts.services import ensure_researcher
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.management.commands.train import run_trainer
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core import processes
from evalplatform.core.errors import EvalPlatformError
from evalplatform.core.files import write_whole
from evalplatform.core.site import site_link, site_url
from evalplatform.demo.rehearsal import rehearsal_lines
from evalplatform.promptsets.models import PromptSet
from evalplatform.reports.cached import results_of
from evalplatform.reports.management.commands.report import render
from evalplatform.simulation.group import draw_group, measure_ceiling
from evalplatform.simulation.tastes import CURATORS

HOST = "127.0.0.1"
ANNOTATORS = 12
SEED = 2024
RULES = Path(__file__).with_name("rules.toml")
# How the demo's small models are sampled; more steps change nothing that can be seen.
SAMPLING = {"sampler": "ddim", "steps": 15, "guidance": 3.0}
SHEET_PROMPTS = 12
REHEARSAL = "rehearsal.txt"
PARTI_PROMPTS = 100


class StepFailedError(EvalPlatformError):
    """A step of the demo did not finish; what was done before is kept."""


@dataclass
class Demo:
    """The demo's settings and what its steps hand on."""

    port: int
    retrain: bool = False
    parti: str | None = None

    @property
    def folder(self) -> Path:
        return Path(settings.VAR_DIR) / "demo"

    @property
    def dataset(self) -> Path:
        return Path(settings.VAR_DIR) / "data" / "emoji"

    @property
    def held_out(self) -> Path:
        """Drawings of the same things that no model is trained on."""
        return Path(settings.VAR_DIR) / "data" / "emoji-held-out"

    @property
    def site(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def taught_by(self) -> dict[str, Path]:
        """What the annotators learn from, and what they compare samples with."""
        picked = Path(settings.BASE_DIR) / "models_backend" / "data" / "quality_tuning.tsv"
        return {"curation": self.dataset, "picked": picked, "references": self.held_out}

    @property
    def suffix(self) -> str:
        """Weights trained anew get names of their own beside the recorded ones."""
        return "-retrained" if self.retrain else ""

    @property
    def main_campaign(self) -> str:
        return f"demo{self.suffix}"

    def name_of(self, role: str) -> str:
        return role + self.suffix


def start_services(demo: Demo) -> str:
    """Database, site and worker, anew: what ran before may run older code."""
    processes.worker().stop()
    processes.web("", 0).stop()
    processes.start_postgres()
    call_command("migrate", verbosity=0)
    processes.start_web(HOST, demo.port)
    processes.worker().start()
    return site_url()


def build_dataset(demo: Demo) -> str:
    """Download the emoji art; write the captioned data set, and the drawings held out of it."""
    run_module("models_backend.data.emoji", "--out", str(demo.dataset))
    run_module("models_backend.data.emoji", "--out", str(demo.held_out), "--sources", "noto-2017")
    return f"{demo.dataset}, {demo.held_out}"


def train_checkpoints(demo: Demo) -> str:
    """Train and register pretrained, baseline and quality_tuned, parents first."""
    project, runs = default_project(), Path(settings.VAR_DIR) / "runs"
    base = Path(settings.BASE_DIR) / "models_backend"
    data = ["--data", str(demo.dataset)]
    for role in (Checkpoint.Role.PRETRAINED, Checkpoint.Role.BASELINE):
        directory = base / "recorded" / role.value
        if demo.retrain:
            out = runs / demo.name_of(role.value)
            config = base / "configs" / f"{role.value}.toml"
            directory = run_trainer(config, [*data, "--out", str(out)])
        register_checkpoint(
            project=project,
            source=directory,
            name=demo.name_of(role.value),
            role=role.value,
        )
    parent = Checkpoint.objects.get(name=demo.name_of(Checkpoint.Role.PRETRAINED.value))
    tuned = demo.name_of(Checkpoint.Role.QUALITY_TUNED.value)
    directory = run_trainer(
        base / "configs" / "quality_tuned.toml",
        [*data, "--out", str(runs / tuned), "--parent", str(parent.directory)],
    )
    register_checkpoint(
        project=project,
        source=directory,
        name=tuned,
        role=Checkpoint.Role.QUALITY_TUNED.value,
    )
    return ", ".join(demo.name_of(role.value) for role in _roles())


def _roles() -> Iterator[Checkpoint.Role]:
    yield from (
        Checkpoint.Role.PRETRAINED,
        Checkpoint.Role.QUALITY_TUNED,
        Checkpoint.Role.BASELINE,
    )


def import_prompts(demo: Demo) -> str:
    """Our own prompts, and PartiPrompts where a file or URL was given."""
    own = Path(settings.FILES_DIR) / "prompts" / "demo.tsv"
    call_command("import_prompts", "demo", str(own), licence="Apache-2.0")
    if demo.parti:
        call_command("import_prompts", "parti", demo.parti)
    return ", ".join(str(each) for each in PromptSet.objects.all())


def draw_contact_sheet(demo: Demo) -> str:
    """The same prompts and seeds from all three checkpoints, side by side, to look at."""
    sheet = demo.folder / "contact-sheet.png"
    prompts = demo.folder / "contact-sheet-prompts.txt"
    demo_set = PromptSet.objects.filter(name="demo").order_by("-version").first()
    if demo_set is None:
        raise StepFailedError("the demo's prompts are not imported; run make demo again.")
    # Evenly spaced over the file, so that every category is seen; none is picked by its result.
    everything = list(demo_set.prompts.order_by("position").values_list("text", flat=True))
    step = max(1, len(everything) // SHEET_PROMPTS)
    write_whole(prompts, "\n".join(everything[::step]) + "\n")
    checkpoints = Checkpoint.objects.in_bulk(
        [demo.name_of(role.value) for role in _roles()], field_name="name"
    )
    run_module(
        "models_backend.sample",
        *(str(checkpoints[demo.name_of(role.value)].directory) for role in _roles()),
        *("--prompts", str(prompts), "--seed", str(SEED), "--out", str(sheet)),
        *("--steps", str(SAMPLING["steps"]), "--guidance", str(SAMPLING["guidance"])),
    )
    return str(sheet)


def run_main_campaign(demo: Demo) -> str:
    """quality_tuned against pretrained: generate with the worker, then open."""
    _run_eval(demo, demo.main_campaign, "pretrained", prompts=_prompt_sets(demo))
    return demo.main_campaign


def _prompt_sets(demo: Demo) -> list[str]:
    return ["demo", "parti"] if demo.parti else ["demo"]


def _run_eval(demo: Demo, name: str, against: str, prompts: list[str]) -> None:
    call_command(
        "run_eval",
        demo.name_of("quality_tuned"),
        demo.name_of(against),
        *(f"--prompts={each}" for each in prompts),
        name=name,
        seed=SEED,
        # Our own set is used whole; of PartiPrompts a part is enough for a demo.
        limit=PARTI_PROMPTS if "parti" in prompts else None,
        rules=RULES,
        **SAMPLING,
    )


def vote_by_simulation(demo: Demo) -> str:
    """Twelve simulated annotators vote through the site until every slot has its vote."""
    call_command(
        "simulate_annotators",
        demo.main_campaign,
        annotators=ANNOTATORS,
        seed=SEED,
        site=demo.site,
        **demo.taught_by,
    )
    return f"{ANNOTATORS} {CURATORS}"


def measure_rehearsal(demo: Demo) -> str:
    """What the annotators can tell of real drawings, and how they voted beside people."""
    group = draw_group(ANNOTATORS, seed=SEED, **demo.taught_by)
    lines = rehearsal_lines(
        results_of(Campaign.objects.get(slug=demo.main_campaign)),
        group,
        measure_ceiling(group, seed=SEED),
        Checkpoint.objects.get(name=demo.name_of(Checkpoint.Role.QUALITY_TUNED.value)),
    )
    write_whole(demo.folder / REHEARSAL, "\n".join(lines) + "\n")
    return str(demo.folder / REHEARSAL)


def write_report(demo: Demo) -> str:
    """The table, the dashboard, votes.csv and results.json."""
    results = results_of(Campaign.objects.get(slug=demo.main_campaign))
    files = {"results.txt": "table", "results.json": "json", "votes.csv": "csv",
             "dashboard.html": "html"}  # fmt: skip
    for file, format in files.items():
        write_whole(demo.folder / file, render(results, format))
    return str(demo.folder)


def open_second_campaign(demo: Demo) -> str:
    """A campaign nobody has voted in yet, for the person who runs the demo."""
    slug = f"try-it{demo.suffix}"
    _run_eval(demo, slug, "baseline", prompts=["demo"])
    campaign = Campaign.objects.get(slug=slug)
    return site_link(reverse("annotation:work", args=[campaign.invitation]))


def researcher_account(demo: Demo) -> Path:
    """Make the account `researcher`, an owner; its password is in a file only this user reads."""
    path = demo.folder / "researcher-password.txt"
    user, password = ensure_researcher(username="researcher")
    set_member(project=default_project(), user=user, role=Role.OWNER)
    if password:
        write_whole(path, password + "\n")
        path.chmod(0o600)
    return path


def run_module(module: str, *arguments: str) -> None:
    """Run a part of the models backend as its own process, its progress on our terminal."""
    command = [sys.executable, "-m", module, *arguments]
    finished = subprocess.run(command, cwd=settings.BASE_DIR, stdout=sys.stderr, check=False)
    if finished.returncode:
        raise StepFailedError(
            f"{module} did not finish (see above); mend the cause and run make demo again, "
            "what was done is kept."
        )


@contextmanager
def exclusive(demo: Demo) -> Iterator[None]:
    """Refuse a second demo in the same folder while one runs."""
    import fcntl

    demo.folder.mkdir(parents=True, exist_ok=True)
    with (demo.folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StepFailedError(
                "another `make demo` is running here; wait for it or stop it."
            ) from error
        yield
