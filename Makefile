# make demo | test | ...: each sets up what it needs. PYTHON=python3.12 chooses another Python (3.11 to 3.13).
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install demo train-demo test soak bench lint format docs profile clean

help:
	@echo "make demo   set up, run the demo study, print the path of its report"
	@echo "make train-demo   set up, train a small network on simulated nuclei, compare it with Otsu"
	@echo "make test   set up, run the tests (ARGS='-k name' chooses, ARGS='-m slow' runs the long ones)"
	@echo "make soak   kill a study at random moments, read files that lie (KILLS=50 FUZZ_MINUTES=10)"
	@echo "make bench  measure the hot paths beside what a user would write (BENCH=features chooses one)"
	@echo "make lint   ruff, snakefmt, snakemake --lint"
	@echo "make profile   once on a SLURM cluster: snakemake --profile slurm finds profiles/slurm"
	@echo "make docs   write again what is generated: schemas, docs/settings.md, docs/errors.md"

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

demo: install
	test -f demo/images.tsv || scopemill simulate demo --pictures
	snakemake --profile profiles/local --cores $(CORES) --configfile demo/config.yaml
	@echo "report: $(CURDIR)/results/demo/report.html"

TRAINED := results/train-demo
train-demo: install
	test -f demo/training/images.tsv || scopemill simulate demo/training --nuclei 24
	snakemake train evaluate --profile profiles/local --cores $(CORES) --configfile demo/training/config.yaml
	@scopemill compare $(TRAINED)/evaluation/otsu/scores.csv $(TRAINED)/models/nuclei/scores.csv
	@echo "loss curve: $(CURDIR)/$(TRAINED)/models/nuclei/loss.png"
	@echo "model:      $(CURDIR)/$(TRAINED)/models/nuclei (card.md says what it is for and how well it does)"

test: install
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow and not container and not cluster" $(ARGS)

KILLS ?= 50
FUZZ_MINUTES ?= 10
soak: install
	$(BIN)/python benchmarks/soak.py --kills $(KILLS) --fuzz-minutes $(FUZZ_MINUTES)

# one after the other, each a file of benchmarks/suite; results in benchmarks/results, table in docs/performance.md
bench: install
	$(BIN)/python -m benchmarks.suite --docs $(BENCH)

lint: install
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint

format: install
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

docs: install
	scopemill docs

# once on a cluster: then `snakemake --profile slurm` works anywhere
profile:
	mkdir -p "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake"
	@test ! -d "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm" -o -L "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm" || \
	  { echo "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm is a folder of yours; move it away first"; exit 1; }
	ln -sfn "$(CURDIR)/profiles/slurm" "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm"
	@echo "edit the three marked lines of profiles/slurm/config.yaml, then: snakemake --profile slurm --configfile ..."

clean:
	rm -rf .venv results demo .snakemake
