# The commands of this project.  `make help` lists them.
#
# PYTHON chooses the interpreter, for instance `make test PYTHON=python3.13`.  Each interpreter has
# a virtual environment of its own, so that changing it back and forth costs nothing.

PYTHON ?= python3

# The interpreter itself rather than a launcher, and what tells it from others: "cpython-3.13.0".
PYTHON_EXE := $(shell $(PYTHON) -c 'import sys; print(sys.executable)')
PYTHON_TAG := $(shell $(PYTHON) -c 'import sys, sysconfig; print("%s-%d.%d.%d%s" % ((sys.implementation.name,) + sys.version_info[:3] + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "",)))')

ifeq ($(PYTHON_TAG),)
$(error "$(PYTHON)" is no working Python interpreter; say PYTHON=... to choose another one)
endif

VENV := $(CURDIR)/.venv-$(PYTHON_TAG)
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python

# What maturin sets for its own builds is set for all of them, so that cargo sees one environment
# and compiles PyO3 once, whichever command comes first.
export VIRTUAL_ENV := $(VENV)
export PATH := $(BIN):$(PATH)
export PYO3_PYTHON := $(PY)
export PYO3_BUILD_EXTENSION_MODULE := 1
export PYO3_ENVIRONMENT_SIGNATURE := $(shell $(PYTHON) -c 'import sys; print("%s-%d.%d-%dbit" % ((sys.implementation.name,) + sys.version_info[:2] + (64 if sys.maxsize > 2**32 else 32,)))')
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport CONDA_PREFIX PYTHONHOME PYTHONPATH

# The tests build everything, LuaJIT included, with its assertions on: the same features in all
# of them, so that LuaJIT is compiled once.  `make test ASSERTIONS=` leaves them out.
ASSERTIONS ?= assertions
RUST_TEST_FEATURES := --features lupa-core/async,lupa-core/serde $(if $(ASSERTIONS),--features lupa-core/assertions)
EXT_TEST_FEATURES := $(if $(ASSERTIONS),--features assertions)

# The cargo profile of the extension that the Python suites test.
PROFILE ?= dev

# Options for pytest: make test PYTEST_ARGS='-k coroutine -x'
PYTEST_ARGS ?=

# Options for the Python benchmarks: make bench-python BENCH_ARGS='--only call --quick'
BENCH_ARGS ?=
# Whether they measure a profile-guided build, as `make wheel` makes it: make bench-python PGO=1
PGO ?=

# Options for the comparison: make compat COMPAT_ARGS='coroutines --show'
COMPAT_ARGS ?=

# Where PyPI's lupa, which has our package's name, is installed for the benchmarks and the comparison.
BENCH_VENV := $(CURDIR)/.venv-bench-$(PYTHON_TAG)
BENCH_PY := $(subst $(VENV),$(BENCH_VENV),$(PY))

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python bench bench-rust bench-python lint docs msrv package wheel clean compat programs test-debug faults stress test-allocations sanitize fuzz fuzz-corpus

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- virtual environments ---------------------------------------------------------------------

$(VENV)/.created:
	$(PYTHON_EXE) -m venv --clear "$(VENV)"
	"$(PY)" -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

# One stamp for each dependency group of pyproject.toml: .group-test, .group-lint, ...
$(VENV)/.group-%: $(VENV)/.created pyproject.toml
	"$(PY)" -m pip install --quiet --group $*
	@touch $@

.PRECIOUS: $(VENV)/.group-%

# --- commands ---------------------------------------------------------------------------------

demo: $(VENV)/.group-build $(VENV)/.group-demo ## Render the Mandelbrot set with eight Lua runtimes in eight threads
	"$(BIN)/maturin" develop --quiet --release
	"$(PY)" examples/mandelbrot.py

test: test-rust test-python ## Run all tests, of the Rust crates, the Python package and the documents

# Rustdoc of the stable Rust looks at the errors' codes of programs that must not compile, and writes JSON, only if RUSTC_BOOTSTRAP is
# set. With that in cargo's own environment, dependencies whose build scripts ask for it would be compiled again.
ifneq ($(OS),Windows_NT)
UNSTABLE_RUSTDOC := $(CURDIR)/target/unstable-rustdoc
endif

$(CURDIR)/target/unstable-rustdoc: Makefile
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$$@"\n' >$@
	@chmod +x $@

test-rust: $(VENV)/.group-test $(UNSTABLE_RUSTDOC) ## Run the Rust tests alone
	LIBCLANG_PATH="$$("$(PY)" -c 'import clang.native, os; print(os.path.dirname(clang.native.__file__))')" \
	$(UNSTABLE_RUSTDOC:%=RUSTDOC="%") cargo test --workspace --exclude lupa-py $(RUST_TEST_FEATURES)
	$(ALLOCATIONS_TEST)
	$(LUA52COMPAT_TEST)

