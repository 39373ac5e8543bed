"""Many cameras and viewers on all brokers of a running stack: sets sessions up, checks what arrives, ends them, and reports.

localstack up --folder FOLDER --signaling 3
signaling_load.py FOLDER MARTLETCTL [PAIRS [SESSIONS_EACH]]      1000 pairs and 10 sessions each, when left out; PACE: seconds

Each session: watch_request, offer, answer, a candidate each way, end_watch. Offers, answers and candidates carry marks, so that anything that reaches the wrong end
is seen. At the end no session may be open in PostgreSQL, and nothing of any be left on Redis. The exit status is 0 only when all of that is so.
"""
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import time

import websockets

import usage


# A socket for each client.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
# Between two sessions of one viewer, on average: so many pairs, divided by it, begin each second.
PACE_SECONDS = float(os.environ.get("PACE", "15"))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Client:
    def __init__(self, url):
        self.url = url
        self.waiting = {}

    async def connect(self, hello):
        self.socket = await websockets.connect(self.url, max_queue=None, ping_interval=None, open_timeout=60)
        self.tasks = [asyncio.create_task(self.listen()), asyncio.create_task(self.beat())]
        await self.ask("hello_ack", "hello", hello)

    async def close(self):
        await self.socket.close()
        for task in self.tasks:
            task.cancel()

    async def send(self, kind, payload, request_id=None):
        message = {"type": kind, "ts": "2025-01-01T00:00:00.000Z", "payload": payload}
        if request_id:
            message["request_id"] = request_id
        await self.socket.send(json.dumps(message))

    def expect(self, kind, key=None):
        return self.waiting.setdefault((kind, key), asyncio.get_running_loop().create_future())

    async def ask(self, answer, kind, payload, key=None, request_id=None):
        future = self.expect(answer, key)
        await self.send(kind, payload, request_id)
        return await asyncio.wait_for(future, 60)

    async def beat(self):
        while True:
            await asyncio.sleep(random.uniform(15, 25))
            await self.send("heartbeat", {})

    async def listen(self):
        async for text in self.socket:
            message = json.loads(text)
            await self.heard(message["type"], message["payload"], message.get("request_id"))

    async def heard(self, kind, payload, request_id):
        if kind == "error":
            future = self.waiting.pop(("watch_ready", request_id), None)
            if future and not future.done():
                future.set_exception(Refused(payload["message"]))
            return
        for key in (payload.get("session_id"), request_id, None):
            future = self.waiting.pop((kind, key), None)
            if future:
                if not future.done():
                    future.set_result(payload)
                return


class Refused(Exception):
    """The broker's `error` to a watch request."""


class Camera(Client):
    """Answers every offer with its mark."""

    mixed = 0

    def __init__(self, url, name):
        super().__init__(url)
        self.name = name
        self.ends = 0

    async def heard(self, kind, payload, request_id):
        if kind == "signal_offer":
            mark = payload["sdp"]["sdp"]
            if not mark.startswith(self.name + " "):
                Camera.mixed += 1
            session = payload["session_id"]
            await self.send("signal_answer", {"session_id": session, "sdp": {"type": "answer", "sdp": mark}})
            await self.send("signal_ice", {"session_id": session, "candidate": {"candidate": mark}})
        elif kind == "signal_ice" and not payload["candidate"]["candidate"].startswith(self.name + " "):
            Camera.mixed += 1
        elif kind == "watch_ended":
            self.ends += 1
        else:
            await super().heard(kind, payload, request_id)


class Figures:
    ready, answered, ended, mixed, failed = [], [], 0, 0, 0


async def watch(viewer, camera, number):
    """One session from its request to its end."""
    mark = f"{camera.name} {id(viewer)} {number} " + "x" * 1500
    start = time.perf_counter()
    ready = await viewer.ask("watch_ready", "watch_request", {"device_id": camera.name}, f"r{number}", f"r{number}")
    Figures.ready.append(time.perf_counter() - start)
    session = ready["session_id"]
    answer, candidate, end = (viewer.expect(kind, session) for kind in ("signal_answer", "signal_ice", "watch_ended"))
    await viewer.send("signal_offer", {"session_id": session, "sdp": {"type": "offer", "sdp": mark}})
    await viewer.send("signal_ice", {"session_id": session, "candidate": {"candidate": mark}})
    sdp = (await asyncio.wait_for(answer, 60))["sdp"]["sdp"]
    Figures.answered.append(time.perf_counter() - start)
    line = (await asyncio.wait_for(candidate, 60))["candidate"]["candidate"]
    Figures.mixed += (sdp != mark) + (line != mark)
    await viewer.send("end_watch", {"session_id": session})
    await asyncio.wait_for(end, 60)
    Figures.ended += 1


async def visit(viewer, cameras, count):
    for number in range(count):
        await asyncio.sleep(random.uniform(0, 2 * PACE_SECONDS))
        try:
            await watch(viewer, random.choice(cameras), number)
        except (asyncio.TimeoutError, websockets.ConnectionClosed, Refused) as error:
            Figures.failed += 1
            print("failed:", repr(error), file=sys.stderr)


