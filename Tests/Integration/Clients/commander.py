"""Sends commands as an app that is subscribed to nothing, and writes what becomes of each.

commander.py URL APPLIANCE TYPE...     the token comes from TOKEN; standard output: one line "TYPE OUTCOME [CODE]" each
"""
import asyncio
import json
import os
import sys

import websockets


async def main(url, appliance, types):
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with websockets.connect(url, extra_headers=headers) as socket:
        for kind in types:
            await socket.send(json.dumps({"type": kind, "appliance_id": appliance, "data": {"recipe_id": "recipe-uuid-001"}}))
            outcome = "none"
            while outcome not in ("command:acknowledged", "command:failed", "error"):
                message = json.loads(await asyncio.wait_for(socket.recv(), 40))
                outcome = message["type"]
            sys.stdout.write(" ".join([kind, outcome, message["data"].get("code", "")]).strip() + "\n")


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
