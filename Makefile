# `make` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
ARCH ?= $(patsubst aarch64,arm64,$(shell uname -m))
BIN = $(or $(CARGO_TARGET_DIR),target)/release
PLUGINS = container-core-images container-network-bridge container-runtime-linux
EXCLUDED = vminitd container-network-vmnet
SIGN = :
QUICKSTART = scripts/quickstart.sh
TEST = scripts/test.sh
ifeq ($(shell uname -s),Darwin)
PLUGINS = container-core-images container-network-vmnet container-runtime-linux
EXCLUDED = vminitd container-network-bridge container-share-fs container-tests
SIGN = scripts/macos/sign.sh $(BIN) container container-apiserver $(PLUGINS)
QUICKSTART = scripts/macos/quickstart.sh
TEST = scripts/macos/test.sh
endif

.DEFAULT_GOAL := help
.PHONY: help quickstart test build release kernel init test-arm64 lint fmt check-darwin check-darwin-link bench man sign install clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: ## install, build and start everything, and run a container
	@$(QUICKSTART)

test: ## check everything: lints, all tests with their VMs (arm64 too), the macOS type check
	@$(TEST)

build: ## compile the debug binaries
	cargo build --locked --workspace

release: ## compile the release binaries (target/release)
	cargo build --release --locked --workspace $(EXCLUDED:%=--exclude %)

sign: release ## sign the programs (macOS only; CODESIGN_IDENTITY, none by default)
	@$(SIGN)

kernel: ## build the guest kernel (ARCH=x86_64 or arm64) into build/kernel, cached
	@scripts/build-kernel.sh --arch $(ARCH)

init: ## build the static guest agent and its init image (ARCH=x86_64 or arm64) into build
	@scripts/make-init-image.sh --arch $(if $(filter arm64,$(ARCH)),arm64,amd64)

test-arm64: ## boot what Macs boot, emulated: kernel, agent and containers of arm64
	@scripts/test-arm64.sh

lint: ## check formatting, lints and dependencies
	@scripts/lint.sh

fmt: ## format the sources
	cargo fmt --all

check-darwin: ## type-check and lint the macOS side
	@scripts/check-darwin.sh

check-darwin-link: ## build and link the macOS programs against stand-ins of Apple's libraries (long)
	@scripts/check-darwin.sh link

bench: release ## measure what docs/specification.md promises
	@for bench in boot cold-start parallel cli list exec stop stats logs memory unpack pull storage ports; do scripts/bench/$$bench.sh || exit 1; done

man: ## write manual pages into build/man
	cargo run --quiet --release --locked -p container --example man-pages -- build/man

install: release man sign ## install programs, manual pages and completions into PREFIX (default /usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(BIN)/container $(BIN)/container-apiserver $(DESTDIR)$(PREFIX)/bin
	for plugin in $(PLUGINS); do \
	  install -d $(DESTDIR)$(PREFIX)/libexec/container/plugins/$$plugin/bin && \
	  install -m 0755 $(BIN)/$$plugin $(DESTDIR)$(PREFIX)/libexec/container/plugins/$$plugin/bin || exit 1; \
	done
	[ ! -e $(BIN)/container-share-fs ] || install -m 0755 $(BIN)/container-share-fs \
	  $(DESTDIR)$(PREFIX)/libexec/container/plugins/container-runtime-linux/bin
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0644 build/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	for shell in bash:bash-completion/completions/container zsh:zsh/site-functions/_container \
	  fish:fish/vendor_completions.d/container.fish; do \
	  mkdir -p "$$(dirname $(DESTDIR)$(PREFIX)/share/$${shell#*:})" && \
	  $(BIN)/container --generate-completion-script $${shell%%:*} > $(DESTDIR)$(PREFIX)/share/$${shell#*:} || exit 1; \
	done

clean: ## remove what was built here (the kernel cache in ~/.cache stays)
	cargo clean
	rm -rf build
