"""Brings docker-compose.yml up with three gateways, tours every dialect through nginx by TLS, breaks and scales what runs under the eyes of apps, and tears all down.

run.py          needs Docker with Compose; the exit status is 0 only when everything went as written
"""
import asyncio
import collections
import json
import secrets
import sys
import time
import urllib.parse
import urllib.request

import apps
import tour
from project import ROOT, SERVICES, Project

# What the image of a service may have, over a base that has so much where it is the official one.
IMAGE_BYTES_MAX = 120_000_000
BASE, BASE_BYTES = "debian:bookworm-slim", 75_000_000
APPS = 30


def say(sentence):
    print(f"{time.strftime('%H:%M:%S')} {sentence}", flush=True)


async def eventually(what, is_true, limit_s=120):
    deadline = time.monotonic() + limit_s
    while not await asyncio.to_thread(is_true):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {limit_s} s")
        await asyncio.sleep(0.5)


async def healthy(project, service, count):
    def is_healthy():
        states = [project.health(container) for container in project.containers(service)]
        return len(states) == count and all(state == "healthy" for state in states)

    await eventually(f"{count} × {service} healthy", is_healthy)


def images_are_small(project):
    def size(image):
        return int(project.run("docker", "image", "inspect", "-f", "{{.Size}}", image))

    base = size(BASE)
    for service in SERVICES:
        added = size(f"martlet/{service}") - base
        say(f"image martlet/{service}: {added / 1e6:.0f} MB besides {BASE}")
        if BASE_BYTES + added > IMAGE_BYTES_MAX:
            raise RuntimeError(f"the image of {service} has {added} bytes besides its base: over {IMAGE_BYTES_MAX} together")


