# What one can do here. Every target does its own set-up; `make demo` never touches the system.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
COVERED := 99.5 # per cent of the core's lines and branches: room for a hole on its way to a test, for no more

# Cleanup that awaits is shielded where it matters (102, 120); `task_status` with a default is how our parts are started
# with or without a nursery that waits (114); generators are closed by `aclosing` where they are used (119, 128).
TRIO_IGNORED := ASYNC102,ASYNC114,ASYNC119,ASYNC120,ASYNC128

.PHONY: help demo test test-quick soak coverage check lint types layers news release deb deb-test deb-test-arm64 lock clean system

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(READY) ## five nodes on this machine: watch a message cross four hops
	@$(BIN)/meshnode demo $(ARGS)

test: system $(READY) ## everything but the long trials (root: namespaces, TUN, yggdrasil)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not soak" $(ARGS)

test-quick: $(READY) ## what needs neither root nor yggdrasil
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not soak and not netns and not ygg" $(ARGS)

soak: system $(READY) ## trials that take longer than a minute each
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m soak $(ARGS)

coverage: $(READY) ## the core's own tests meet its lines and branches, all but a handful
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run --source meshnode/core -m pytest -n $(WORKERS) -m "not soak" $(ARGS) tests/core
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --show-missing --fail-under $(COVERED)

check: lint types layers test ## what a change must pass

lint: $(READY) ## style, and trio mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/flake8 --select ASYNC1,ASYNC2 --extend-ignore $(TRIO_IGNORED) meshnode sim

types: $(READY) ## mypy, strict
	$(BIN)/mypy meshnode sim/meshnode_sim

layers: $(READY) ## arrows point down
	$(BIN)/lint-imports

news: $(READY) ## what the next release will say
	$(BIN)/towncrier build --draft

release: check ## news, build, install into a clean environment, send a message to oneself
	scripts/release.sh

deb: $(READY) ## a Debian package that carries its environment (ARCH=arm64 for the other architecture)
	$(BIN)/python scripts/debian.py $(if $(ARCH),--architecture $(ARCH))

deb-test: deb ## the package on a clean Debian under a real systemd (root, debootstrap, systemd-nspawn)
	scripts/deb-test.sh dist/meshnode_*_$$(dpkg --print-architecture).deb

deb-test-arm64: ## the arm64 package under emulation (root, debootstrap, qemu-user-static)
	$(MAKE) deb ARCH=arm64
	scripts/deb-test-arm64.sh dist/meshnode_*_arm64.deb

lock: ## resolve the dependencies again, with hashes
	scripts/lock.sh

system:
	@scripts/system-packages.sh

$(READY): pyproject.toml requirements/build.lock requirements/dev.lock scripts/environment.sh
	@PYTHON=$(PYTHON) scripts/environment.sh $(VENV)
	@touch $@

clean: ## remove the environment and caches
	rm -rf $(VENV) build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