# Without LuaJIT's assertions: after a failed allocation its account of memory is off by some bytes.
ALLOCATIONS_TEST := cargo test --package lupa-core --features fault-injection,async,serde --test allocations

# LuaJIT is compiled again for it, so only what shows the difference runs.
LUA52COMPAT_TEST := cargo test --package lupa-core --features lua52compat $(EXT_TEST_FEATURES) \
	--test lua52compat --test user_types --test objects

test-allocations: ## Let each allocation of each operation fail once (test-rust takes some of them)
	ALLOCATIONS=all $(ALLOCATIONS_TEST)

# Rust's stable compiler has the sanitizer; RUSTC_BOOTSTRAP lets it be switched on. LuaJIT gets its memory from
# malloc, or the sanitizer would not see its blocks, and inlines nothing, or what lsan.supp names would not be in call stacks.
# Threads have 8 MiB of stack, since frames are several times as large as elsewhere.
SANITIZE := RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address LDFLAGS=-fsanitize=address \
	CFLAGS='-fsanitize=address -fno-omit-frame-pointer -g -fno-inline -DLUAJIT_USE_SYSMALLOC'
SANITIZE_TEST = test --package lupa-core --package lupa-fuzz-targets --lib --tests \
	--features lupa-core/fault-injection,lupa-core/async,lupa-core/serde --target-dir target/sanitize --target $(RUST_HOST)
RUST_HOST = $(shell rustc -vV | sed -n 's/^host: //p')

sanitize: ## Run the tests of lupa-core, and what fuzzing found, under AddressSanitizer and LeakSanitizer (Linux)
	$(SANITIZE) ASAN_OPTIONS=detect_leaks=0 cargo $(SANITIZE_TEST) --no-run
	$(SANITIZE) RUST_MIN_STACK=8388608 ASAN_OPTIONS=detect_stack_use_after_return=0 \
	LSAN_OPTIONS=suppressions=$(CURDIR)/crates/lupa-core/tests/lsan.supp:print_suppressions=0 \
	cargo $(SANITIZE_TEST) --no-fail-fast

# FUZZ chooses targets: make fuzz FUZZ='api chunk' FUZZ_SECONDS=600
FUZZ ?= api chunk convert
FUZZ_SECONDS ?= 60
# Options for libFuzzer: make fuzz FUZZ=api FUZZ_ARGS=-seed=1
FUZZ_ARGS ?=
FUZZ_BIN = target/fuzz/$(RUST_HOST)/release

# As `sanitize`, with counters on the edges: of Rust code as cargo-fuzz sets them, of LuaJIT's by gcc's flag, which
# fuzz/edges.c serves.
FUZZ_BUILD = $(SANITIZE) ASAN_OPTIONS=detect_leaks=0 \
	TARGET_CFLAGS=-fsanitize-coverage=trace-pc \
	RUSTFLAGS='--cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cpasses=sancov-module \
		-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
		-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares' \
	cargo build --release --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target $(RUST_HOST)
FUZZ_RUN := ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0

fuzz: ## Fuzz lupa-core for FUZZ_SECONDS a target (Linux on x86-64)
	$(FUZZ_BUILD)
	for target in $(FUZZ); do \
		mkdir -p out/fuzz/$$target && \
		$(FUZZ_RUN) $(FUZZ_BIN)/$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=1000 -len_control=0 \
			-print_final_stats=1 -artifact_prefix=out/fuzz/$$target- $(FUZZ_ARGS) out/fuzz/$$target fuzz/corpus/$$target || exit 1; \
	done

