# Two commands do everything on a machine with python3 >= 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv

# Where it is set, as in many images, each of the thousand processes that tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup provision images targets demo test test-fast spark-test lint format docs bench lock clean

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 >= 3.11 is needed; set PYTHON=/path/to/python3"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

provision: setup
	$(BIN)/harness provision

# For the Compose backend where no image can be pulled: stand-ins, and the Compose plugin where docker has none.
# OVERLAYS="load observability postgres tls": their images, too.
images: setup
	docker compose version >/dev/null 2>&1 || $(BIN)/harness provision --compose
	$(BIN)/harness images build $(OVERLAYS:%=--overlay %)

# The reference workflow in other languages, each where its toolchain is. The tests of one that is not built are skipped.
targets: setup
	if command -v go >/dev/null; then cd target/go && go build -o bin/ .; else echo "target/go is not built: it needs go"; fi
	if command -v npm >/dev/null; then cd target/javascript && npm ci --ignore-scripts; else echo "target/javascript is not built: it needs npm"; fi
	test -x target/python/.venv/bin/python || $(PYTHON) -m venv --without-pip target/python/.venv
	$(UV) pip sync --quiet --python target/python/.venv/bin/python --require-hashes target/python/requirements.lock
	if command -v mvn >/dev/null && command -v javac >/dev/null; then $(MAKE) $(ORDERS_JAR); else echo "target/java is not built: it needs mvn and a JDK of 17 or newer"; fi

# Maven locks no checksums: each jar must be the one that dependencies.sha256 names, or nothing is built.
ORDERS_JAR := target/java/target/orders.jar
.DELETE_ON_ERROR:

$(ORDERS_JAR): target/java/pom.xml target/java/dependencies.sha256 $(wildcard target/java/src/main/java/orders/*.java)
	rm -rf target/java/target
	cd target/java && mvn package
	cd target/java/target/lib && LC_ALL=C sha256sum *.jar | diff ../../dependencies.sha256 -

demo: provision
	$(BIN)/harness run demo

PYTEST := $(BIN)/pytest --dist loadscope --no-loadscope-reorder

# Three processes for two cores, as two of them mostly wait for a real system; see tests/conftest.py.
test: provision
	$(PYTEST) -n 3

test-fast: setup
	$(PYTEST) -n 2 -m "not e2e and not browser"

# Judges on DuckDB and on Spark, and compares the bytes; in an environment of its own, as pyspark is half a GB. Needs Java.
spark-test: .venv-spark/.ready
	.venv-spark/bin/pytest -m spark

.venv-spark/.ready: setup
	test -x .venv-spark/bin/python || $(PYTHON) -m venv .venv-spark
	$(UV) pip install --quiet --python .venv-spark/bin/python --constraint requirements.lock --editable '.[dev,spark]'
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Writes into docs/ what follows from the code: tables of invariants, powers, evidence and verdicts, and the JSON Schemas.
docs: setup
	$(BIN)/python -m tests.builders.pages

bench: provision
	$(BIN)/python -m tests.bench

# Pins every dependency, with hashes, for every platform; run after a change to pyproject.toml.
lock:
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --extra dev --output-file requirements.lock pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --constraint requirements.lock --output-file target/requirements.lock target/requirements.in
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --constraint requirements.lock --output-file compose/load/requirements.lock compose/load/requirements.in
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --output-file target/python/requirements.lock target/python/requirements.in

clean:
	rm -rf .venv .venv-spark target/python/.venv target/java/target runs
