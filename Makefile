# `make help` lists everything.
# Empty in a source archive, whose version internal/config knows; --git-dir keeps git from
# describing a repository that the archive was unpacked in.
VERSION ?= $(shell git --git-dir=.git --work-tree=. describe --tags --always --dirty 2>/dev/null)
COMMIT  ?= $(shell git --git-dir=.git rev-parse HEAD 2>/dev/null)
CONFIG  := github.com/lectiospace/lectern/internal/config
LDFLAGS := -s -w -X $(CONFIG).version=$(VERSION) -X $(CONFIG).commit=$(COMMIT)

.PHONY: help reference pages build demo test lint vulncheck report properties fuzz joins previews renditions fleet outage backfill move lessons bench bench-clock bench-compare search-bench watch-bench deb image dist packages-test clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

pages: ## bundle the scripts and the style of the web pages, as committed; PLAIN=1 readable, for work on them
	./scripts/pages

build: ## build bin/gateway and bin/syncer, static
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

demo: ## run the gateway with sample lessons; needs no preparation
	go run ./cmd/gateway demo

.PHONY: lighthouse
lighthouse: ## audit the accessibility of the demo's pages; fails below 95 points
	./scripts/lighthouse

test: ## install what the tests need where it is missing, and run them all
	./scripts/test

lint: ## run the linter, in the version that tools/go.mod pins
	go tool -modfile=tools/go.mod golangci-lint run ./...

vulncheck: ## look the modules up in the Go vulnerability database, where it can be reached
	./scripts/vulncheck

reference: ## write docs/configuration-reference.md from the settings of both programs, and docs/http-api.md from the description of the API
	go test -count=1 -run '^TestReferences$$' ./docs -update

report: ## print the longest functions, files and parameter lists, and the widest interfaces
	@go run ./internal/layers/report

properties: ## check each property with CHECKS (2000) random inputs, where the suite has a hundred or fewer
	go test -count=1 -timeout 3h ./internal/cache/... ./internal/fulltext ./internal/library ./internal/proxy ./internal/proxy/stream ./internal/syncer/parts ./internal/syncer/store -rapid.checks=$(or $(CHECKS),2000) \
		-run '^(TestAgainstServeContent|TestBounds|TestChooseLosesNothing|TestChunkTableModel|TestGarbageRanges|TestIndexModel|TestMatchRuleProperties|TestModel|TestPlacesAgainstAll|TestRepeatedRequestsAgree|TestRunsMakeTheSameHeader|TestSearchIsTheRule)$$'

fuzz: ## run every fuzz target for FUZZTIME (10s), or those of the packages DIRS, FUZZWORKERS (all processors) side by side
	./scripts/fuzz $(or $(FUZZTIME),10s) $(DIRS)

.PHONY: fuzz-corpus fuzz-planted clients
fuzz-planted: ## plant faults into parsers, one at a time, and fail unless the seeds and committed inputs of their fuzz targets find them
	./scripts/fuzz-planted

fuzz-corpus: ## copy from the build cache into testdata/fuzz what fuzzing has found in the packages DIRS (all), few and small
	go run ./test/fuzzcorpus $(or $(DIRS),$(shell git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u))

clients: ## install players, browsers and downloaders, and play and download recordings with CLIENTS (all)
	CLIENTS="$(or $(CLIENTS),all)" ./scripts/clients

joins: ## join LISTS (200) random lists of parts, from SEED (1) on, and check what comes out (needs ffmpeg)
	FFMPEG_JOIN_LISTS=$(or $(LISTS),200) FFMPEG_JOIN_SEED=$(or $(SEED),1) go test -count=1 -v -timeout 3h -run '^TestJoinRandomLists$$' ./internal/ffmpeg

previews: ## measure what poster and storyboard of recordings of MINUTES (120) cost, one all moving and one of a shared screen (needs ffmpeg)
	PREVIEWS_MINUTES=$(or $(MINUTES),120) go test -count=1 -v -timeout 1h -run '^TestCost$$' ./internal/syncer/derive/pictures

renditions: ## measure what the sound and the low rendition of LESSON (or of MINUTES (10) generated minutes of a screen) cost (needs ffmpeg)
	FFMPEG_LESSON="$(LESSON)" FFMPEG_LESSON_MINUTES=$(or $(MINUTES),10) go test -count=1 -v -timeout 3h -run '^TestMeasureRenditions$$' ./internal/ffmpeg

backfill: ## archive MEETINGS (10000) emulated recordings of three years, killed nine times on the way (needs ffmpeg)
	BACKFILL_MEETINGS=$(or $(MEETINGS),10000) go test -count=1 -v -timeout 6h -run '^TestBackfill$$' ./test/e2e

