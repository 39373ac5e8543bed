"""Subscribes as an app would and writes each message to standard output, one a line.

subscriber.py URL APPLIANCE...     the token comes from TOKEN; TYPES, parted by commas, limits what is written;
                                   RENEWAL names a file in which another token appears, to renew the first one by

When the connection ends, the last line is {"type": "test:closed", "data": {"code": …, "reason": …}}.
"""
import asyncio
import json
import os
import sys

import websockets


def write(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def renew(socket, path):
    while not os.path.exists(path):
        await asyncio.sleep(0.1)
    with open(path) as file:
        await socket.send(json.dumps({"type": "auth", "token": file.read().strip()}))


async def main(url, appliances):
    types = set(filter(None, os.environ.get("TYPES", "").split(",")))
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with websockets.connect(url, extra_headers=headers, max_queue=None) as socket:
        for appliance in appliances:
            await socket.send(json.dumps({"type": "subscribe", "appliance_id": appliance}))
        renewal = asyncio.create_task(renew(socket, os.environ["RENEWAL"])) if os.environ.get("RENEWAL") else None
        try:
            async for message in socket:
                if not types or json.loads(message)["type"] in types:
                    write(message.replace("\n", " "))  # a line feed in JSON text is white space
        except websockets.ConnectionClosed:
            pass
        if renewal:
            renewal.cancel()
        write(json.dumps({"type": "test:closed", "data": {"code": socket.close_code, "reason": socket.close_reason}}))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
