# Verbs of AegisGitea-MCP. Every workflow and document calls these and nothing else.
# `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

# Programs are for the machine that builds them, x86_64 or aarch64.
MACHINE := $(shell uname -m)
NATIVE := $(MACHINE)-unknown-linux-musl
export CARGO_BUILD_TARGET := $(NATIVE)
ifeq ($(MACHINE),aarch64)
# Without it the C parts would ask for a cross compiler of musl's own.
export CC_aarch64_unknown_linux_musl := musl-gcc
endif
WASM   := wasm32-wasip2
DIST   := target/dist
CARGO  := cargo
# The host's own crate is optimised too: seconds more, and wasmtime (already optimised) is shared with the tests.
BUILD  := CARGO_PROFILE_DEV_OPT_LEVEL=2 $(CARGO) build --locked
GUESTS := aegis-shell aegis-gateway aegis-edge aegis-hostile aegis-greedy aegis-fixtures aegis-meter

.PHONY: help
help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: ## Install the Rust toolchain, its targets and musl-tools (asks for nothing, may be repeated)
	@scripts/setup

.PHONY: build
build: setup ## Build the program and its guest into target/dist
	@mkdir -p $(DIST)
	$(CARGO) build --locked --profile guest --target $(WASM) $(addprefix -p ,$(GUESTS))
	$(BUILD) -p aegis-mcp -p aegis-compose -p aegis-tests --bin aegis-mcp --bin aegis-compose --bin forge
	@install -m 755 target/$(NATIVE)/debug/aegis-mcp target/$(NATIVE)/debug/forge target/$(NATIVE)/debug/aegis-compose $(DIST)/
	@for guest in gateway edge hostile greedy fixtures meter; do install -m 644 target/$(WASM)/guest/$$guest.wasm $(DIST)/; done
	@$(DIST)/aegis-compose $(DIST)/gateway.wasm $(DIST)/edge.wasm $(DIST)/gateway-edge.wasm
	@# Compiled once, here: the tests start many servers side by side, and each would compile it for itself.
	@for guest in gateway hostile fixtures; do $(DIST)/aegis-mcp guest compile --into $(DIST)/guests $(DIST)/$$guest.wasm; done
	@ls -l $(DIST)

.PHONY: demo
demo: build ## Start a sample Gitea and the server on 127.0.0.1:8080 (or DEMO_PORT), until Ctrl-C
	@scripts/demo

.PHONY: run
run: build ## Serve with the settings in .env
	@test -f .env || { echo "There is no .env yet: cp .env.example .env, fill in its first lines, and run this again."; exit 64; }
	@exec $(DIST)/aegis-mcp serve --env-file .env

.PHONY: test
test: build ## Formatting, lints, generated files, and all hermetic tests
	@scripts/setup-python
	@scripts/setup-signing
	$(MAKE) --no-print-directory lint
	$(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --no-fail-fast
	$(CARGO) test --locked -p aegis-edge --lib

.PHONY: long-tests
long-tests: build ## The long forms of tests that run short in `make test`, with their progress
	$(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --lib a_million -- --ignored --nocapture
	AEGIS_TEST_KILLS=100 $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --bin aegis-mcp -- --nocapture a_killed_process
	AEGIS_TEST_REGISTRATIONS=20000 AEGIS_TEST_SAVES=1000 $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --test login -- --nocapture million:: kills::

# How often: guests that are compiled already, and guests that are not.
SWAPS ?= 1000
FULL_SWAPS ?= 20
.PHONY: swap-test
swap-test: build ## 1,000 swaps of the guest under load and 20 with compiling: no request fails
	AEGIS_TEST_SWAPS=$(SWAPS) AEGIS_TEST_FULL_SWAPS=$(FULL_SWAPS) $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --test host -- --nocapture no_request_fails_while_guests_are_swapped

# Seconds of the even load; what comes after it takes three minutes more.
SOAK_SECONDS ?= 1800
.PHONY: soak
soak: build ## Half an hour of load, too much of it, rude clients, SIGTERM: p99, memory, files; writes target/soak.json
	AEGIS_SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --test soak -- --ignored --nocapture

# The other version: a revision, by default the newest tag.
FROM ?=
.PHONY: upgrade-test
upgrade-test: build ## Start this version on the volumes of another one and back, FROM=REVISION (the newest tag)
	@scripts/other-version '$(FROM)'
	AEGIS_TEST_OTHER_DIST=$(CURDIR)/target/other/tree/$(DIST) $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --test login -- --ignored --nocapture another_version

.PHONY: quick
quick: ## The tests of the pure crates alone
	$(CARGO) test --locked -p aegis-policy -p aegis-redaction -p aegis-core -p aegis-custody

# The packages whose code is changed, one place at a time, to see whether a test notices.
MUTANTS ?= aegis-policy aegis-redaction
.PHONY: mutants
mutants: ## Changes of policy and redaction that no test notices (cargo-mutants is installed into target/tools)
	test -x target/tools/bin/cargo-mutants || $(CARGO) install cargo-mutants --version 25.3.1 --locked --root target/tools
	target/tools/bin/cargo-mutants mutants $(addprefix --package ,$(MUTANTS)) --output target --timeout 120 --no-shuffle

# Seconds of each campaign; those of one file run side by side.
FUZZ_SECONDS ?= 600
.PHONY: fuzz fuzz-short
fuzz: ## Malformed inputs for every parser: FUZZ_SECONDS (600) for each; finds are kept in target/fuzz
	AEGIS_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked -p aegis-fuzz --tests -- --nocapture
	AEGIS_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked -p aegis-core --lib fuzz:: -- --nocapture
	AEGIS_FUZZ_SECONDS=$(FUZZ_SECONDS) $(TRAIL) --bin aegis-mcp -- --nocapture ::fuzz:: client_files
fuzz-short: ## The same, 20 seconds for each
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=20

# Campaigns against the audit trail, one after the other: they share the machine's disk. What needs neither strace, Python
# nor a mount is part of `make test` already.
TRAIL := $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS))
.PHONY: faults faults-short
faults: build ## Break the audit trail: 100,000 schedules, 1,000 kills, every system call, every byte; prints figures (hours)
	@scripts/setup-faults
	AEGIS_TEST_SCHEDULES=100000 AEGIS_TEST_HONEST=10000 \
	    $(TRAIL) --bin aegis-mcp -- --include-ignored --nocapture --test-threads 1 audit::tests::schedules
	AEGIS_TEST_FLIP_STEP=1 AEGIS_TEST_LINE_STEP=1 AEGIS_TEST_BY_PROGRAM=1000 \
	    $(TRAIL) --test faults -- --include-ignored --nocapture --test-threads 1 tamper
	AEGIS_TEST_CRASHES=1000 AEGIS_TEST_SEGMENT_MIB=63 AEGIS_TEST_READY_MS=2000 AEGIS_TEST_POINTS=100000 AEGIS_TEST_FILLS=50 \
	    AEGIS_TEST_BACK_MS=1000 $(TRAIL) --test faults -- --include-ignored --nocapture --test-threads 1 --skip tamper
