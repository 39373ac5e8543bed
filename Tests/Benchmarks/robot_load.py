"""A robot that floods a hundred consoles, and one console that stops it again and again.

robot_load.py URL ROBOT STOPS     the token comes from TOKEN; mosquitto_pub and mosquitto_sub find the broker by XDG_CONFIG_HOME

Stops go one after the other, each answered by the robot before the next: first idle, then while the robot says 1,000 events a second and ten of the consoles do not read. Each line of standard output is
a name, a tab and a figure. What floods and the hundred consoles are a process of their own (`robot_load.py flood URL ROBOT`), so that their work delays no stop but by taking the processor; eighty of the
consoles only empty their sockets, and ten count what comes.
"""
import asyncio
import collections
import json
import os
import sys
import time

import websockets

CONSOLES, SLOW, COUNTING, WARM_UP_SECONDS = 100, 10, 10, 2
# Events a second of each type, 1,000 together.
FLOOD = {"telemetry.realtime": 700, "mission.progress": 200, "module.status_change": 100}
DATA = {
    "telemetry.realtime": {"position": {"x": 1250.5, "y": 0.0, "z": 0.0}, "velocity": {"linear": 0.8, "angular": 0.0}},
    "mission.progress": {"mission_id": "mission-1", "progress": 65.5},
    "module.status_change": {"module_id": "module-1", "old_status": "online", "new_status": "error"},
}
STEP_SECONDS = 0.05


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


async def connect(url, *messages):
    socket = await websockets.connect(url, max_queue=None, ping_interval=None)
    for message in ({"type": "auth", "token": os.environ["TOKEN"]}, *messages):
        await socket.send(json.dumps(message))
    return socket


async def stop(socket, robot_id, request_id):
    """When it was sent, and what became of it."""
    begun = time.monotonic()
    await socket.send(json.dumps({"type": "emergency_stop", "appliance_id": robot_id, "request_id": request_id}))
    while True:
        ack = json.loads(await asyncio.wait_for(socket.recv(), 30))
        if ack["type"] == "command_ack" and ack["request_id"] == request_id and ack["status"] in ("acknowledged", "failed"):
            return begun, ack


async def heard(url, robot_id, robot):
    """Waits until the robot has subscribed: before that the broker says that nobody is there."""
    socket = await connect(url)
    while (await stop(socket, robot_id, "first"))[1]["status"] == "failed":
        await asyncio.sleep(0.2)
    await socket.close()
    robot.stops = asyncio.Queue()


async def stops_ms(url, robot_id, robot, count):
    socket, times = await connect(url), []
    for number in range(count):
        begun, ack = await stop(socket, robot_id, str(number))
        if ack["status"] == "failed":
            raise RuntimeError(f"a stop failed: {ack}")
        times.append((robot.stops.get_nowait() - begun) * 1000)
    await socket.close()
    return times


# MARK: The flood


class Drain(asyncio.Protocol):
    """Reads, and does nothing with it."""


async def count_events(socket, counts):
    async for message in socket:
        counts[json.loads(message)["type"]] += 1


async def publish(robot_id):
    publishers = {kind: await publisher(f"oht50/{robot_id}/{kind}") for kind in FLOOD}
    lines = {kind: json.dumps({"type": kind, "data": data}).encode() + b"\n" for kind, data in DATA.items()}
    next_step = time.monotonic()
    try:
        while True:
            for kind, rate in FLOOD.items():
                publishers[kind].stdin.write(lines[kind] * int(rate * STEP_SECONDS))
            next_step += STEP_SECONDS
            await asyncio.sleep(max(0, next_step - time.monotonic()))
    finally:
        for process in publishers.values():
            process.terminate()


async def flood(url, robot_id):
    """Says when it flows, and until its input ends counts what reaches a console."""
    subscribe = {"type": "subscribe", "events": ["*"], "appliance_id": robot_id}
    sockets = [await connect(url, subscribe) for _ in range(CONSOLES)]
    slow, counting, others = sockets[:SLOW], sockets[SLOW:SLOW + COUNTING], sockets[SLOW + COUNTING:]
    for socket in slow:
        socket.transport.pause_reading()
    for socket in others:
        socket.transport.set_protocol(Drain())
    counts = [collections.Counter() for _ in counting]
    tasks = [asyncio.create_task(count_events(*pair)) for pair in zip(counting, counts)]
    tasks.append(asyncio.create_task(publish(robot_id)))
    await asyncio.sleep(WARM_UP_SECONDS)
    before, begun = [counter.copy() for counter in counts], time.monotonic()
    print("flows", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    seconds = time.monotonic() - begun
    for kind, events in FLOOD.items():
        rates = [(now[kind] - then[kind]) / seconds for now, then in zip(counts, before)]
        row(f"{kind} at {events} events/s, as it reached a console", rates, "/s", 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for socket in sockets:
        socket.transport.abort()


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
    finally:
        if load.returncode is None:
            load.terminate()
        await robot.end()


if sys.argv[1] == "flood":
    asyncio.run(flood(*sys.argv[2:]))
else:
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
