"""Measures how often each event type reaches consoles that want it differently often.

oht50_rates.py SECONDS GATEWAY...     the token comes from TOKEN

At each gateway there are a console that says nothing of rates, one that subscribes with a rate of 2, and one that sets its telemetry's rate to 5. Standard output, for each, one JSON object
{"rate": what it said, "elapsed_ms", "counts": {type: how often it came}} a line.
"""
import asyncio
import collections
import json
import os
import sys
import time

import websockets

WISHES = {"none": (None, None), "subscribe 2": (2, None), "set 5": (None, 5)}


async def console(gateway, wish, seconds):
    rate, telemetry_rate = WISHES[wish]
    async with websockets.connect(gateway + "/ws/telemetry", max_queue=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": os.environ["TOKEN"]}))
        await socket.send(json.dumps({"type": "subscribe", "events": ["*"]} | ({"rate": rate} if rate else {})))
        if telemetry_rate:
            await socket.send(json.dumps({"type": "set_telemetry_rate", "rate": telemetry_rate}))
        counts, start = collections.Counter(), None
        while start is None or time.monotonic() - start < seconds:
            message = json.loads(await asyncio.wait_for(socket.recv(), 30))
            # The measure begins with the first event.
            if "id" in message:
                start = start or time.monotonic()
                counts[message["type"]] += 1
        return {"rate": wish, "elapsed_ms": int((time.monotonic() - start) * 1000), "counts": counts}


async def main(seconds, gateways):
    for result in await asyncio.gather(*(console(gateway, wish, seconds) for gateway in gateways for wish in WISHES)):
        print(json.dumps(result))


asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
