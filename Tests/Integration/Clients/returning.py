"""Many apps that behave well: each comes back by the document's schedule and resumes from the last event that it saw.

returning.py COUNT APPLIANCE URL...     the token comes from TOKEN; each app knows all URLs and takes the next one when it is sent away or refused

Each app subscribes to APPLIANCE and collects the `n` of its discrete events. Standard output, one JSON object a line:
{"type": "test:connected", "count": apps subscribed now}       whenever all are, or were and are no more
{"type": "test:result", "lists": [[n, ...], ...], "apps": [apps that have each list], "closes": {code: count}, "refused": answers that said recovered false,
 "moments": tenths of a second in which any was closed}
The result comes once, when every app has seen an event `cooking:complete`.
"""
import asyncio
import collections
import json
import os
import random
import sys
import time

import websockets

DELAYS = [1, 2, 4, 8, 15]


class Crowd:
    def __init__(self, count, appliance, urls):
        self.count, self.appliance, self.urls = count, appliance, urls
        self.subscribed = 0
        self.closes = collections.Counter()
        self.moments = set()
        self.unrecovered = 0
        self.was_told = False

    def tell(self):
        """Says how many are subscribed when all are, and when the first of them is lost."""
        everyone = self.subscribed == self.count
        if everyone != self.was_told:
            self.was_told = everyone
            write({"type": "test:connected", "count": self.subscribed})


def write(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def place(event_id):
    milliseconds, sequence = event_id.split("-")
    return int(milliseconds), int(sequence)


class App:
    def __init__(self, crowd, number):
        self.crowd, self.number = crowd, number
        self.last = None
        self.received = []
        self.is_done = False
        self.failures = 0

    async def run(self):
        while not self.is_done:
            url = self.crowd.urls[(self.number + self.failures) % len(self.crowd.urls)]
            try:
                headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
                async with websockets.connect(url, extra_headers=headers, max_queue=None, open_timeout=10, ping_interval=30) as socket:
                    await self.listen(socket)
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                pass
            if not self.is_done:
                delay = DELAYS[min(self.failures, len(DELAYS) - 1)]
                self.failures += 1
                await asyncio.sleep(delay * random.uniform(0.5, 1))

    async def listen(self, socket):
        subscription = {"type": "subscribe", "appliance_id": self.crowd.appliance}
        if self.last:
            subscription["since"] = self.last
        await socket.send(json.dumps(subscription))
        is_subscribed = False
        try:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "subscribed":
                    is_subscribed = True
                    self.failures = 0
                    self.crowd.subscribed += 1
                    self.crowd.unrecovered += message["data"].get("recovered") is False
                    self.crowd.tell()
                elif message["type"] == "error":
                    return
                self.take(message)
                if self.is_done:
                    return
        except websockets.ConnectionClosed:
            pass
        finally:
            if is_subscribed and not self.is_done:
                self.crowd.closes[str(socket.close_code)] += 1
                self.crowd.moments.add(int(time.monotonic() * 10))
                self.crowd.subscribed -= 1
                self.crowd.tell()

    def take(self, message):
        if "id" in message and (self.last is None or place(message["id"]) > place(self.last)):
            self.last = message["id"]
        if message["type"] == "cooking:stage_change":
            self.received.append(message["data"]["n"])
        self.is_done = message["type"] == "cooking:complete"


async def main(count, appliance, urls):
    crowd = Crowd(count, appliance, urls)
    apps = [App(crowd, number) for number in range(count)]
    await asyncio.gather(*(app.run() for app in apps))
    lists = collections.Counter(tuple(app.received) for app in apps)
    write({
        "type": "test:result", "lists": [list(numbers) for numbers in lists], "apps": list(lists.values()), "closes": dict(crowd.closes),
        "refused": crowd.unrecovered, "moments": len(crowd.moments),
    })


asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
