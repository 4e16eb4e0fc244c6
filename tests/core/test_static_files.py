"""Static files: hashed names, compressed, and modules that find each other under them."""

import gzip
import re
from pathlib import Path

import plotly
import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from evalplatform.core.static_files import HashedStaticFilesStorage
from tests import live

HASH = re.compile(r"\.[0-9a-f]{12}\.")
# What follows `import`, `from` or `import(` in our modules: the neighbour's address.
NEIGHBOUR = re.compile(r"""(?:\bfrom|\bimport\(?)\s*["'](\.[^"']+)["']""")
PLOTLY = "vendor/plotly/plotly-basic.min.js"


@pytest.fixture(scope="module", autouse=True)
def collected():
    live.collect_static_files()
    return Path(settings.STATIC_ROOT)


def test_every_module_imports_its_neighbours_by_their_hashed_names(collected):
    imported = 0
    for module in collected.glob("js/**/*.js"):
        for address in NEIGHBOUR.findall(module.read_text()):
            assert HASH.search(address), f"{module.name} imports {address}"
            assert (module.parent / address).is_file(), f"{module.name} imports {address}"
            imported += 1
    written = sum(
        len(NEIGHBOUR.findall(module.read_text()))
        for module in (Path(settings.BASE_DIR) / "static/js").rglob("*.js")
    )
    assert imported == written > 5


def test_every_script_and_style_lies_there_compressed(collected):
    for file in [*collected.rglob("*.js"), *collected.rglob("*.css")]:
        packed = file.with_name(f"{file.name}.gz")
        if packed.exists():
            assert gzip.decompress(packed.read_bytes()) == file.read_bytes()
        else:
            assert file.stat().st_size < 500, f"{file.name} is not compressed"


def test_nothing_collected_means_names_as_they_are_written(tmp_path):
    storage = HashedStaticFilesStorage(location=tmp_path, base_url="/static/")
    assert storage.url("css/site.css") == "/static/css/site.css"


def test_name_that_is_in_no_folder_is_refused():
    with pytest.raises(ValueError, match="Missing staticfiles manifest entry"):
        staticfiles_storage.url("css/missing.css")


def test_figures_script_is_small_and_of_the_version_that_the_figures_are_made_for():
    script = Path(settings.BASE_DIR) / "static" / PLOTLY
    assert len(gzip.compress(script.read_bytes(), 9)) <= 450_000
    assert (script.parent / "LICENSE").read_text().startswith("MIT License")
    full = Path(plotly.__file__).parent / "package_data/plotly.min.js"
    version = re.compile(r"plotly\.js (?:\(basic - minified\) )?v([\d.]+)")
    assert version.search(script.read_text()[:200])[1] == version.search(full.read_text()[:200])[1]
