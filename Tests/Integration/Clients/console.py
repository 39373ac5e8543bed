"""Says messages as a console of the OHT-50 document would and writes each answer and event to standard output, one a line.

console.py URL MESSAGE...     the word TOKEN in a message is replaced by the value of the variable TOKEN

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


async def main(url, messages):
    async with websockets.connect(url, max_queue=None) as socket:
        for message in messages:
            await socket.send(message.replace("TOKEN", os.environ["TOKEN"]))
        try:
            async for message in socket:
                write(message.replace("\n", " "))
        except websockets.ConnectionClosed:
            pass
        write(json.dumps({"type": "test:closed", "data": {"code": socket.close_code, "reason": socket.close_reason}}))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
