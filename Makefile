.DEFAULT_GOAL := help
.PHONY: help check test golden fuzz soak bench docs ui build run servers

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the whole line on made-up events; the wall is on http://127.0.0.1:8080
	go run ./cmd/liushui up

servers: ## real Kafka, MySQL, MariaDB and Spark to try with; WHICH="kafka mysql" for some (kafka, cluster, kafka39, mysql, mariadb, spark)
	@go run ./dev/servers $(WHICH)

test: ## everything: installs what the tests need, runs them all, lists what was skipped and why
	@go build -o bin/suite ./dev/suite && bin/suite

check: ## gofmt, go vet, staticcheck
	@go build -o bin/suite ./dev/suite && bin/suite format vet staticcheck

golden: ## writes the golden files anew; look at the diff
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u) -update

fuzz: ## every fuzz target for FUZZTIME (default 60s)
	@go build -o bin/suite ./dev/suite && FUZZTIME=$${FUZZTIME:-60s} bin/suite fuzz

soak: ## a thousand kills of every kind, programs frozen and databases gone for a minute, 20,000 seeds of the simulation: an hour or more
	LIUSHUI_KILLS=$${LIUSHUI_KILLS:-1000} LIUSHUI_SEEDS=$${LIUSHUI_SEEDS:-20000} LIUSHUI_FREEZE=$${LIUSHUI_FREEZE:-60s} LIUSHUI_AWAY=$${LIUSHUI_AWAY:-60s} go test ./cmd/liushui -run 'TestKilled|TestFrozen|TestDatabaseFaults|TestSimulation' -v -timeout 12h

bench: ## the published comparisons of bench/README.md; wants a quiet machine
	go run ./bench

docs: ## the generated references in docs/
	go generate ./...

ui: ## the wall's page, wall/ui → wall/dist
	cd wall/ui && npm ci && npm run check && npm test && npm run build

build: ## bin/liushui, one static program
	CGO_ENABLED=0 go build -trimpath -ldflags=-s -o bin/liushui ./cmd/liushui
