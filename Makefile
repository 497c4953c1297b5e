# One command each; everything lives in .venv, which `make clean` removes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test cluster lint docs wheel lowest clean setup

setup: $(READY)

$(READY): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch torchvision
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]' --editable plugins/eosvos-ablation
	@touch $(READY)

demo: $(READY)  ## run trackers on the embedded dataset and show the table
	$(BIN)/vosbench run --tracker copy-first --tracker flow --tracker eosvos-10 --dataset demo
	$(BIN)/vosbench compare --dataset demo
	$(BIN)/vosbench show --dataset demo --tracker eosvos-10

# One process more than there are cores: some tests wait.
test: $(READY)  ## all tests, on all cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist worksteal

cluster: $(READY)  ## tests on a Ray cluster of two nodes on this machine
	$(BIN)/python -m pip install --quiet --editable '.[ray]'
	$(BIN)/python -m pytest tests/running/test_cluster.py tests/cli/faults

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

docs: $(READY)  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel:  ## build wheel and sdist, install the wheel into an empty environment, run the demo from it
	PYTHON=$(PYTHON) .ci/wheel

lowest:  ## run the tests with the lowest versions that pyproject.toml admits
	PYTHON=$(PYTHON) .ci/lowest

clean:
	rm -rf $(VENV) dist site .pytest_cache .mypy_cache .ruff_cache
