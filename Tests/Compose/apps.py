"""Apps that behave well, and the cooker that they watch, both by libraries that are none of ours."""
import asyncio
import json
import random
import threading
import time

import paho.mqtt.client
import websockets

DELAYS_S = [1, 2, 4, 8, 15]


def place(event_id):
    return tuple(map(int, event_id.split("-")))


class Crowd:
    """Apps that come back by the Epicura document's schedule, and resume from what they saw last, until the cooker has ended."""

    def __init__(self, url, tls, token, appliance, count):
        self.url, self.tls, self.token, self.appliance, self.count = url, tls, token, appliance, count
        self.subscribed = 0
        self.closes = 0
        self.sockets = set()
        self.renewed = 0
        self.received = [[] for _ in range(count)]

    def missed(self, sent):
        """Of each app, how many events it did not see."""
        return [len(set(range(1, sent + 1)) - set(numbers)) for numbers in self.received]

    def doubled(self):
        """Of each app, how many events it saw again."""
        return [len(numbers) - len(set(numbers)) for numbers in self.received]

    def disordered(self):
        """Of each app, where it saw events in another order than they were said: a number, and the smaller one that came next."""
        return [[pair for pair in zip(numbers, numbers[1:]) if pair[0] > pair[1]] for numbers in self.received]

    async def renew(self, token, limit_s=30):
        """Every app that is there shows another token on the connection that it has."""
        self.token, self.renewed = token, 0
        for socket in list(self.sockets):
            await socket.send(json.dumps({"type": "auth", "token": token}))
        deadline = time.monotonic() + limit_s
        while self.renewed < self.count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {self.renewed} of {self.count} apps have renewed their tokens after {limit_s} s")
            await asyncio.sleep(0.1)

    async def is_let_in(self, token):
        async with websockets.connect(self.url, ssl=self.tls, extra_headers={"Authorization": "Bearer " + token}) as socket:
            try:
                return json.loads(await socket.recv())["type"] == "connected"
            except websockets.ConnectionClosed:
                return False

    async def everyone_is_subscribed(self, limit_s=90):
        deadline = time.monotonic() + limit_s
        # Nobody may have noticed yet that a connection is gone.
        await asyncio.sleep(2)
        while self.subscribed < self.count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {self.subscribed} of {self.count} apps are back after {limit_s} s")
            await asyncio.sleep(0.2)

    async def run(self):
        await asyncio.gather(*(self.app(number) for number in range(self.count)))

    async def app(self, number):
        failures, last = 0, None
        while True:
            try:
                async with websockets.connect(
                    self.url, ssl=self.tls, extra_headers={"Authorization": "Bearer " + self.token}, max_queue=None, ping_interval=10, ping_timeout=10
                ) as socket:
                    await socket.send(json.dumps({"type": "subscribe", "appliance_id": self.appliance, **({"since": last} if last else {})}))
                    is_subscribed = False
                    try:
                        async for text in socket:
                            message = json.loads(text)
                            if message["type"] == "subscribed":
                                is_subscribed, failures = True, 0
                                self.subscribed += 1
                                self.sockets.add(socket)
                            if message["type"] == "authenticated":
                                self.renewed += 1
                            if message["type"] == "error":
                                break
                            if "id" in message and (last is None or place(message["id"]) > place(last)):
                                last = message["id"]
                            if message["type"] == "cooking:stage_change":
                                self.received[number].append(message["data"]["n"])
                            if message["type"] == "cooking:complete":
                                return
                    finally:
                        if is_subscribed:
                            self.subscribed -= 1
                            self.sockets.discard(socket)
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
                pass
            self.closes += 1
            await asyncio.sleep(DELAYS_S[min(failures, len(DELAYS_S) - 1)] * random.uniform(0.5, 1))
            failures += 1


class Cooker:
    """Publishes numbered events over TLS with a login of its own, each under an id by which a repetition is known, and knows which the broker acknowledged.

    All by one thread: the library's own would send what is new before what it has to send again, between a connection and the broker's word on it.
    """

    INTERVAL_S = 0.05

    def __init__(self, project, appliance, password):
        self.appliance = appliance
        self.client = paho.mqtt.client.Client(client_id=appliance, clean_session=False)
        self.client.username_pw_set(appliance, password)
        self.client.tls_set_context(project.tls)
        self.client.max_queued_messages_set(0)
        self.acknowledged = set()
        self.client.on_publish = lambda client, data, identifier: self.acknowledged.add(identifier)
        self.client.connect("localhost", project.ports["MQTTS"], keepalive=10)
        self.is_done = threading.Event()
        self.thread = threading.Thread(target=self.cook, daemon=True)
        self.said = []

    def say(self, name, data):
        message = {"session_id": "tour", "message_id": f"{name}-{data.get('n', 0)}", **data}
        self.said.append(self.client.publish(f"epicura/{self.appliance}/session/{name}", json.dumps(message), qos=1).mid)

    def turn(self):
        """Sends and receives for a moment, or tries to come back."""
        if self.client.loop(self.INTERVAL_S) == paho.mqtt.client.MQTT_ERR_SUCCESS:
            return
        time.sleep(1)
        try:
            self.client.reconnect()
        except OSError:
            pass

    def cook(self):
        begin = time.monotonic()
        while not self.is_done.is_set() or not self.client.is_connected():
            self.turn()
            # What happened while the broker was away is told afterwards.
            while self.client.is_connected() and len(self.said) * self.INTERVAL_S < time.monotonic() - begin:
                self.say("stage_change", {"n": len(self.said) + 1})
        self.say("complete", {})
        deadline = time.monotonic() + 60
        while not self.acknowledged.issuperset(self.said) and time.monotonic() < deadline:
            self.turn()

    def start(self):
        self.thread.start()

    def finish(self):
        """Ends the session when the broker has everything; how many events there were."""
        self.is_done.set()
        self.thread.join(120)
        if not self.acknowledged.issuperset(self.said):
            raise RuntimeError("the broker did not acknowledge everything within a minute")
        self.client.disconnect()
        return len(self.said) - 1
