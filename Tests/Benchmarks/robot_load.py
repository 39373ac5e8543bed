"""A robot that floods a hundred consoles, and one console that stops it again and again.

robot_load.py URL ROBOT STOPS     the token comes from TOKEN; mosquitto_pub and mosquitto_sub find the broker by XDG_CONFIG_HOME

Stops go one after the other, each answered by the robot before the next: first idle, then while the robot says 1,000 events a second and ten of the consoles do not read. Each line of standard output is
a name, a tab and a figure. What floods and the hundred consoles are a process of their own (`robot_load.py flood URL ROBOT`), so that their work delays no stop but by taking the processor; eighty of the
consoles only empty their sockets, and ten count what comes.

The sockets of those that do not read are full before the flood begins. At its end they read, and it is an error unless each then gets every safety event in order and the newest telemetry, and was spared some of what
filled its socket.
"""
import asyncio
import collections
import json
import os
import socket
import sys
import time
import urllib.parse

import websockets

CONSOLES, SLOW, COUNTING, WARM_UP_SECONDS = 100, 10, 10, 2
# Events a second of each type, 1,000 together, each with its number in `n`.
FLOOD = {"telemetry.realtime": 700, "mission.progress": 200, "module.status_change": 80, "safety.zone_entered": 20}
DATA = {
    "telemetry.realtime": {"position": {"x": 1250.5, "y": 0.0, "z": 0.0}, "velocity": {"linear": 0.8, "angular": 0.0}},
    "mission.progress": {"mission_id": "mission-1", "progress": 65.5},
    "module.status_change": {"module_id": "module-1", "old_status": "online", "new_status": "error"},
    "safety.zone_entered": {"zone_id": "zone-001", "zone_type": "warning", "action": "slow_down"},
}
STEP_SECONDS = 0.05
# What fills a socket that nobody reads: the system keeps no more than 4 MiB of it.
FILLING = {"type": "telemetry.map", "data": {"filling": "x" * 12_000}}
FILLING_COUNT, RECEIVE_BYTES, LIMIT_SECONDS = 500, 4096, 60


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def row(name, values, unit, digits):
    print(f"{name}\tp50 {percentile(values, 0.5):.{digits}f} {unit}, p99 {percentile(values, 0.99):.{digits}f} {unit}", flush=True)


async def publisher(topic):
    return await asyncio.create_subprocess_exec("mosquitto_pub", "-q", "1", "-t", topic, "-l", stdin=asyncio.subprocess.PIPE)


class Robot:
    """Hears stops and answers each at once."""

    async def start(self, robot):
        self.stops = asyncio.Queue()
        self.ears = await asyncio.create_subprocess_exec(
            "mosquitto_sub", "-q", "1", "-t", f"oht50/{robot}/command/+", "-v", stdout=asyncio.subprocess.PIPE)
        self.mouth = await publisher(f"oht50/{robot}/command/ack")
        self.task = asyncio.create_task(self.listen())

    async def listen(self):
        async for line in self.ears.stdout:
            topic, payload = line.decode().split(" ", 1)
            if topic.endswith("/emergency_stop"):
                heard = time.monotonic()
                command = json.loads(payload)["command_id"]
                self.mouth.stdin.write(json.dumps({"command_id": command, "status": "acknowledged"}).encode() + b"\n")
                self.stops.put_nowait(heard)

    async def end(self):
        self.ears.terminate()
        self.mouth.terminate()
        await asyncio.gather(self.ears.wait(), self.mouth.wait())
        self.task.cancel()


async def connect(url, *messages, **options):
    console = await websockets.connect(url, max_queue=None, ping_interval=None, **options)
    for message in ({"type": "auth", "token": os.environ["TOKEN"]}, *messages):
        await console.send(json.dumps(message))
    return console


async def stop(console, robot_id, request_id):
    """When it was sent, and what became of it."""
    begun = time.monotonic()
    await console.send(json.dumps({"type": "emergency_stop", "appliance_id": robot_id, "request_id": request_id}))
    while True:
        ack = json.loads(await asyncio.wait_for(console.recv(), 30))
        if ack["type"] == "command_ack" and ack["request_id"] == request_id and ack["status"] in ("acknowledged", "failed"):
            return begun, ack


async def heard(url, robot_id, robot):
    """Waits until the robot has subscribed: before that the broker says that nobody is there."""
    console = await connect(url)
    while (await stop(console, robot_id, "first"))[1]["status"] == "failed":
        await asyncio.sleep(0.2)
    await console.close()
    robot.stops = asyncio.Queue()


async def stops_ms(url, robot_id, robot, count):
    console, times = await connect(url), []
    for number in range(count):
        begun, ack = await stop(console, robot_id, str(number))
        if ack["status"] == "failed":
            raise RuntimeError(f"a stop failed: {ack}")
        times.append((robot.stops.get_nowait() - begun) * 1000)
    await console.close()
    return times


# MARK: The flood


class Drain(asyncio.Protocol):
    """Reads, and does nothing with it."""


async def count_events(console, counts):
    async for message in console:
        counts[json.loads(message)["type"]] += 1


