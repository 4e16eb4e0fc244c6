"""The package as a whole: it stays pure, its examples run, its public names exist."""

import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import evalplatform.stats

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(evalplatform.stats.__path__, "evalplatform.stats.")
    if not module.ispkg
]
WINGS = {name.split(".")[2] for name in MODULES}
WITH_EXAMPLES = {"win_rates", "verdicts", "sign_test", "agreement"} | {
    "graded_agreement",
    "graded_votes",
    "pairs_from_ratings",
    "rank_arms",
    "rate_arms",
    "side_bias",
    "Votes",
    "annotators",
    "dawid_skene",
    "majority_of_others",
    "medians_by",
    "proportion",
    "compare_nets",
    "completed_prompt_means",
    "confidence_sequence",
    "early_look",
    "detectable_effect",
    "plan_study",
    "power_of",
    "stated_components",
    "variance_components",
    "group_tests",
    "order_effect",
    "rank",
    "holm",
}


def test_import_loads_neither_django_nor_torch_nor_scipy_stats():
    """scipy.stats alone takes longer to load than the whole package."""
    code = "import json, sys, evalplatform.stats; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modules = set(json.loads(loaded.stdout))
    assert "evalplatform.stats.pairs.rates" in modules
    assert not modules & {"django", "torch", "celery", "pandas", "statsmodels", "scipy.stats"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted(WITH_EXAMPLES))
def test_public_functions_show_an_example(name):
    assert ">>>" in getattr(evalplatform.stats, name).__doc__


def test_public_names_are_listed_once_in_order_and_exist():
    names = evalplatform.stats.__all__
    assert names == sorted(set(names))
    assert all(hasattr(evalplatform.stats, name) for name in names)
    assert not set(names) & WINGS, "a public name would hide the wing of that name"
