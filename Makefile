# The commands that people use. `make demo` and `make test` need x86-64 Linux, Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
LINT = .venv-lint
DOCS = .venv-docs
PEERS = .venv-peers
BTRACK = .venv-btrack
RUN = $(VENV)/bin
SNAKEMAKE = $(RUN)/snakemake --cores all
# Bytecode is kept even if the shell forbids it: otherwise every job would compile all its imports again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: install demo test test-all bench-imaging bench-tracking bench-calibration bench-lineage bench-prediction bench-expression bench-truth bench-measurements bench-generative bench-inputs bench-workflow lint format docs docs-pictures notebooks models config lock clean help

help:
	@echo "make install   create the locked environment in .venv"
	@echo "make demo      simulate an experiment, run the whole pipeline on it, print the answers"
	@echo "make test      run the tests (make test-all adds the slow ones)"
	@echo "make bench-imaging   score segmentation, tracking and memory on real and simulated movies, compared with peers (an hour)"
	@echo "make bench-tracking   score tracking on tissue, colonies and nuclei, beside laptrack, trackpy and btrack (an hour)"
	@echo "make bench-calibration   fit the calibration of links, and print its error on movies that it was not fitted to"
	@echo "make bench-lineage   score the lineage analysis: real families, simulated experiments, speed (minutes)"
	@echo "make bench-prediction   score prediction of function: real cells, simulated experiments (an hour)"
	@echo "make bench-expression   time and memory of clustering 100,000 cells and of ranking genes, compared with scanpy"
	@echo "make bench-truth   measure what the claims are worth in simulated studies whose truth is planted (hours)"
	@echo "make bench-measurements   measure function scores, ends of tracks and pairs against a planted truth (an hour)"
	@echo "make bench-generative   measure explained shares and generated cells against a planted truth (hours)"
	@echo "make bench-inputs   read 1,000 spoilt inputs in 28 formats and count what happens (minutes)"
	@echo "make bench-workflow   score the planning of large studies and the check of large tables (minutes)"
	@echo "make lint      check the code as .ci/run does (make format fixes what can be fixed)"
	@echo "make notebooks run the notebooks in examples/ on the results of make demo"
	@echo "make docs-pictures   draw the pictures of function scores in docs/images again"
	@echo "make docs      build the site from docs/ and the docstrings into site/"

install: $(VENV)/.installed

demo: $(VENV)/.installed
	@$(RUN)/python tools/unlock_if_stale.py
	$(SNAKEMAKE)
	@$(RUN)/python tools/show_answers.py results/demo/report/answers.json

test: $(VENV)/.installed
	$(RUN)/python -m pytest -n auto -m "not slow"

test-all: $(VENV)/.installed
	$(RUN)/python -m pytest -n auto

bench-imaging: $(VENV)/.installed $(PEERS)/.complete
	$(RUN)/python benchmarks/bench_imaging.py

# Scores of peers are kept in results/ and are computed for new movies only.
bench-tracking: $(VENV)/.installed $(PEERS)/.complete $(BTRACK)/.complete
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_tracking.py --peers

bench-calibration: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_calibration.py

bench-lineage: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_lineage.py

bench-prediction: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_prediction_real.py
	OMP_NUM_THREADS=1 PYTHONPATH=. $(RUN)/python benchmarks/bench_prediction_simulated.py

bench-expression: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_markers.py
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_clusters.py

bench-truth: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_truth.py

bench-measurements: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_measurements.py

bench-generative: $(VENV)/.installed
	OMP_NUM_THREADS=1 PYTHONPATH=benchmarks $(RUN)/python benchmarks/bench_generative.py --jobs 1

bench-inputs: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python benchmarks/bench_inputs.py

bench-workflow: $(VENV)/.installed
	$(RUN)/python benchmarks/bench_dry_run.py
	$(RUN)/python benchmarks/bench_contracts.py

lint: $(VENV)/.installed $(LINT)/.complete
	$(LINT)/bin/ruff check .
	$(LINT)/bin/ruff format --check .
	$(LINT)/bin/snakefmt --check Snakefile rules
	$(RUN)/snakemake --lint
	$(RUN)/mypy