async def publish(robot_id, sent, end):
    """Counts what it sends, until the end; returns when the broker has all of it."""
    publishers = {kind: await publisher(f"oht50/{robot_id}/{kind}") for kind in FLOOD}
    next_step = time.monotonic()
    while not end.is_set():
        for kind, rate in FLOOD.items():
            for _ in range(int(rate * STEP_SECONDS)):
                sent[kind] += 1
                frame = {"type": kind, "data": {"n": sent[kind], **DATA[kind]}}
                publishers[kind].stdin.write(json.dumps(frame).encode() + b"\n")
        next_step += STEP_SECONDS
        await asyncio.sleep(max(0, next_step - time.monotonic()))
    for process in publishers.values():
        process.stdin.close()
    await asyncio.gather(*(process.wait() for process in publishers.values()))


async def slow_console(url, robot_id):
    """A console that reads no more once it is subscribed. What the document does not limit is not for it: it would be closed."""
    address = urllib.parse.urlsplit(url)
    pipe = socket.socket()
    pipe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    pipe.connect((address.hostname, address.port))
    events = ["telemetry.*", "mission.*", "safety.*"]
    console = await connect(url, {"type": "subscribe", "events": events, "appliance_id": robot_id}, sock=pipe)
    while json.loads(await asyncio.wait_for(console.recv(), LIMIT_SECONDS))["type"] != "subscribed":
        pass
    console.transport.pause_reading()
    return console


async def fill_sockets(robot_id):
    process = await publisher(f"oht50/{robot_id}/{FILLING['type']}")
    await process.communicate((json.dumps(FILLING).encode() + b"\n") * FILLING_COUNT)


async def catch_up(console, sent):
    """Lets a console read, up to the last of what was sent. Answers the numbers of what comes to it, by type."""
    console.transport.resume_reading()
    told = {kind: [] for kind in (*FLOOD, FILLING["type"])}
    while any(sent[kind] not in told[kind][-1:] for kind in ("telemetry.realtime", "mission.progress", "safety.zone_entered")):
        event = json.loads(await asyncio.wait_for(console.recv(), LIMIT_SECONDS))
        if event["type"] in told:
            told[event["type"]].append(event["data"].get("n"))
    if told["safety.zone_entered"] != list(range(1, sent["safety.zone_entered"] + 1)):
        raise RuntimeError(f"a slow console got {len(told['safety.zone_entered'])} of {sent['safety.zone_entered']} safety events")
    if told["telemetry.realtime"] != sorted(told["telemetry.realtime"]) or len(told[FILLING["type"]]) >= FILLING_COUNT:
        raise RuntimeError("a slow console was not slow, or got telemetry in disorder")
    return told


async def flood(url, robot_id):
    """Says when it flows, and until its input ends counts what reaches a console."""
    slow = [await slow_console(url, robot_id) for _ in range(SLOW)]
    await fill_sockets(robot_id)
    subscribe = {"type": "subscribe", "events": ["*"], "appliance_id": robot_id}
    others = [await connect(url, subscribe) for _ in range(CONSOLES - SLOW)]
    for console in others[COUNTING:]:
        console.transport.set_protocol(Drain())
    counts, sent, end = [collections.Counter() for _ in range(COUNTING)], collections.Counter(), asyncio.Event()
    counters = [asyncio.create_task(count_events(*pair)) for pair in zip(others, counts)]
    publishing = asyncio.create_task(publish(robot_id, sent, end))
    await asyncio.sleep(WARM_UP_SECONDS)
    before, begun = [counter.copy() for counter in counts], time.monotonic()
    print("flows", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    seconds = time.monotonic() - begun
    for kind, events in FLOOD.items():
        rates = [(now[kind] - then[kind]) / seconds for now, then in zip(counts, before)]
        row(f"{kind} at {events} events/s, as it reached a console", rates, "/s", 1)
    end.set()
    await publishing
    told = await asyncio.gather(*(catch_up(console, sent) for console in slow))
    safety, telemetry = sent["safety.zone_entered"], [len(events["telemetry.realtime"]) for events in told]
    print(
        f"{SLOW} consoles that did not read, then\teach of {safety} safety events in order, and the newest telemetry after "
        f"{min(telemetry)} to {max(telemetry)} of {sent['telemetry.realtime']}", flush=True)
    for task in counters:
        task.cancel()
    await asyncio.gather(*counters, return_exceptions=True)
    for console in slow + others:
        console.transport.abort()


async def main(url, robot_id, count):
    robot = Robot()
    await robot.start(robot_id)
    await asyncio.wait_for(heard(url, robot_id, robot), 60)
    row("emergency_stop to the robot's socket, idle", await stops_ms(url, robot_id, robot, count), "ms", 2)
    load = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "flood", url, robot_id, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    try:
        if await load.stdout.readline() != b"flows\n":
            raise RuntimeError("the consoles did not come about")
        times = await stops_ms(url, robot_id, robot, count)
        row(f"the same, while {sum(FLOOD.values())} events/s flow to {CONSOLES} consoles, {SLOW} of them without reading", times, "ms", 2)
        sys.stdout.write((await load.communicate(b""))[0].decode())
        if load.returncode != 0:
            raise RuntimeError("the slow consoles did not get what they must")
    finally:
        if load.returncode is None:
            load.terminate()
        await robot.end()


if sys.argv[1] == "flood":
    asyncio.run(flood(*sys.argv[2:]))
else:
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
