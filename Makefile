# The doors of Millrace. `make` alone lists them; deploy/README.md says what is behind them.
#
# ARGS is passed on: make test ARGS='-p millrace-domain'

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run up down reset status test lint bench chaos openapi

help: ## list these doors
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: ## start everything in the foreground, with the demo data; Ctrl-C stops it
	@deploy/local/millrace run

up: ## the same in the background; back when every service is ready
	@deploy/local/millrace up

down: ## stop everything, keep the data
	@deploy/local/millrace down

reset: ## stop everything and delete the data
	@deploy/local/millrace reset

status: ## what runs
	@deploy/local/millrace status

# Tests kill processes, never the machine: what the system was handed is not lost, on disk or not.
test: ## every test, against servers of its own
	@MILLRACE_STACK_TEST=1 MILLRACE_STACK_FSYNC=off deploy/stack/with test deploy/tests $(ARGS)

lint: ## formatting, clippy, scripts, licences and banned dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	deploy/lint/scripts
	deploy/lint/dependencies

chaos: ## everything breaks for ten minutes, against servers of its own; ARGS='--seconds 60 --events 50000'
	@cargo build --release --locked --workspace --bins
	@MILLRACE_STACK_TEST=1 MILLRACE_CHAOS_SERVERS=1 deploy/stack/with chaos target/release/millrace-chaos $(ARGS)

bench: ## the benchmarks, against servers of their own; results in target/bench
	@cargo build --release --locked --workspace --bins
	@MILLRACE_STACK_TEST=1 deploy/stack/with bench target/release/millrace-bench $(ARGS)

openapi: ## write docs/openapi from the services
	MILLRACE_WRITE_OPENAPI=1 cargo test --locked $(foreach service,auth ingest worker analytics,-p millrace-$(service)) openapi_document
	MILLRACE_WRITE_OPENAPI=1 cargo test --locked -p millrace-gateway openapi_document