class Stores:
    """PostgreSQL and Redis of the stack, as their own command line tools see them."""

    def __init__(self, stack):
        self.postgres, self.redis = stack["postgres"]["martlet"], stack["redis"]["admin"]

    @staticmethod
    def ask(command, variable, login):
        secret = open(login["password_file"]).read().strip()
        return subprocess.run(command, env={**os.environ, variable: secret}, check=True, capture_output=True, text=True).stdout.strip()

    def row(self, sql):
        return self.ask(["psql", "-tAX", self.postgres["url"], "-c", sql], "PGPASSWORD", self.postgres)

    def left(self):
        """The keys of cameras and sessions; what the brokers keep of themselves is under `replicas` and their names."""
        address = self.redis["url"].split("@")[1].split("/")[0].split(":")
        keys = self.ask(
            ["redis-cli", "--no-auth-warning", "-h", address[0], "-p", address[1], "--user", "admin", "--scan", "--pattern", "signal:*"],
            "REDISCLI_AUTH", self.redis).split()
        return [key for key in keys if key.split(":")[2] in ("device", "watches", "watch", "mail", "letters", "deadlines")]


def milliseconds(name, values):
    return {f"{name}_p{share * 100:g}_ms": round(1000 * percentile(values, share), 1) for share in (0.5, 0.99)}


async def main(folder, martletctl, pairs=1000, each=10):
    pairs, each = int(pairs), int(each)
    stack = json.load(open(f"{folder}/stack.json"))
    stores = Stores(stack)
    brokers = [s["address"] for name, s in sorted(stack["services"].items()) if name.startswith("signaling-")]
    environment = {
        **os.environ,
        "MARTLET_POSTGRES_URL": stack["postgres"]["martlet"]["url"],
        "MARTLET_POSTGRES_PASSWORD_FILE": stack["postgres"]["martlet"]["password_file"],
        "MARTLET_REDIS_URL": stack["redis"]["admin"]["url"],
        "MARTLET_REDIS_PASSWORD_FILE": stack["redis"]["admin"]["password_file"],
        "MARTLET_JWT_SECRET_FILE": f"{folder}/secrets/jwt",
    }
    names = [f"load-cam-{number}" for number in range(pairs)]
    # A user of its own for each run: its sessions are told from others by that.
    user = f"load-{time.time_ns()}"
    cameras = "".join(f"  - {{id: {name}, dialect: signaling, owner: {user}, accepts_unproven: true}}\n" for name in names)
    subprocess.run(
        [martletctl, "apply", "-"], input=f"users: [{{id: {user}}}]\nappliances:\n{cameras}".encode(), env=environment, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    token = subprocess.run([martletctl, "token", user], env=environment, check=True, capture_output=True, text=True).stdout.strip()

    cameras = [Camera(f"ws://{brokers[i % len(brokers)]}/ws/device", name) for i, name in enumerate(names)]
    viewers = [Client(f"ws://{brokers[(i + 1) % len(brokers)]}/ws/viewer") for i in range(pairs)]
    before = usage.service(stack, "signaling-")
    start = time.perf_counter()
    for clients, hellos in [(cameras, [{"device_id": c.name} for c in cameras]), (viewers, [{"token": token}] * pairs)]:
        for first in range(0, pairs, 50):
            part = list(zip(clients, hellos))[first:first + 50]
            await asyncio.gather(*(client.connect(hello) for client, hello in part))
    connected = time.perf_counter() - start
    there = usage.service(stack, "signaling-")
    start = time.perf_counter()
    await asyncio.gather(*(visit(viewer, cameras, each) for viewer in viewers))
    took = time.perf_counter() - start
    done = usage.service(stack, "signaling-")
    for client in cameras + viewers:
        await client.close()
    # Records come to PostgreSQL within seconds.
    deadline = time.monotonic() + 30
    count = f"SELECT count(*) FROM watch_sessions WHERE user_id = '{user}' AND "
    while time.monotonic() < deadline and (stores.left() or int(stores.row(count + "ended_at IS NOT NULL")) < Figures.ended):
        await asyncio.sleep(0.5)

    figures = {
        "brokers": len(brokers), "cameras": pairs, "viewers": pairs, "sessions": Figures.ended, "failed": Figures.failed,
        "mixed_up": Figures.mixed + Camera.mixed, "told_to_cameras": sum(camera.ends for camera in cameras),
        "rows_open": int(stores.row(count + "ended_at IS NULL")),
        "rows_ended_by_user": int(stores.row(count + "reason = 'user_ended'")),
        "left_on_redis": len(stores.left()), "connect_s": round(connected, 1), "run_s": round(took, 1),
        "brokers_KiB_each_client": round((there[1] - before[1]) / pairs / 2 / 1024, 1),
        "brokers_us_each_client": round((there[0] - before[0]) * 1e6 / pairs / 2),
        "brokers_us_each_session": round((done[0] - there[0]) * 1e6 / max(1, Figures.ended)),
        "load_average": os.getloadavg()[0], **milliseconds("ready", Figures.ready), **milliseconds("answered", Figures.answered),
    }
    print(json.dumps(figures, indent=2))
    whole = pairs * each
    return all(figures[name] == whole for name in ("sessions", "told_to_cameras", "rows_ended_by_user")) and not any(
        figures[name] for name in ("failed", "mixed_up", "rows_open", "left_on_redis"))


sys.exit(0 if asyncio.run(main(*sys.argv[1:])) else 1)