faults-short: build ## The same in two minutes, without what `make test` has run
	@scripts/setup-faults
	$(TRAIL) --bin aegis-mcp -- --ignored --nocapture --test-threads 1 audit::tests::schedules
	$(TRAIL) --test faults -- --ignored --nocapture --test-threads 1

.PHONY: wiki
wiki: setup ## The manual as a wiki for Gitea, in target/wiki (REPOSITORY_URL: where links to files of the tree lead)
	@$(CARGO) run --locked --quiet -p aegis-tests --bin wiki -- target/wiki

.PHONY: tool
tool: ## Begin a read tool: NAME=list_wiki_pages DOMAIN=wiki, and ROUTE=/wiki/pages where the name does not say it
	@NAME='$(NAME)' DOMAIN='$(DOMAIN)' ROUTE='$(ROUTE)' scripts/new-tool

.PHONY: check-tool
check-tool: ## Try `make tool` in a copy of the tree
	@scripts/check-new-tool

.PHONY: lint
lint: ## Formatting and lints, nothing changed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace $(addprefix --exclude ,$(GUESTS)) --all-targets -- -D warnings
	$(CARGO) clippy --locked --profile guest --target $(WASM) $(addprefix -p ,$(GUESTS)) -- -D warnings

.PHONY: format
format: ## Format the code
	$(CARGO) fmt --all

.PHONY: bless
bless: ## Rewrite generated files and snapshots; read the diff before committing it
	BLESS=1 $(CARGO) test --locked -p aegis-core -p aegis-mcp -p aegis-policy -p aegis-redaction

.PHONY: ci
ci: ## What a change must pass
	@.ci/run

.PHONY: clients
clients: build ## Official SDKs and other clients against the server: all of the protocol, by API key and signed in
	@scripts/with-sample tests/clients/run.sh target/clients
	@SAMPLE_WATCH=no scripts/with-sample tests/clients/stdio.sh target/clients
	@tests/clients/sign-in.sh target/clients
	@tests/clients/whole.sh target/clients

.PHONY: conformance conformance-auth
conformance: build ## The official conformance suite against the server in every revision, and against the authorization server
	@tests/conformance/server.sh target/clients
	@tests/conformance/authorization.sh target/clients
conformance-auth: build ## The authorization server's part of that alone
	@tests/conformance/authorization.sh target/clients

.PHONY: browser-test
browser-test: build ## The sign-in pages in headless Chromium; leaves screenshots in target/browser
	@scripts/setup-browser
	@tests/browser/run.sh target/browser

# Which runtimes; wasmtime is built from source the first time.
EDGE_ON ?= jco jco-worker wasmtime
.PHONY: edge-test
edge-test: build ## The portable component under stock runtimes (EDGE_ON): all tools, signing in, hostile surroundings
	@EDGE_ON="$(EDGE_ON)" tests/clients/edge.sh target/clients

