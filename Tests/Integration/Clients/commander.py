"""Sends commands over one socket, each once the one before has its outcome, as an app that is subscribed to nothing, and writes what becomes of each.

commander.py URL APPLIANCE TYPE...     the token comes from TOKEN; a URL that ends with /telemetry speaks the OHT-50 document, any other the Epicura document;
                                       standard output: one line "TYPE OUTCOME [CODE]" each, up to one of which nothing is told in time: its OUTCOME is "none"
"""
import asyncio
import json
import os
import sys

import websockets

# Longer than the gateway takes to tell that nothing is known of a command.
LIMIT = 25


def outcome(message):
    """What became of a command, and why; None where the message does not say."""
    if message["type"] == "command_ack":
        return [message["status"], message.get("code", "")] if message["status"] in ("acknowledged", "failed") else None
    if message["type"] in ("command:acknowledged", "command:failed", "error"):
        return [message["type"], message.get("error_code") or message["data"].get("code", "")]
    return None


async def told(socket):
    while True:
        result = outcome(json.loads(await socket.recv()))
        if result:
            return result


async def main(url, appliance, types):
    extra = {} if url.endswith("/telemetry") else {"data": {"recipe_id": "recipe-uuid-001"}}
    async with websockets.connect(url, extra_headers={"Authorization": "Bearer " + os.environ["TOKEN"]}) as socket:
        for kind in types:
            await socket.send(json.dumps({"type": kind, "appliance_id": appliance, **extra}))
            try:
                result = await asyncio.wait_for(told(socket), LIMIT)
            except asyncio.TimeoutError:
                sys.stdout.write(kind + " none\n")
                return
            sys.stdout.write(" ".join([kind, *result]).strip() + "\n")


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