format: $(LINT)/.complete
	$(LINT)/bin/ruff check --fix .
	$(LINT)/bin/ruff format .
	$(LINT)/bin/snakefmt Snakefile rules

# Docstrings are read without importing the package; a warning is an error.
docs: $(DOCS)/.complete
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=tools $(DOCS)/bin/mkdocs build --strict

docs-pictures: $(VENV)/.installed
	$(RUN)/python tools/draw_scores.py

# On real data too, if they are present; `tools/run_notebooks.py --write` stores the outputs, of the demo only.
notebooks: $(VENV)/.installed
	$(RUN)/python tools/run_notebooks.py

# These two commands train the small models in resources/, which are committed; they take two hours on one core.
models: $(VENV)/.installed
	$(RUN)/python tools/train_segmenter.py
	$(RUN)/python tools/train_embedder.py

# Files that are generated from the code; tests keep them up to date.
config: $(VENV)/.installed
	$(RUN)/python tools/write_config.py
	$(RUN)/python tools/draw_architecture.py
	$(RUN)/python tools/write_public_names.py

# The lock holds versions and hashes only, for every supported Python; needs uv.
COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet
lock:
	$(COMPILE) pyproject.toml --extra dev --output-file envs/requirements.lock
	$(COMPILE) --group lint --output-file envs/lint.lock
	$(COMPILE) --group docs --output-file envs/docs.lock
	$(RUN)/python tools/write_conda.py
	$(RUN)/python tools/write_licences.py

# Most of what is installed is never imported: compiling all of it to bytecode took a minute. Unpacking torch and what
# it runs on takes one core as long as everything else: pip does both at once, and the lock names every dependency.
PIP = $(@D)/bin/python -m pip install --progress-bar on --no-compile --no-deps --require-hashes
$(VENV)/.complete: envs/requirements.lock
$(LINT)/.complete: envs/lint.lock
$(DOCS)/.complete: envs/docs.lock
$(VENV)/.complete $(LINT)/.complete $(DOCS)/.complete:
	@test "$$(uname -sm)" = "Linux x86_64" || { \
		echo "The locked environment is for x86-64 Linux and this is $$(uname -sm): install on such a machine." >&2; \
		exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2> /dev/null || { \
		echo "Python 3.11 or newer is needed and $(PYTHON) is $$($(PYTHON) --version 2> /dev/null || echo not there):" \
			"name another one, as in \`make $(or $(MAKECMDGOALS),install) PYTHON=python3.12\`." >&2; \
		exit 1; }
	@echo "Installing the locked environment into $(@D) (minutes on a cold cache)."
	$(PYTHON) -m venv $(@D)
	@if command -v uv > /dev/null; then \
		uv pip sync --python $(@D)/bin/python --require-hashes $<; \
	else \
		awk '/^[a-z]/ {part = /^(torch|nvidia|cuda|triton)/ ? "large" : "small"} part {print > ("$(@D)/" part ".lock")}' $<; \
		touch $(@D)/large.lock; \
		$(PIP) --quiet --requirement $(@D)/large.lock & large=$$!; \
		trap 'kill $$large 2> /dev/null' EXIT INT TERM; \
		$(PIP) --requirement $(@D)/small.lock && { echo "Waiting for torch and its libraries."; wait $$large; }; \
	fi
	@touch $@

# The package of this checkout, with the lock's own build tools: nothing is fetched.
$(VENV)/.installed: $(VENV)/.complete pyproject.toml src/cineseq/__init__.py
	@if command -v uv > /dev/null; then \
		uv pip install --quiet --python $(@D) --no-deps --no-build-isolation --editable .; \
	else \
		$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

# Published tools for comparison. They are not part of cineseq and are not locked.
$(PEERS)/.complete: benchmarks/peers.txt
$(BTRACK)/.complete: benchmarks/peers_btrack.txt
$(PEERS)/.complete $(BTRACK)/.complete:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --progress-bar on --requirement $<
	@touch $@

clean:
	rm -rf results site .snakemake