.PHONY: proxy-test
proxy-test: build ## What clients and attackers frame, behind a real nginx
	@AEGIS_TEST_NGINX="$$(scripts/setup-nginx)" $(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --test protocol -- --ignored nginx

.PHONY: alerts-test
alerts-test: build ## The alerts, their tests and the metrics of a server, by Prometheus's promtool
	@promtool="$$(scripts/setup-promtool)" && scripts/with-sample bash -c 'tests/alerts.sh "$$0" "$$AEGIS_ORIGIN"' "$$promtool"

.PHONY: bench
bench: build ## Measure this host against its native twin; writes target/bench.json
	@tests/bench/run.sh

.PHONY: image
image: build ## Make the image localhost/aegis-mcp:test of what was built, by buildah and without an engine
	@scripts/setup-containers
	@scripts/image

.PHONY: image-test
image-test: image ## Run that image hardened, ended, without volumes, behind Caddy; prints start to first answer
	@tests/image/run.sh

.PHONY: docker-build docker-up
docker-build: ## Build the image aegis-mcp:latest with Docker (or ENGINE=podman)
	$(or $(ENGINE),docker) build -f docker/Dockerfile -t aegis-mcp:latest .
docker-up: ## Start that image with the settings in .env (PROFILE=dev: with the sample Gitea)
	$(or $(ENGINE),docker) compose --profile $(or $(PROFILE),prod) up -d

# What a stage of docker/Dockerfile calls: the shipped program with its guest, or the sample Gitea, laid out in OUT.
SHIPPED := target/shipped
.PHONY: image-parts sample-parts
image-parts: setup
	scripts/ship guests
	scripts/ship program $(NATIVE)
	scripts/image-parts $(SHIPPED)/$(NATIVE)/dist/aegis-mcp $(SHIPPED)/$(WASM)/guest/gateway.wasm $(OUT)
sample-parts: setup
	$(CARGO) build --locked -p aegis-tests --bin forge
	install -D -m 755 target/$(NATIVE)/debug/forge $(OUT)/forge

# The same image of what is shipped, to be published.
.PHONY: image-shipped image-publish
image-shipped: setup
	@scripts/setup-containers
	scripts/ship guests
	scripts/ship program $(NATIVE)
	$(CARGO) build --locked -p aegis-tests --bin forge
	install -D -m 755 -t $(SHIPPED)/dist $(SHIPPED)/$(NATIVE)/dist/aegis-mcp target/$(NATIVE)/debug/forge
	install -m 644 $(SHIPPED)/$(WASM)/guest/gateway.wasm $(SHIPPED)/dist/
	AEGIS_DIST=$(SHIPPED)/dist scripts/image
image-publish: ## In a pipeline: make, try and push the image, as branch, tag or review say (docs/releasing.md); else say why not
	@scripts/publish-image

# One architecture, ARCHES=amd64, or both. On arm64 there is that one alone.
ARCHES ?= $(if $(filter aarch64,$(MACHINE)),arm64,amd64 arm64)
.PHONY: dist dist-test reproducible
dist: setup ## A release in target/archives: an archive for each architecture, bill of materials, sums (signed: RELEASE_SIGNING_KEY)
	@scripts/setup-python
	@scripts/setup-signing
	$(CARGO) build --locked -p aegis-compose
	@scripts/dist $(ARCHES)
reproducible: setup ## Make the release twice, in different folders, and compare (PARTS=guests: the guests alone)
	@ARCHES='$(ARCHES)' PARTS='$(PARTS)' scripts/reproducible
dist-test: build ## Install in a bare Debian from an archive of what was built (or ARCHIVE=FILE); try an arm64 archive of `make dist`
	@scripts/setup-containers
	@tests/image/install.sh $(ARCHIVE)

.PHONY: bench-times
bench-times: build ## The timed clauses of the attacks alone; writes target/bench.json
	@tests/bench/run.sh times

.PHONY: audit-dependencies
audit-dependencies: setup ## Licences, bans and sources of all dependencies, and known holes (packaging/advisories.toml)
	@scripts/cargo-deny
	$(CARGO) test --locked --workspace $(addprefix --exclude ,$(GUESTS)) --test release -- --nocapture advisories::

.PHONY: bless-third-party
bless-third-party: ## Rewrite THIRD_PARTY.md from the crates that are shipped
	@scripts/third-party write

.PHONY: coverage
coverage: build ## Lines that the tests run of the native crates; fails below 80 of 100 (a build of its own in target/coverage)
	@scripts/setup-python
	@scripts/setup-signing
	@scripts/coverage

.PHONY: generate-key
generate-key: build ## Build, then print a new API key
	@$(DIST)/aegis-mcp generate-key

.PHONY: install install-dev
install: build ## Install the program and its guest below PREFIX (/usr/local)
	install -d $(DESTDIR)$${PREFIX:-/usr/local}/bin
	install -m 755 $(DIST)/aegis-mcp $(DESTDIR)$${PREFIX:-/usr/local}/bin/
	install -m 644 $(DIST)/gateway.wasm $(DESTDIR)$${PREFIX:-/usr/local}/bin/
install-dev: setup ## What developers need: the same as setup