fleet: ## measure three gateways, two syncers, HAProxy and PostgreSQL: LESSONS (60), kills, restarts, an outage of OUTAGE (10s); PROXY=nginx instead
	FLEET_PROXY=$(PROXY) OUTAGE=$(or $(OUTAGE),10s) OUTAGE_RANGES=$(or $(RANGES),1000) FLEET_LESSONS=$(or $(LESSONS),60) go test -count=1 -v -timeout 1h -run '^(TestFleet|TestFleetProxies|TestFleetSyncers|TestSizing)$$' ./test/e2e

move: ## move RECORDINGS (20) between all archives under VIEWERS (20), the mover killed KILLS (5) times, and print the figures
	MOVE_RECORDINGS=$(or $(RECORDINGS),20) MOVE_VIEWERS=$(or $(VIEWERS),20) MOVE_KILLS=$(or $(KILLS),5) go test -count=1 -v -timeout 2h -run '^TestMove$$' ./test/e2e

outage: ## read RANGES (10000) ranges through HAProxy and three gateways while the database is away for OUTAGE (60s), then restart each
	OUTAGE=$(or $(OUTAGE),60s) OUTAGE_RANGES=$(or $(RANGES),10000) go test -count=1 -v -timeout 1h -run '^TestFleet$$' ./test/e2e

.PHONY: soak
soak: ## have SLOW (5000) and SEEKING (200) viewers watch for TIME (30m), and plot what the gateway needs meanwhile
	go run ./bench -soak $(or $(TIME),30m) -slow $(or $(SLOW),5000) -seeking $(or $(SEEKING),200) $(BENCHFLAGS)

.PHONY: mutate
mutate: ## make small faults in what TARGETS (all) name, and fail for those that no test notices and internal/mutate/survivors.txt does not explain
	go run ./internal/mutate $(TARGETS)

# The runtime of the overlay runs goroutines in the same order, as far as NOTES.md beside the tests says, so that a seed is
# replayed by its number; the first build compiles everything with it.
SIMULATION := GODEBUG=asyncpreemptoff=1 go test -count=1 -v -timeout 24h -tags deterministic -overlay "$$(go run ./internal/syncer/simulation/deterministic)" ./internal/syncer/simulation

.PHONY: simulate simulate-replays simulate-planted
simulate: ## live through SEEDS (1000) simulated schools of DAYS (28), from seed FROM (1) on, and check what the syncers have made of them
	$(SIMULATION) -run '^TestSeeds$$' -from $(or $(FROM),1) -seeds $(or $(SEEDS),1000) -days $(or $(DAYS),28)

simulate-replays: ## live through SEEDS (20) simulated schools of DAYS (7) twice each, and compare their histories
	$(SIMULATION) -run '^TestReplays$$' -replays $(or $(SEEDS),20) -from $(or $(FROM),1) -days $(or $(DAYS),7)

simulate-planted: ## plant faults into the syncer, one at a time, and live through up to SEEDS (20) simulated schools of DAYS (7) until one finds it
	$(SIMULATION) -run '^TestPlanted$$' -planted $(or $(SEEDS),20) -from $(or $(FROM),1) -days $(or $(DAYS),7)

.PHONY: torture-database torture-database-planted load-webhooks
torture-database: ## break three gateways' and two syncers' connections to PostgreSQL for ROUNDS (5) rounds of a minute, from SEED (1) on, and check limits, codes, revocation and quotas by porcupine (needs ffmpeg)
	go test -count=1 -v -timeout 24h -run '^(TestTorture|TestLimitsLinearizable|TestQuotaLinearizable|TestRevocationLinearizable)$$' ./test/database -seed $(or $(SEED),1) -rounds $(or $(ROUNDS),5)

torture-database-planted: ## plant each of eight faults (one of them twice) into limits, codes, revocation and quotas, and see that the model for it finds it
	go test -count=1 -v -timeout 1h -run '^TestPlanted$$' ./test/database -planted

load-webhooks: ## send EVENTS (100000) webhooks to the syncer while its PostgreSQL is restarted ten times, and look for each in the table
	go test -count=1 -v -timeout 12h -run '^TestWebhookLoad$$' ./test/database -events $(or $(EVENTS),100000) -seed $(or $(SEED),1)

.PHONY: torture-faults torture-faults-planted torture-disk torture-line
torture-faults: ## run CELLS (1000) combinations of an origin's fault, the cache's state and a viewer, in the order of SEED (1), for FOR (24h) at most: 3045 have all pairs; CELL=N repeats one
	go test -count=1 -v -timeout 24h -run '^TestCells$$' ./test/faults -cells $(or $(CELLS),1000) -seed $(or $(SEED),1) -cell $(or $(CELL),-1) -for $(or $(FOR),24h)