def ask_prometheus(project, path):
    try:
        with urllib.request.urlopen(f"http://localhost:{project.ports['PROMETHEUS']}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


async def monitored(project):
    """Prometheus finds every replica by itself, and its alert rules stand."""
    project.compose("--profile", "monitoring", "up", "-d", "prometheus")
    replicas = {**dict.fromkeys(SERVICES, 1), "gateway": 3}

    def sees_all():
        targets = (ask_prometheus(project, "targets?state=active") or {}).get("activeTargets", [])
        up = collections.Counter(target["labels"]["service"] for target in targets if target["health"] == "up")
        return up == replicas

    await eventually("Prometheus sees every replica", sees_all)

    def rules():
        return [rule for group in (ask_prometheus(project, "rules") or {}).get("groups", []) for rule in group["rules"]]

    await eventually("every alert rule was evaluated", lambda: {rule["health"] for rule in rules()} == {"ok"})
    say(f"Prometheus sees {sum(replicas.values())} replicas and evaluates {len(rules())} alert rules")


async def drawn(project):
    """Every panel of the board for Grafana has something to draw."""
    board = json.loads((ROOT / "deploy/monitoring/grafana/boards/martlet.json").read_text())
    asked = {(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]}

    def empty():
        results = {(title, question): ask_prometheus(project, "query?" + urllib.parse.urlencode({"query": question})) for title, question in asked}
        return sorted(name for name, result in results.items() if not (result and result["result"]))

    try:
        await eventually("every panel of the board has something to draw", lambda: not empty())
    except RuntimeError:
        say(f"without anything: {empty()}")
        raise
    say(f"{len(asked)} questions of the board are answered")


async def alarmed(project):
    """A service that is gone is told, although nothing is left of it that Prometheus could ask."""
    project.compose("stop", "rules")

    def is_told():
        alerts = (ask_prometheus(project, "alerts") or {}).get("alerts", [])
        return any(
            alert["state"] == "firing" and alert["labels"]["alertname"] == "MartletServiceGone" and alert["labels"]["service"] == "rules" for alert in alerts)

    await eventually("an alert that rules is gone", is_told)
    project.compose("start", "rules")
    say("a service that was gone was told")


async def demonstrated(project):
    """The simulated devices of the profile `demo` are heard."""
    devices = {"EPIC-001", "PickleHeat.Heater", "OHT-50-001"}
    project.compose("--profile", "demo", "up", "-d", "--no-recreate", "demo-cooker", "demo-heater", "demo-robot")
    heard = "SELECT string_agg(DISTINCT appliance_id, ' ') FROM events"
    await eventually("every simulated device heard", lambda: devices <= set(project.row(heard).split()))
    say("the devices of the profile demo are heard")


async def breakage(project, crowd):
    """Everything that may happen to a deployment while apps watch a device."""
    def step(sentence, *work):
        say(sentence)
        return asyncio.to_thread(*work)

    await step("kill a gateway", project.run, "docker", "kill", project.containers("gateway")[0])
    await asyncio.sleep(3)
    await step("five gateways, and two of everything else", lambda: project.up(gateway=5, ingest=2, persister=2, rules=2, api=2, signaling=2))
    for service, count in {"gateway": 5, "ingest": 2, "persister": 2, "rules": 2, "api": 2, "signaling": 2}.items():
        await healthy(project, service, count)
    await crowd.everyone_is_subscribed()
    await step("two gateways", lambda: project.up(gateway=2, ingest=2, persister=2, rules=2, api=2, signaling=2))
    await crowd.everyone_is_subscribed()
    for service in ["postgres", "redis", "mosquitto", "nginx"] + SERVICES:
        await step(f"restart {service}", project.compose, "restart", service)
        await crowd.everyone_is_subscribed()


async def rotation(project, crowd):
    """The key that signs tokens and the passwords of PostgreSQL, as deploy/OPERATING.md has it: nobody's connection ends, and old tokens are worth nothing."""
    say("rotate the key that signs tokens and the passwords of PostgreSQL")
    closes, old_token = crowd.closes, crowd.token
    old, new = project.secret("jwt"), secrets.token_hex(32)
    for text in (f"{old}\n{new}", f"{new}\n{old}"):
        project.write_secret("jwt", text)
        await asyncio.sleep(5)
    await crowd.renew(await asyncio.to_thread(tour.token, project))
    project.write_secret("jwt", new)
    for role in ("gateway", "persister", "rules", "api", "signaling"):
        password = secrets.token_hex(32)
        sql = f"SET log_statement = none; ALTER ROLE martlet_{role} PASSWORD '{password}';\n"
        await asyncio.to_thread(lambda: project.compose("exec", "-T", "postgres", "psql", "-q", "-U", "martlet", "-d", "martlet", text=sql))
        project.write_secret(f"postgres_{role}", password)
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'martlet\\_%'"
    say(f"{await asyncio.to_thread(project.row, ended)} sessions of PostgreSQL ended")
    await asyncio.sleep(5)
    if crowd.closes != closes:
        raise RuntimeError(f"{crowd.closes - closes} connections ended while secrets were rotated")
    if await crowd.is_let_in(old_token):
        raise RuntimeError("a token by the old key is still taken")
    if not await crowd.is_let_in(crowd.token):
        raise RuntimeError("a token by the new key is refused")


async def refusals(project):
    """A server with a secret that is missing, empty or guessable, or a key that is not its certificate's, says so and does not start."""
    for service, name, text, word in [
        ("redis", "redis_rules", "", "'redis_rules' is missing or empty"),
        ("redis", "redis_rules", "password", "'redis_rules' has to be 16"),
        ("postgres", "postgres_api", "", "'postgres_api' is missing or empty"),
        ("mosquitto", "mqtt_ingest", "changeme", "'mqtt_ingest' has to be 16"),
        ("mosquitto", "tls_key.pem", "no key", "/run/secrets/tls_key"),
        ("nginx", "tls_key.pem", "no key", "/run/secrets/tls_key"),
        ("coturn", "turn", "", "'turn' is missing or empty"),
        ("gateway", "jwt", "short", "MARTLET_JWT_SECRET"),
        ("gateway", "redis_gateway", "", "MARTLET_REDIS_PASSWORD"),
    ]:
        kept = project.secret(name)
        project.write_secret(name, text)
        try:
            status, said = await asyncio.to_thread(project.attempt, service)
        finally:
            project.write_secret(name, kept)
        if status == 0 or word not in said:
            raise RuntimeError(f"{service} with '{text}' as {name} ended with {status}: {said[-2000:]}")
    say("servers with bad secrets did not start, and said why")


async def watched(project, token):
    """No app misses an event, or gets one twice, and each is stored once, whatever happens meanwhile."""
    crowd = apps.Crowd(f"wss://localhost:{project.ports['HTTPS']}/ws", project.tls, token, tour.COOKER, APPS)
    device = apps.Cooker(project, tour.COOKER, tour.PASSWORD)
    running = asyncio.create_task(crowd.run())
    await crowd.everyone_is_subscribed()
    device.start()
    try:
        await rotation(project, crowd)
        await breakage(project, crowd)
    finally:
        sent = await asyncio.to_thread(device.finish)
    await asyncio.wait_for(running, 120)
    missed, doubled, disordered = crowd.missed(sent), crowd.doubled(), crowd.disordered()
    say(f"{sent} events, {crowd.closes} connections lost; {sum(missed)} events missed and {sum(doubled)} doubled, by all {APPS} apps together, {sum(map(bool, disordered))} of which saw them out of order")
    stored = "SELECT count(*) || ' ' || count(DISTINCT data->>'n') FROM events WHERE type = 'cooking:stage_change'"
    try:
        await eventually("each event stored once", lambda: project.row(stored) == f"{sent} {sent}")
    except RuntimeError:
        say(f"rows, and events among them: {project.row(stored)}")
        raise
    if any(missed) or any(doubled) or any(disordered):
        raise RuntimeError(f"events were missed, or came twice or out of order; out of order: {max(disordered, key=len)[:20]}")
    return crowd.token


async def main():
    project = Project()
    try:
        project.run("deploy/compose/make-secrets")
        project.clear()
        say("building the images")
        project.compose("build", limit=5400)
        images_are_small(project)
        await refusals(project)
        say("starting, with three gateways")
        project.up(gateway=3)
        for service, count in {**dict.fromkeys(SERVICES, 1), "gateway": 3, "nginx": 1}.items():
            await healthy(project, service, count)
        await monitored(project)
        token = await tour.run(project, say)
        tokens = [token, await watched(project, token)]
        await drawn(project)
        await alarmed(project)
        await demonstrated(project)
        logs = project.compose("logs", "--no-color")
        if any(token.split(".")[2] in logs for token in tokens):
            raise RuntimeError("a token stands in a log")
        say("everything went as written")
    except BaseException:
        print(project.compose("logs", "--no-color", "--tail", "40"), file=sys.stderr)
        raise
    finally:
        project.down()


asyncio.run(main())
