# `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Where builds go; set MARTLET_SCRATCH to keep them out of the checkout.
SCRATCH ?= $(or $(MARTLET_SCRATCH),.build)
# Where the local stack keeps data, logs and secrets.
FOLDER ?= .local
# A file for the test results as JUnit XML, if wanted.
XUNIT ?=

SWIFT_BUILD := swift build --scratch-path $(SCRATCH)
LOCALSTACK := $(SCRATCH)/release/localstack
SOURCES := Package.swift Services Shared Tests deploy/examples

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: packages
packages: ## Install what is missing from Debian (asks for sudo when not root)
	@deploy/install-packages

.PHONY: build
build: packages ## Build everything for release
	$(SWIFT_BUILD) -c release

.PHONY: demo
demo: build ## Run everything with a simulated cooker and follow its live events until Ctrl-C
	@$(LOCALSTACK) demo --folder $(FOLDER)

.PHONY: up
up: build ## Run everything in the background; .local/stack.json has the addresses
	@$(LOCALSTACK) up --folder $(FOLDER)

.PHONY: down
down: ## Stop what `make up` started; its data stays in .local
	@if [ -x $(LOCALSTACK) ]; then $(LOCALSTACK) down --folder $(FOLDER); else echo "Nothing is built, so nothing runs."; fi

# Public libraries that check us, in a virtual environment beside the build, where the tests look for it: the signatures of webhooks, and the API's own document.
PYPI := $(SCRATCH)/pypi

$(PYPI)/ready:
	python3 -m venv $(PYPI)
	$(PYPI)/bin/pip install --quiet standardwebhooks==1.1.0 openapi-spec-validator==0.9.0
	touch $@

# Four tests at a time, because many start servers of their own. Those with a real video run where `make videotools` has fetched what they need.
.PHONY: test
test: packages $(PYPI)/ready ## Build and run every test against real servers
	$(SWIFT_BUILD) --build-tests
	$(WITH_VIDEO) SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4 swift test --scratch-path $(SCRATCH) --skip-build --disable-xctest $(if $(XUNIT),--xunit-output $(XUNIT))

# A camera and a browser that are none of ours: Python's aiortc in a virtual environment beside the build, Debian's Chromium and coturn.
VIDEO := $(SCRATCH)/video
WITH_VIDEO = $(and $(wildcard $(VIDEO)/ready),$(shell command -v chromium-headless-shell),$(shell command -v turnserver),MARTLET_VIDEO_PYTHON=$(abspath $(VIDEO))/bin/python)

$(VIDEO)/ready:
	python3 -m venv $(VIDEO)
	$(VIDEO)/bin/pip install --quiet aiortc==1.16.0 websockets==10.4
	touch $@

.PHONY: videotools
videotools: packages $(VIDEO)/ready ## Fetch the camera and the browser for the tests with a real video
	@deploy/install-packages coturn chromium-headless-shell

.PHONY: video
video: videotools ## Watch a real video through the signaling broker, directly and by TURN
	$(SWIFT_BUILD) --build-tests
	MARTLET_VIDEO_PYTHON=$(abspath $(VIDEO))/bin/python swift test --scratch-path $(SCRATCH) --skip-build --disable-xctest --filter SignalingVideoTests

# Where the pictures of the web page go that the test of it takes.
SCREENSHOTS ?= .local/screenshots

.PHONY: test-browser
test-browser: videotools ## Use the web page, and play the connection scripts, in a headless Chromium; pictures in .local/screenshots
	$(SWIFT_BUILD) --build-tests
	/usr/bin/python3 Tests/Connections/run.py
	PYTHON_WITH_AIORTC=$(abspath $(VIDEO))/bin/python /usr/bin/python3 Tests/Browser/run.py $(SCRATCH)/debug $(SCREENSHOTS)

.PHONY: images
images: ## Build the container images (wants Docker with Compose)
	docker compose build

.PHONY: compose-up
compose-up: ## Make what secrets are missing, and start everything in containers
	@deploy/compose/make-secrets
	docker compose up -d --build

.PHONY: compose-down
compose-down: ## Stop the containers; their data stays
	docker compose --profile demo --profile monitoring --profile tools --profile turn down

.PHONY: test-compose
test-compose: ## Try the compose file: a tour of every dialect, then kill, scale and restart under load (wants Docker with Compose)
	@deploy/install-packages python3-websockets python3-paho-mqtt openssl
	fingerprint=$$(.ci/compose fingerprint) && /usr/bin/python3 Tests/Compose/run.py && .ci/compose passed $$fingerprint

.PHONY: bench
bench: build ## Measure throughput, latency and memory, and print the figures
	@$(SCRATCH)/release/bench

.PHONY: load
load: build ## Set up and end 10,000 watches through three signaling brokers, then measure the API, and nginx before it and a gateway
	@$(LOCALSTACK) up --folder $(SCRATCH)/load --signaling 3
	@/usr/bin/python3 Tests/Benchmarks/signaling_load.py $(SCRATCH)/load $(SCRATCH)/release/martletctl && \
	  /usr/bin/python3 Tests/Benchmarks/door_load.py $(SCRATCH)/load; status=$$?; \
	  $(LOCALSTACK) down --folder $(SCRATCH)/load; exit $$status

.PHONY: format
format: ## Format all Swift sources in place
	swift format --in-place --parallel --recursive $(SOURCES)

.PHONY: lint
lint: packages ## Check the format of all Swift sources, and everything that is deployed
	swift format lint --strict --parallel --recursive $(SOURCES)
	@deploy/install-packages shellcheck yamllint docker-compose prometheus $(if $(shell command -v kubectl),,kubernetes-client)
	@deploy/lint $(SCRATCH)/lint

.PHONY: check
check: lint test ## lint and test
