"""A lab controller and dashboards as the WebMACS document has them, by a WebSocket client that is none of ours.

webmacs.py protocol GATEWAY         what each endpoint answers to what; one JSON object {"case": ..., "told": [...]} a line
webmacs.py throttle GATEWAY...      a dashboard at each gateway, and a controller that moves from one to the next; one JSON object {"gateway", "counts":
                                    {sensor: how often it came}, "elapsed_ms", "last": {sensor: value}, "sent": {sensor: value}} for each dashboard
webmacs.py numbered GATEWAY FIRST LAST   sends the temperatures FIRST to LAST over one connection, each when the one before is acknowledged; one JSON object
                                    {"acknowledged": value} for each

GATEWAY is like ws://127.0.0.1:8080. Tokens come from CONTROLLER, USER, NOBODY (of a user who does not exist), GHOST (of an appliance that does not exist) and REVOKED (a
user's).
"""
import asyncio
import json
import os
import sys

import websockets

TELEMETRY, STREAM = "/ws/controller/telemetry", "/ws/datapoints/stream"
LIMIT = 30


def write(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def connect(gateway, path, token, query=""):
    query = "&".join(part for part in (query, "token=" + os.environ[token] if token else "") if part)
    return websockets.connect(gateway + path + ("?" + query if query else ""), max_size=None)


def batch(*values):
    return json.dumps({"datapoints": [{"value": value, "event_public_id": sensor} for sensor, value in values]})


async def receive(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), LIMIT))


async def closed(gateway, path, token):
    async with connect(gateway, path, token) as socket:
        await asyncio.wait_for(socket.wait_closed(), LIMIT)
        return [socket.close_code, socket.close_reason]


async def protocol(gateway):
    for path in (TELEMETRY, STREAM):
        tokens = [None, "WRONG", "GHOST" if path == TELEMETRY else "NOBODY"] + ([] if path == TELEMETRY else ["REVOKED"])
        for token in tokens:
            write(case=f"close {path} {token}", told=await closed(gateway, path, token))

    async with connect(gateway, STREAM, "USER") as dashboard:
        write(case="connected", told=[await receive(dashboard)])
        await dashboard.send('{"type": "ping"}')
        write(case="ping", told=[await receive(dashboard)])
        await dashboard.send("[")
        write(case="noise", told=[(await receive(dashboard))["type"]])
        async with connect(gateway, TELEMETRY, "CONTROLLER", "ack=1") as controller:

            async def ask(case, text, answers=1):
                await controller.send(text)
                write(case=case, told=[await receive(controller) for _ in range(answers)])

            await ask("pong", '{"type": "ping"}')
            await ask("good", batch(("temperature", 23.5), ("pressure", 1013.2)))
            write(case="broadcast", told=[await receive(dashboard)])
            await ask("mixed", '{"datapoints": [{"value": NaN, "event_public_id": "temperature"}, {"value": 1e308, "event_public_id": "pressure"}, {"value": 1}, '
                      '{"value": 2, "event_public_id": "unlinked"}, {"value": 1e999, "event_public_id": "temperature"}]}', 2)
            write(case="broadcast mixed", told=[point["value"] == 1e308 for point in (await receive(dashboard))["datapoints"]])
            await ask("unlinked", batch(("unlinked", 1)))
            await ask("disabled", batch(("humidity", 1)))
            await ask("empty", '{"datapoints": []}')
            await ask("object", '[{"value": 1, "event_public_id": "temperature"}]')
            await ask("500", batch(*[("temperature", n) for n in range(500)]))
            await ask("501", batch(*[("temperature", n) for n in range(501)]))
            await ask("after", batch(("temperature", 24)))
        async with connect(gateway, TELEMETRY, "CONTROLLER") as controller:
            await controller.send(batch(("temperature", 25)))
            await controller.send('{"type": "ping"}')
            write(case="no ack", told=[await receive(controller)])
        async with connect(gateway, TELEMETRY, "CONTROLLER", "ack=1") as controller:
            for _ in range(21):
                await controller.send("nonsense")
            await asyncio.wait_for(controller.wait_closed(), LIMIT)
            write(case="too many errors", told=[controller.close_code, controller.close_reason])


async def throttle(gateways):
    sensors, sent = ["temperature", "pressure"], {}
    done = asyncio.Event()

    async def watch(gateway, ready):
        counts, last = dict.fromkeys(sensors, 0), {}
        clock = asyncio.get_running_loop().time
        async with connect(gateway, STREAM, "USER") as socket:
            await receive(socket)
            ready.set()
            begun = clock()
            while not (done.is_set() and last == sent):
                try:
                    message = json.loads(await asyncio.wait_for(socket.recv(), 0.5))
                except asyncio.TimeoutError:
                    continue
                for datapoint in message["datapoints"]:
                    counts[datapoint["event_public_id"]] += 1
                    last[datapoint["event_public_id"]] = datapoint["value"]
            write(gateway=gateway, counts=counts, elapsed_ms=round((clock() - begun) * 1000), last=last, sent=sent)

    readies = [asyncio.Event() for _ in gateways]
    watchers = [asyncio.create_task(watch(gateway, ready)) for gateway, ready in zip(gateways, readies)]
    for ready in readies:
        await asyncio.wait_for(ready.wait(), LIMIT)
    number = 0
    for turn in range(6):
        async with connect(gateways[turn % len(gateways)], TELEMETRY, "CONTROLLER", "ack=1") as controller:
            for _ in range(40):
                number += 1
                for sensor in sensors:
                    sent[sensor] = number
                await controller.send(batch(*sent.items()))
                await receive(controller)
    done.set()
    await asyncio.wait_for(asyncio.gather(*watchers), LIMIT)


async def numbered(gateway, first, last):
    async with connect(gateway, TELEMETRY, "CONTROLLER", "ack=1") as controller:
        for value in range(int(first), int(last) + 1):
            await controller.send(batch(("temperature", value)))
            answer = json.loads(await asyncio.wait_for(controller.recv(), 2 * LIMIT))
            assert answer == {"type": "ack", "accepted": 1, "rejected": 0}, answer
            write(acknowledged=value)


os.environ["WRONG"] = "a.b.c"
mode, *arguments = sys.argv[1:]
asyncio.run(throttle(arguments) if mode == "throttle" else {"protocol": protocol, "numbered": numbered}[mode](*arguments))