# The fewest inputs that reach the same code, of both the corpus and what `fuzz` has found.
fuzz-corpus: ## Take what fuzzing has found into the corpus, and thin it out
	$(FUZZ_BUILD)
	for target in $(FUZZ); do \
		rm -rf out/fuzz/merged && mkdir -p out/fuzz/merged out/fuzz/$$target && \
		$(FUZZ_RUN) $(FUZZ_BIN)/$$target -set_cover_merge=1 -use_counters=0 -timeout=5 -max_len=600 out/fuzz/merged fuzz/corpus/$$target out/fuzz/$$target && \
		find fuzz/corpus/$$target -type f ! -name 'crash-*' -delete && \
		mv out/fuzz/merged/* fuzz/corpus/$$target || exit 1; \
	done

test-python: $(VENV)/.group-test ## Run the Python suites alone (PROFILE=release ASSERTIONS= tests what is shipped)
	"$(BIN)/maturin" develop --quiet --profile $(PROFILE) $(EXT_TEST_FEATURES)
	"$(PY)" -m pytest $(PYTEST_ARGS)

compat: $(VENV)/.group-compat $(BENCH_VENV)/.created ## Compare with PyPI's lupa, case by case
	"$(BIN)/maturin" develop --quiet --profile $(PROFILE) $(EXT_TEST_FEATURES)
	"$(PY)" tests/compat/run.py "$(subst $(VENV),$(BENCH_VENV),$(PY))" $(COMPAT_ARGS)

$(BENCH_VENV)/.created: pyproject.toml
	$(PYTHON_EXE) -m venv --clear "$(BENCH_VENV)"
	"$(BENCH_PY)" -m pip install --quiet --upgrade 'pip>=25.1'
	"$(BENCH_PY)" -m pip install --quiet --group bench
	@touch $@

bench: override BENCH_ARGS += --all
bench: bench-rust bench-python ## Measure all sides, and write docs/benchmarks.md
	"$(BENCH_PY)" benches/python/report.py

bench-rust: ## Time lupa-core beside mlua and the raw C API, by Criterion and side by side
	cargo bench --quiet --package lupa-benches
	@mkdir -p out/bench
	cargo run --quiet --profile bench --package lupa-benches --bin ratios > out/bench/rust.json

bench-python: $(VENV)/.group-build $(BENCH_VENV)/.created ## Time the Python package beside PyPI's lupa
	"$(BIN)/maturin" develop --quiet --release $(if $(PGO),--pgo)
	"$(BENCH_PY)" benches/python $(BENCH_ARGS)
# --- programs from PyPI that use lupa ----------------------------------------------------------

# They have an environment of their own, into which our wheel goes under the name they ask for.
PROGRAMS := $(VENV)-programs
PROGRAMS_PY := $(PROGRAMS)$(BIN:$(VENV)%=%)/python
FAKEREDIS := $(shell sed -n 's/^fakeredis==/fakeredis-/p' tests/programs/requirements.txt)

# The tests of fakeredis come with its source distribution alone.
$(PROGRAMS)/.installed: tests/programs/requirements.txt
	$(PYTHON_EXE) -m venv --clear "$(PROGRAMS)"
	"$(PROGRAMS_PY)" -m pip install --quiet --no-deps -r tests/programs/requirements.txt
	cd "$(PROGRAMS)" && "$(PROGRAMS_PY)" -m pip download --quiet --no-deps --no-binary :all: $(subst -,==,$(FAKEREDIS))
	cd "$(PROGRAMS)" && "$(PROGRAMS_PY)" -m tarfile -e $(FAKEREDIS).tar.gz
	@touch $@

# What is left out needs PUC's Lua 5.1: LuaJIT keeps no frame for a function that ends in a tail
# call of a C function, so debug.getinfo finds no line there; likewise with PyPI's lupa.luajit21.
FAKEREDIS_TESTS := \
	test/test_mixins/test_scripting_commands.py test/test_mixins/test_function_commands.py \
	test/test_internals/test_lua_modules.py test/test_valkey/test_valkey_lua.py \
	test/test_async/test_scripts.py \
	-m 'fake and not tcp_server' \
	-k 'not errors_name_the_function_and_line and not fcall_bad_redis_calls and not fcall_ro_and_no_writes'

programs: $(VENV)/.group-build $(PROGRAMS)/.installed ## Run programs from PyPI that use lupa on ours (Python >= 3.10)
	rm -rf "$(PROGRAMS)/wheel"
	"$(BIN)/maturin" build --quiet --profile $(PROFILE) $(EXT_TEST_FEATURES) --interpreter "$(PY)" --compatibility linux --out "$(PROGRAMS)/wheel"
	"$(PROGRAMS_PY)" -m pip install --quiet --no-deps --force-reinstall "$(PROGRAMS)"/wheel/*.whl
	LUPA_TEST_PROGRAMS=ours "$(PROGRAMS_PY)" -m pytest -p no:asyncio $(PYTEST_ARGS) tests/programs
	cd "$(PROGRAMS)/$(FAKEREDIS)" && for server in redis-7.4.0 valkey-8.0.0; do \
		FAKEREDIS_TEST_SERVER=$$server PYTHONPATH="$(CURDIR)/tests/programs" \
		"$(PROGRAMS_PY)" -m pytest -p fakeredis_alone $(FAKEREDIS_TESTS) || exit 1; \
	done
test-debug: $(VENV)/.group-test ## Run the Python suites with Python's checks of memory and use on
	"$(BIN)/maturin" develop --quiet --profile $(PROFILE) $(EXT_TEST_FEATURES)
	PYTHONMALLOC=debug "$(PY)" -X dev -m pytest $(PYTEST_ARGS)

# FAULTS chooses cases by a part of their names: make faults FAULTS=memory.
FAULTS ?=
# An interpreter with lupa 2.8 gets a second column: make faults REFERENCE=/path/to/python
REFERENCE ?=

faults: $(VENV)/.group-test ## Print the fault table: what may go wrong, each case in a process of its own
	"$(BIN)/maturin" develop --quiet --profile $(PROFILE) $(EXT_TEST_FEATURES)
	cd tests && "$(PY)" -m faults $(FAULTS) $(if $(REFERENCE),--reference "$(REFERENCE)")

STRESS_SECONDS ?= 240

stress: $(VENV)/.group-test ## Run many threads at once and watch memory, for STRESS_SECONDS
	"$(BIN)/maturin" develop --quiet --profile release
	cd tests && "$(PY)" -m stress --seconds $(STRESS_SECONDS)

lint: $(VENV)/.group-lint $(UNSTABLE_RUSTDOC) ## Check formatting, lints, types and the stubs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	# What only a feature uses is not there without it.
	cargo clippy --package lupa-core $(EXT_TEST_FEATURES) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet $(RUST_TEST_FEATURES)
	# What is written must not link to what only a feature brings.
	RUSTDOCFLAGS='-D warnings' cargo doc --package lupa-core --no-deps --quiet $(EXT_TEST_FEATURES)
ifdef UNSTABLE_RUSTDOC
	RUSTDOC="$(UNSTABLE_RUSTDOC)" cargo rustdoc --quiet --package lupa-core $(RUST_TEST_FEATURES) -- -Zunstable-options --output-format json
	"$(PY)" tests/docs/rust_examples.py "$${CARGO_TARGET_DIR:-target}/doc/lupa_core.json"
endif
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy" -p lupa
	"$(BIN)/mypy" examples
	"$(BIN)/maturin" develop --quiet --profile dev $(EXT_TEST_FEATURES)
	"$(BIN)/stubtest" lupa --mypy-config-file pyproject.toml --allowlist tests/package/stubtest-allowlist.txt

docs: ## Build the Rust API's documentation
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps $(RUST_TEST_FEATURES)
	@echo "Rust API: target/doc/lupa_core/index.html; user guide: docs/guide/index.md"

# The oldest Rust that Cargo.toml asks for, of the crates for Rust programs, without what only their tests need.
MSRV := $(shell sed -n 's/^rust-version = "\([0-9.]*\)"/\1/p' Cargo.toml)
MSRV_TOOLCHAIN = $(MSRV).0

msrv: ## Check luajit-sys and lupa-core with the oldest Rust that they support
	@rustup run $(MSRV_TOOLCHAIN) cargo --version 2>/dev/null || { \
		echo "Rust $(MSRV_TOOLCHAIN) is missing; to install it: rustup toolchain install $(MSRV_TOOLCHAIN) --profile minimal" >&2; exit 1; }
	cargo +$(MSRV_TOOLCHAIN) check --locked --package luajit-sys --package lupa-core --features lupa-core/async,lupa-core/serde --target-dir target/msrv

# maturin builds with counters, runs `pgo-command` of pyproject.toml, and builds again with what that has counted.
wheel: $(VENV)/.group-build ## Build the wheel for this Python with profile-guided optimisation (needs rustup), into out/wheel
	rustup component add llvm-tools
	"$(BIN)/maturin" build --quiet --pgo --out out/wheel

# Both at once, as cargo 1.90 and newer can: lupa-core is built against the luajit-sys that is packed with it.
package: ## Pack the crates as for crates.io, build them from what was packed, publish nothing
	@# Cargo unpacks what it has packed into its cache by the place of the target directory, and takes that for good: a new one each time.
	@mkdir -p target; place=$$(mktemp -d target/package.XXXXXX); trap 'rm -rf "$$place"' EXIT; \
	cargo publish --dry-run --target-dir "$$place" --package luajit-sys --package lupa-core $(PACKAGE_ARGS)

clean: ## Remove everything that was built, virtual environments included
	cargo clean
	rm -rf .venv-* out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f crates/lupa-py/python/lupa/_lupa*.so crates/lupa-py/python/lupa/_lupa*.pyd
	find benches crates examples tests -name __pycache__ -type d -prune -exec rm -rf {} +
