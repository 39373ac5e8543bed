"""Cameras and viewers: WebSocket clients that do as they are told on standard input and write what they hear to standard output, one a line.

In:  {"open": NAME, "url": …, "token": …?}   {"send": NAME, "text": …}   {"flood": NAME, "text": …, "count": N}   {"close": NAME}   {"cut": NAME}
Out: {"from": NAME, "message": {…}}   {"from": NAME, "closed": CODE, "reason": …}   {"from": NAME, "opened": true}
"""
import asyncio
import json
import sys

import websockets

sockets = {}


def write(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def listen(name, socket):
    try:
        async for message in socket:
            write({"from": name, "message": json.loads(message)})
    except websockets.ConnectionClosed:
        pass
    write({"from": name, "closed": socket.close_code or 1006, "reason": socket.close_reason or ""})


async def obey(order, tasks):
    if "open" in order:
        headers = {"Authorization": "Bearer " + order["token"]} if order.get("token") else {}
        socket = await websockets.connect(order["url"], extra_headers=headers, max_queue=None, max_size=None, ping_interval=None)
        sockets[order["open"]] = socket
        write({"from": order["open"], "opened": True})
        tasks.add(asyncio.create_task(listen(order["open"], socket)))
    elif "send" in order or "flood" in order:
        socket = sockets[order.get("send") or order.get("flood")]
        try:
            for _ in range(order.get("count", 1)):
                await socket.send(order["text"])
        except websockets.ConnectionClosed:
            pass
    elif "close" in order:
        await sockets[order["close"]].close()
    elif "cut" in order:
        sockets[order["cut"]].transport.abort()


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        await obey(json.loads(line), tasks)


asyncio.run(main())
