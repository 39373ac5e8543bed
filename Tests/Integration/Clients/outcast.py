"""Holds a connection of each of three users to every replica, takes from each what let them in, and tells how the connections came to know.

outcast.py API GATEWAY...     API like http://127.0.0.1:8090, GATEWAY like ws://127.0.0.1:8080/ws; a line each: what was done, what each connection saw, and how long
                              after the API's answer the last one saw it

Tokens come from BOB, CAROL, DAVE and ROOT (an admin).
"""
import asyncio
import json
import os
import sys
import time
import urllib.request

import websockets

LIMIT_S = 30
APPLIANCE = "EPIC-001"


async def subscribed(url, user):
    socket = await websockets.connect(url, extra_headers={"Authorization": "Bearer " + os.environ[user]})
    await socket.send(json.dumps({"type": "subscribe", "appliance_id": APPLIANCE}))
    while json.loads(await asyncio.wait_for(socket.recv(), LIMIT_S))["type"] != "subscribed":
        pass
    return socket


async def fate(socket):
    """The close code, or the code of an error on a connection that stays."""
    try:
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), LIMIT_S))
            if message["type"] == "error":
                return message["data"]["code"]
    except websockets.ConnectionClosed as end:
        return str(end.code)


def delete(api, path):
    request = urllib.request.Request(api + "/api/v1/" + path, method="DELETE", headers={"Authorization": "Bearer " + os.environ["ROOT"]})
    with urllib.request.urlopen(request, timeout=LIMIT_S):
        return time.monotonic()


async def main(api, *gateways):
    for user, path in [("BOB", f"appliances/{APPLIANCE}/shares/bob"), ("CAROL", "users/carol/tokens"), ("DAVE", "users/dave")]:
        sockets = [await subscribed(gateway, user) for gateway in gateways]
        fates = asyncio.gather(*(fate(socket) for socket in sockets))
        done = await asyncio.to_thread(delete, api, path)
        seen = await fates
        sys.stdout.write(f"{path}: {' '.join(seen)}, after {max(0, time.monotonic() - done) * 1000:.0f} ms\n")
        for socket in sockets:
            await socket.close()


asyncio.run(main(*sys.argv[1:]))
