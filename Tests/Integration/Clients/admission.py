"""Connects again and again until the gateway's first answer is the one that is wanted, at most 30 seconds long.

admission.py URL WANTED     the token comes from TOKEN; WANTED is "connected" or the code and the reason of the close
"""
import asyncio
import json
import os
import sys
import time

import websockets


async def answer(url):
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with websockets.connect(url, extra_headers=headers) as socket:
        try:
            return json.loads(await asyncio.wait_for(socket.recv(), 30))["type"]
        except websockets.ConnectionClosed:
            return f"{socket.close_code} {socket.close_reason}"


async def main(url, wanted):
    begin = time.monotonic()
    last = None
    while time.monotonic() - begin < 30:
        last = await answer(url)
        if last == wanted:
            sys.stdout.write(f"{time.monotonic() - begin:.2f}\n")
            return
        await asyncio.sleep(0.05)
    sys.exit(f"not {wanted} but {last}")


asyncio.run(main(sys.argv[1], sys.argv[2]))
