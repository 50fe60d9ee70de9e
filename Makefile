# Everything a person types. `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin
SNAKEMAKE = $(RUN)/snakemake --cores all

.PHONY: demo test test-all lint format models config lock conda clean help

help:
	@echo "make demo      simulate an experiment, run the whole pipeline on it, print the answers"
	@echo "make test      run the tests (make test-all adds the slow ones)"
	@echo "make lint      check the code as .ci/run does (make format mends what can be mended)"

demo: $(VENV)/.complete
	@$(RUN)/python scripts/unlock_if_stale.py
	$(SNAKEMAKE)
	@$(RUN)/python scripts/show_answers.py results/demo/report/answers.json

test: $(VENV)/.complete
	$(RUN)/python -m pytest -m "not slow"

test-all: $(VENV)/.complete
	$(RUN)/python -m pytest

lint: $(VENV)/.complete
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/snakefmt --check Snakefile rules
	$(RUN)/snakemake --lint

format: $(VENV)/.complete
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .
	$(RUN)/snakefmt Snakefile rules

# The small models in resources/ are made by these two commands; they take minutes and are committed.
models: $(VENV)/.complete
	$(RUN)/python scripts/train_segmenter.py
	$(RUN)/python scripts/train_embedder.py

# What is generated from the configuration's models; a test keeps it in step.
config: $(VENV)/.complete
	$(RUN)/python scripts/write_config.py

# The lock holds versions and hashes only, for every supported Python; needs uv.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file envs/requirements.lock
	$(RUN)/python scripts/write_conda.py

$(VENV)/.complete: envs/requirements.lock
	@echo "Installing the locked environment into $(VENV) (minutes on a cold cache)."
	$(PYTHON) -m venv $(VENV)
	@if command -v uv > /dev/null; then \
		uv pip sync --python $(RUN)/python --require-hashes envs/requirements.lock; \
	else \
		$(RUN)/python -m pip install --progress-bar on --require-hashes --requirement envs/requirements.lock; \
	fi
	@touch $@

clean:
	rm -rf results .snakemake
