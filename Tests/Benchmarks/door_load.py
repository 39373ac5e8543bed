"""What requests to the API cost, and what nginx costs before it and before a gateway: processor time and memory, under a load that one Python process makes.

localstack up --folder FOLDER
door_load.py FOLDER [CLIENTS [SECONDS]]      2000 clients and 10 seconds for each kind of request, when left out

nginx is one process of its own with what deploy/compose gives it, and a certificate as make-secrets makes one. The figures are printed as JSON.
"""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import websockets

import usage

COMPOSE = pathlib.Path(__file__).resolve().parents[2] / "deploy/compose"
APPLIANCE = "EPIC-001"
ASKERS, STORED = 16, 2000
EVENTS, EVENTS_PER_SECOND = 200, 10


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def door(stack):
    """nginx as compose has it, before the first replica of each service: its process, and the port that speaks TLS."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        subprocess.run([COMPOSE / "make-secrets"], env={**os.environ, "MARTLET_SECRETS": folder}, check=True, stdout=subprocess.DEVNULL)
        ports = {"8080": free_port(), "8443": free_port()}
        replicas = "".join(
            f'map "" $martlet_{name} {{ default {stack["services"][name + "-1"]["address"]}; }}\n' for name in ("gateway", "signaling", "api"))
        pathlib.Path(folder, "replicas.conf").write_text(replicas + 'map "" $martlet_https_port { default 8443; }\n')
        for name in ("nginx.conf", "websocket.conf", "headers.conf"):
            text = re.sub(r"(tls_certificate|tls_key);", r"\1.pem;", (COMPOSE / name).read_text())
            text = re.sub(r"/tmp/|/etc/martlet/|/run/secrets/", f"{folder}/", text).replace("/dev/stdout", f"{folder}/access.log")
            pathlib.Path(folder, name).write_text(re.sub(r"listen (\d+)", lambda found: f"listen 127.0.0.1:{ports[found[1]]}", text))
        directives = "daemon off; master_process off;" + (" user root;" if os.geteuid() == 0 else "")
        nginx = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-g", directives], env={"PATH": os.environ["PATH"] + ":/usr/sbin"})
        try:
            yield nginx.pid, ports["8443"], ssl.create_default_context(cafile=f"{folder}/tls_certificate.pem")
        finally:
            nginx.terminate()
            nginx.wait()


def publish(folder, lines):
    """A running `mosquitto_pub`, which takes a message a line."""
    return subprocess.Popen(
        ["mosquitto_pub", "-q", "1", "-t", f"epicura/{APPLIANCE}/session/stage_change", "-l"], stdin=lines,
        env={**os.environ, "XDG_CONFIG_HOME": f"{folder}/mosquitto/clients-simulator"})


async def ask(port, tls, path, token, until):
    """How many answers one connection gets, each after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None)
    count = 0
    while time.monotonic() < until:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{path}: {head.decode()}")
        await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
        count += 1
    writer.close()
    return count


async def requests(stack, folder, nginx, port, tls, path, token, seconds):
    """Microseconds of a core for each request: of the API, of PostgreSQL and of nginx, if it is between."""
    def spent():
        return usage.service(stack, "api-")[0], usage.postgres(folder), usage.process(nginx)[0]

    before = spent()
    counts = await asyncio.gather(*(ask(port, tls, path, token, time.monotonic() + seconds) for _ in range(ASKERS)))
    each = [round((now - then) * 1e6 / sum(counts), 1) for now, then in zip(spent(), before)]
    return {"per_second": round(sum(counts) / seconds), **dict(zip(("api_us", "postgres_us", "nginx_us"), each))}


async def connections(folder, nginx, port, tls, token, count):
    """What a WebSocket costs nginx while nobody says anything, and what a delivery does by a quarter of them."""
    async def connect():
        return await websockets.connect(
            f"wss://localhost:{port}/ws", ssl=tls, extra_headers={"Authorization": "Bearer " + token}, compression=None, ping_interval=None)

    async def hear(client):
        for _ in range(EVENTS):
            while json.loads(await client.recv())["type"] != "cooking:stage_change":
                pass

    before, clients = usage.process(nginx), []
    for _ in range(count // 50):
        clients += await asyncio.gather(*(connect() for _ in range(50)))
    connected = usage.process(nginx)
    hearers = clients[::4]
    for client in hearers:
        await client.send(json.dumps({"type": "subscribe", "appliance_id": APPLIANCE}))
        while json.loads(await client.recv())["type"] != "subscribed":
            pass
    subscribed = usage.process(nginx)
    hearing = asyncio.gather(*(hear(client) for client in hearers))
    publisher = publish(folder, subprocess.PIPE)
    for number in range(EVENTS):
        publisher.stdin.write(b'{"n":%d}\n' % number)
        publisher.stdin.flush()
        await asyncio.sleep(1 / EVENTS_PER_SECOND)
    await asyncio.wait_for(hearing, 60)
    publisher.stdin.close()
    heard = usage.process(nginx)
    for client in clients:
        await client.close()
    return {
        "connections": len(clients), "nginx_KiB_each": round((connected[1] - before[1]) / len(clients) / 1024, 1),
        "nginx_us_each": round((connected[0] - before[0]) * 1e6 / len(clients)),
        "deliveries": len(hearers) * EVENTS, "nginx_us_each_delivery": round((heard[0] - subscribed[0]) * 1e6 / len(hearers) / EVENTS, 1),
    }


async def main(folder, clients=2000, seconds=10):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    stack = json.loads(pathlib.Path(folder, "stack.json").read_text())
    token = pathlib.Path(stack["token_file"]).read_text().strip()
    with tempfile.TemporaryFile() as lines:
        lines.writelines(b'{"session_id":"bench","n":%d,"text":"%s"}\n' % (number, b"x" * 200) for number in range(STORED))
        lines.seek(0)
        publish(folder, lines).wait()
    figures = {"load_average": os.getloadavg()[0]}
    with door(stack) as (nginx, port, tls):
        api = int(stack["services"]["api-1"]["address"].split(":")[1])
        events = f"/api/v1/appliances/{APPLIANCE}/events?limit="
        for name, path in (("page of 100 events", events + "100"), ("one event", events + "1"), ("appliances", "/api/v1/appliances")):
            figures[name] = await requests(stack, folder, nginx, api, None, path, token, int(seconds))
            figures[name + ", through nginx by TLS"] = await requests(stack, folder, nginx, port, tls, path, token, int(seconds))
        figures["WebSockets through nginx by TLS"] = await connections(folder, nginx, port, tls, token, int(clients))
    print(json.dumps(figures, indent=2))


asyncio.run(main(*sys.argv[1:]))
