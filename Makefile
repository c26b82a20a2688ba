# Patchbay. `make run` builds and starts a host; `make test` runs every test; `make help` lists the rest.

CONFIGURATION ?= release
PREFIX ?= /usr/local
PYTHON ?= python3

SWIFT_FLAGS := --explicit-target-dependency-import-check error
BUILD := .build/$(CONFIGURATION)
PLUGINS := echo openai-compatible kimi glm
# What a provider in Swift is built against; SDK/Package.swift has the same list.
SDK_MODULES := CProviderABI Bytes JSON SystemLibraries Wire ProviderAPI OpenAIWire ProviderContract ProviderTesting
VENV := .build/venv
BENCH_VENV := .build/venv-bench
CONFORMANCE_VENV := .build/venv-conformance

.PHONY: help build run simulate mutants test test-long million conformance fuzz fuzz-corpus fuzz-mutants tsan asan sanitize lint format bench bench-short hostile scaffold page pictures aged install clean
.DEFAULT_GOAL := build

help: ## print this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 20

build: ## the release build: .build/release/patchbay and .build/release/plugins/*.so
	swift build -c $(CONFIGURATION) --static-swift-stdlib $(SWIFT_FLAGS)
	@mkdir -p $(BUILD)/plugins
	@for plugin in $(PLUGINS); do install -m 0755 $(BUILD)/lib$$plugin.so $(BUILD)/plugins/.$$plugin.new \
	  && mv -f $(BUILD)/plugins/.$$plugin.new $(BUILD)/plugins/$$plugin.so || exit 1; done
	@cd $(BUILD) && sha256sum $(PLUGINS:%=plugins/%.so) > SHA256SUMS

run: build ## build, then start a host with Echo and whatever the environment offers
	PATCHBAY_PLUGIN_PATH=$(CURDIR)/$(BUILD)/plugins $(BUILD)/patchbay serve

test: build $(VENV)/installed $(CONFORMANCE_VENV)/installed ## every test; the last line is `N passed, N failed`
	@$(VENV)/bin/python Tests/run.py

test-long: build $(VENV)/installed ## the slow forms of the end-to-end tests
	@$(VENV)/bin/python Tests/run.py --long

million: build $(VENV)/installed ## a million calls of every ending through the real host
	$(VENV)/bin/python -m pytest -s Tests/EndToEndTests/test_million.py -m long

conformance: build $(CONFORMANCE_VENV)/installed ## all of Autobahn|Testsuite, and its time beside uWebSockets; rewrites docs/conformance.md
	$(CONFORMANCE_VENV)/bin/python Tests/Conformance/conformance.py --all --compare --write

# Every reader of foreign bytes under libFuzzer and AddressSanitizer, for TIME seconds each; TARGET=x is one of them.
TIME ?= 60
TARGET ?=
fuzz: ## the fuzzers, two at a time: TIME=60 TARGET=; what they find is kept in .build-fuzz
	$(PYTHON) Tests/Fuzz/fuzz.py run $(TIME) $(TARGET)

fuzz-corpus: ## keep what the fuzzers found, as few inputs as reach all of it
	$(PYTHON) Tests/Fuzz/fuzz.py merge $(TARGET)

fuzz-mutants: ## whether each fuzzer finds each planted fault within a minute
	$(PYTHON) Tests/Fuzz/mutants.py

# A sanitizer instruments the whole program, so each builds apart. WORD='a word of a test' runs fewer, and no host.
# What is left out, and why: Tests/sanitize.py and docs/decisions/0015.
TSAN := .build-tsan
ASAN := .build-asan
tsan: build $(VENV)/installed ## the Swift tests, and a host under load, with ThreadSanitizer
	swift build --build-tests --sanitize thread --scratch-path $(TSAN) $(SWIFT_FLAGS)
	clang -O1 -Wall -Wextra -Werror -shared -fPIC -o $(TSAN)/mutex_edges.so Tests/ThreadSanitizer/mutex_edges.c -ldl
	@$(VENV)/bin/python Tests/sanitize.py thread '$(WORD)'

asan: $(VENV)/installed ## the same with AddressSanitizer; leaks are looked for
	swift build --build-tests --sanitize address --scratch-path $(ASAN) $(SWIFT_FLAGS)
	@$(VENV)/bin/python Tests/sanitize.py address '$(WORD)'

sanitize: tsan asan ## both; each ends with `N passed, N failed`

# The Swift plugins of TAG, built from its sources, on the host of today. Not part of .ci/run: it takes minutes.
TAG ?= HEAD
AGED := .build/aged
aged: build $(VENV)/installed ## the plugins of an earlier release on this host: TAG=v0.1.0
	rm -rf $(AGED) && mkdir -p $(AGED)/source $(AGED)/plugins
	git archive $(TAG) | tar -x -C $(AGED)/source
	for plugin in $(PLUGINS); do \
	  swift build -c release --static-swift-stdlib --package-path $(AGED)/source --product $$plugin \
	  && install -m 0755 $(AGED)/source/.build/release/lib$$plugin.so $(AGED)/plugins/$$plugin.so || exit 1; done
	PATCHBAY_AGED=$(CURDIR)/$(AGED)/plugins $(VENV)/bin/python -m pytest Tests/EndToEndTests/test_aged.py