torture-disk: ## make the disk of the cache fail in 32 ways in CELLS (480, which have all pairs) combinations with the cache's state and a viewer, in the order of SEED (1); CELL=N repeats one
	go test -count=1 -v -timeout 24h -tags failpoint -run '^TestDiskCells$$' ./test/faults -cells $(or $(CELLS),480) -seed $(or $(SEED),1) -cell $(or $(CELL),-1)

torture-line: ## serve every kind of viewer over lines that delay, limit and lose packets (needs root and /dev/net/tun)
	go test -count=1 -v -timeout 1h -run '^TestLine$$' ./test/faults -line

torture-faults-planted: ## plant each of several faults into the gateway, and run up to CELLS (500) combinations until one finds it
	go test -count=1 -v -timeout 24h -run '^TestPlanted$$' ./test/faults -planted $(or $(CELLS),500) -seed $(or $(SEED),1)

.PHONY: conformance conformance-planted differential
conformance: ## hold the gateway against the table of HTTP/1.1 requirements, bare and behind nginx, Caddy and HAProxy, and print the results
	CONFORMANCE_PROXIES=all go test -count=1 -v -timeout 1h -run '^TestConformance$$' ./test/e2e

conformance-planted: ## plant each of nine faults into the gateway, and have the table, the proxies or net/http find it
	CONFORMANCE_PLANTED=1 go test -count=1 -v -timeout 1h -run '^TestConformancePlanted$$' ./test/e2e

differential: ## compare REQUESTS (1000000) random ranges and conditions, from SEED (1) on, with nginx, Apache and net/http
	./scripts/differential $(or $(REQUESTS),1000000) $(or $(SEED),1)

.PHONY: torture-crash torture-crash-planted
torture-crash: ## end the lives of gateways and syncers ITERATIONS (1000) times, at every step and at random, by SEED (1), and check what they leave; a line for each in REPORT (torture-crash.log)
	go test -count=1 -v -timeout 24h -run '^(TestTexts|TestGateway|TestSyncer)$$' ./test/crash -iterations $(or $(ITERATIONS),1000) -seed $(or $(SEED),1) -report $(abspath $(or $(REPORT),torture-crash.log))

torture-crash-planted: ## plant each of some faults into the programs, and end up to ITERATIONS (400) lives until one finds it
	go test -count=1 -v -timeout 24h -run '^TestPlanted$$' ./test/crash -planted $(or $(ITERATIONS),400) -seed $(or $(SEED),1)

lessons: ## rebuild the demo's lessons (needs ffmpeg)
	./scripts/make-lessons.sh

bench: ## compare with nginx, Varnish, HAProxy and rclone; QUICK=1 gives a direction
	go run ./bench $(if $(QUICK),-quick) $(BENCHFLAGS)

bench-clock: ## measure a browser's time to the first frame, for the report
	go run ./bench -clock $(BENCHFLAGS)

bench-compare: ## compare the gateway with that of the commit BASE, and fail when it is worse beyond noise
	@test -n "$(BASE)" || { echo "usage: make bench-compare BASE=COMMIT" >&2; exit 2; }
	go run ./bench -compare "$(BASE)" $(BENCHFLAGS)

search-bench: ## measure searches in HOURS (10000) lesson-hours and what their index costs, on SQLite, or in an empty PostgreSQL DATABASE
	go run ./bench/cmd/searchbench -hours $(or $(HOURS),10000) $(if $(DATABASE),-database '$(DATABASE)')

watch-bench: build ## measure reports of VIEWERS (5000) watch states for TIME (2m) at a gateway on SQLite, and on PostgreSQL
	go run ./bench/cmd/watchbench -database sqlite -viewers $(or $(VIEWERS),5000) -time $(or $(TIME),2m)
	go run ./bench/cmd/watchbench -database postgres -viewers $(or $(VIEWERS),5000) -time $(or $(TIME),2m)

deb: ## write dist/lectern_VERSION_ARCH.deb for ARCH (amd64,arm64)
	go -C packaging run . -out ../dist $(if $(ARCH),-arch $(ARCH)) deb

image: ## write dist/lectern_VERSION.oci.tar, an OCI image of both architectures; needs no Docker
	go -C packaging run . -out ../dist $(if $(ARCH),-arch $(ARCH)) image

dist: ## write everything of a release to dist: packages, image, archives, lists of what is linked in, checksums
	go -C packaging run . -out ../dist $(if $(ARCH),-arch $(ARCH)) dist

packages-test: ## build a release twice, compare, and install, upgrade and purge the package in a chroot (root, Debian)
	./scripts/packages-test

clean: ## remove what build and dist leave
	rm -rf bin dist
