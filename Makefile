# Orderly: everything a developer needs. `make demo` needs Go alone; `make test` installs what it needs (Debian, as root).
GO      ?= go
BIN     := bin
export CGO_ENABLED ?= 0
# For everything that is built, the tests' own programs included, so that the same things are compiled once.
export GOFLAGS := $(GOFLAGS) -trimpath

$(shell mkdir -p $(BIN))

.PHONY: all build demo test lint cross unit bench bench-renew bench-scan bench-doctor scan-trial torture many swap simulate planted fuzz digest-picture deb dist tree install uninstall package-test deps clean

all: build tree

build:
	$(GO) build -ldflags "-s -w" -o $(BIN)/ ./cmd/orderly ./cmd/testca ./cmd/demo

demo: build
	$(BIN)/demo --orderly $(BIN)/orderly

# What `make test` does is what CI does.
test: deps lint cross unit
	$(MAKE) simulate SEEDS=40
	$(MAKE) demo

deps:
	./scripts/deps

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The packages for Debian, of the last commit: bin/dist/orderly_VERSION_ARCH.deb and orderly-certbot's (those of an earlier build go). nfpm comes
# with Go from the module proxy (packaging/tools); nothing else is needed.
deb:
	$(GO) run ./packaging/build -go $(GO) -o $(BIN)/dist deb

# All that a version is given out as, in bin/dist: archives for /usr/local, .deb and .rpm, bills of materials, SHA256SUMS.
# The same commit gives the same bytes, whoever builds it where and when, with the same Go.
dist:
	$(GO) run ./packaging/build -go $(GO) -o $(BIN)/dist dist

# The packages by the real dpkg in a minimal Debian that debootstrap makes once (in bin), without network: in every order beside
# Debian's certbot, from installation to purge and on, under systemd; and lintian. Before, all that `make dist` makes is built twice,
# compared and judged by lintian, rpm and sha256sum (scripts/package-check). `make test` does it over this machine's files.
PACKAGE_TREE ?= $(BIN)/package-tree
package-test:
	./scripts/package-check
	./scripts/package-tree $(PACKAGE_TREE)
	ORDERLY_PACKAGE_TREE=$(abspath $(PACKAGE_TREE))/tree ORDERLY_PACKAGE_DEBS=$(abspath $(PACKAGE_TREE))/debs \
		ORDERLY_PACKAGE_LINTIAN=$(abspath $(PACKAGE_TREE))/lintian $(GO) test -count=1 -timeout 60m -v -run TestThePackages ./packaging/packagetest

# `make && sudo make install`: what is copied is made by the first, since root often has no Go. Packagers say DESTDIR=…
# PREFIX=/usr. Below another PREFIX neither systemd nor cron looks: UNITDIR=… and CRONDIR=… say where they do.
PREFIX  ?= /usr/local
override PREFIX := $(patsubst %/,%,$(PREFIX))
UNITDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),$(PREFIX)/lib/systemd/system)
CRONDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc/cron.d)
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export UNITDIR := $(UNITDIR)
install uninstall: export CRONDIR := $(CRONDIR)

tree: $(BIN)/tree.made

# A commit changes what the program says it is, and no file.
ifneq ($(filter all tree install,$(or $(MAKECMDGOALS),all)),)
SOURCES := $(shell find . -path ./$(BIN) -prune -o -path ./.git -prune -o -type f -print) \
	$(wildcard $(shell git rev-parse --git-path logs/HEAD 2>/dev/null))
endif
$(BIN)/tree.made: $(SOURCES)
	$(GO) run ./packaging/build -go $(GO) -o $(BIN) tree
	@touch $@

install: tree
	@./packaging/install install $(BIN)/tree

uninstall:
	@./packaging/install uninstall

cross:
	GOOS=linux   GOARCH=amd64 $(GO) build -o /dev/null ./cmd/orderly
	GOOS=linux   GOARCH=arm64 $(GO) build -o /dev/null ./cmd/orderly
	GOOS=freebsd GOARCH=amd64 $(GO) build -o /dev/null ./cmd/orderly

# The race detector needs cgo; the product never does. -race also checks every conversion of a pointer, which is a third of
# all the time where SQLite, translated from C, is nothing but conversions: it is left out there, and there alone. The
# time-out is for what hangs, not for a machine that is slow.
RACE := -race -gcflags='modernc.org/...=-d=checkptr=0'
unit:
	CGO_ENABLED=1 $(GO) test $(RACE) -timeout 90m ./...

bench: build
	$(GO) run ./cmd/bench --orderly $(BIN)/orderly

# 1,500 certificates of which none is due, beside certbot: the ratios, wall and CPU time, and memory. Then 200 that are due, 16 at
# once beside one after the other; at a slow CA that takes minutes, without which: go run ./cmd/bench-renew --lineages 0 --slow=false
bench-renew: build deps
	$(GO) run ./cmd/bench-renew --orderly $(BIN)/orderly --testca $(BIN)/testca

# The logs of a month of 1,500 servers, made from the samples: megabytes a second, wall and CPU time, and memory. The versions of
# certbot one by one, plain.
bench-scan: build
	$(GO) run ./cmd/bench-scan --orderly $(BIN)/orderly
	$(GO) test -run XXX -bench Plain ./scan

# The doctor of a host with 1,500 certificates and of one with 20,000, the metrics of both, and one report of 1,500 servers with
# 300,000 names: wall and CPU time, and memory.
bench-doctor: build
	$(GO) run ./cmd/bench-doctor --orderly $(BIN)/orderly

# What Debian's certbot leaves open, told from its logs: renewals that are broken, runs that are killed, good ones, at several kinds
# of CA. Each trial is judged by the CA's own store; the table says what was asked beside what the logs name.
scan-trial: deps
	ORDERLY_E2E=all $(GO) test -count=1 -timeout 30m -parallel 3 -v -run TestWhatCertbotsLogsLeaveOpen ./e2e

# The whole matrix of kills and faults; `make test` runs a choice of it. TORTURE="-record FILE" keeps what every cell does,
# request for request and commit for commit, and TORTURE="-compare FILE" shows where that changed since.
torture: deps
	$(GO) run ./cmd/torture -json $(BIN)/torture.json $(TORTURE)

# A round over 200 due lineages of which 10 are broken, 16 at once, killed three times at moments of chance and run again: one order
# and one certificate each by the CA's own store, deploy hooks one at a time. Seeds are printed; `make test` plays a small one.
many: deps
	ORDERLY_E2E=all $(GO) test -count=1 -timeout 30m -v -run TestARoundOfManyIsKilledAtAnyTime ./e2e

# Customers who swap everything for a minute while tokens are placed; `make test` does it for a moment.
swap:
	ORDERLY_E2E=all $(GO) test -count=1 -run Swapping -v ./solver/webroot

# What a digest looks like in Chromium, 600 pixels wide, by day and by night: docs/digest.html as a test keeps it, docs/digest*.png.
digest-picture:
	./scripts/digest-picture

# A year of 50 lineages for each seed; a seed that breaches an invariant is named and made smaller.
SEEDS ?= 1000
simulate:
	$(GO) run ./cmd/simulate -seeds $(SEEDS)

# Each planted bug by itself, which a simulated year must find; `make test` does it too.
planted:
	$(GO) test -count=1 -v ./sim/planted

fuzz:
	./scripts/fuzz 30s

clean:
	rm -rf $(BIN)