# One seed, or SEEDS of them from SEED on. A broken promise is printed with its seed, which runs the same way again.
SEED ?= 1
SEEDS ?= 1
HOURS ?= 24
SIMULATE := $(BUILD)/simulate
$(SIMULATE): $(wildcard Sources/Decisions/*.swift Tests/Simulation/*.swift) Package.swift
	swift build -c $(CONFIGURATION) --static-swift-stdlib $(SWIFT_FLAGS) --product simulate
	@touch $@

simulate: $(SIMULATE) ## the decision core in a simulated world: HOURS=24 SEED=1 SEEDS=1
	$(SIMULATE) --seed $(SEED) --seeds $(SEEDS) --hours $(HOURS)

mutants: ## whether the simulation catches each fault of a list
	$(PYTHON) Tests/Simulation/mutants.py

lint: ## the formatter in strict mode, and the repository's own rules
	swift format lint --strict --recursive --parallel $(wildcard Sources Plugins Tests Examples SDK) Package.swift
	$(PYTHON) Tests/check_repository.py

format: ## rewrite the Swift files as the formatter wants them
	swift format --in-place --recursive --parallel $(wildcard Sources Plugins Tests Examples SDK) Package.swift

bench: build $(BENCH_VENV)/installed ## measure, and rewrite the table of Benchmarks/README.md
	$(BENCH_VENV)/bin/python Benchmarks/bench.py --write

bench-short: build $(BENCH_VENV)/installed ## one quick round of each measurement, printed only
	$(BENCH_VENV)/bin/python Benchmarks/bench.py --short

# COUNT peers of each kind for SECONDS each round; KINDS='silence slow-read' plays only those. As root the peers have a
# network of their own, which the figures are meant for.
COUNT ?= 5000
SECONDS ?= 10
hostile: build ## thousands of hostile peers of each kind, and what a client that behaves feels of them
	$(PYTHON) Benchmarks/hostile.py --count $(COUNT) --seconds $(SECONDS) $(KINDS)

scaffold: ## write anew what `patchbay plugin new` carries, after a change of Examples or of the header
	$(PYTHON) Examples/embed.py

page: ## write anew the Swift file that carries the monitor page, after a change of its assets
	$(PYTHON) Sources/Host/Faces/Page/embed.py

pictures: $(VENV)/installed ## take the pictures of docs/page anew; needs chromium and pngquant
	PATCHBAY_PICTURES=docs/page $(VENV)/bin/python -m pytest Tests/EndToEndTests/test_ten_failures.py
	PATCHBAY_PICTURES=docs/page $(VENV)/bin/python -m pytest Tests/EndToEndTests/test_page.py -k test_pictures
	pngquant --force --ext .png --strip --nofs --speed 1 48 docs/page/*.png

install: build ## lay out DESTDIR+PREFIX: runs on a machine without a toolchain
	install -D -m 0755 $(BUILD)/patchbay $(DESTDIR)$(PREFIX)/bin/patchbay
	install -d -m 0755 $(DESTDIR)$(PREFIX)/lib/patchbay/plugins
	install -m 0755 $(PLUGINS:%=$(BUILD)/plugins/%.so) $(DESTDIR)$(PREFIX)/lib/patchbay/plugins/
	cd $(DESTDIR)$(PREFIX)/lib/patchbay && sha256sum $(PLUGINS:%=plugins/%.so) > SHA256SUMS
	install -D -m 0644 patchbay.example.json5 $(DESTDIR)$(PREFIX)/share/patchbay/patchbay.example.json5
	install -D -m 0644 Sources/CProviderABI/include/provider_abi.h $(DESTDIR)$(PREFIX)/include/patchbay/provider_abi.h
	install -D -m 0644 SDK/Package.swift $(DESTDIR)$(PREFIX)/share/patchbay/sdk/Package.swift
	for file in $$(cd Sources && find $(SDK_MODULES) -type f); do \
	  install -D -m 0644 Sources/$$file $(DESTDIR)$(PREFIX)/share/patchbay/sdk/Sources/$$file || exit 1; done

clean: ## remove everything that was built
	rm -rf .build .build-fuzz $(TSAN) $(ASAN)

$(VENV)/installed: Tests/requirements.txt
$(BENCH_VENV)/installed: Benchmarks/requirements.txt
$(CONFORMANCE_VENV)/installed: Tests/Conformance/requirements.txt
$(VENV)/installed $(BENCH_VENV)/installed $(CONFORMANCE_VENV)/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
