"""Every dialect once, as a client comes from outside: HTTPS and WSS through nginx, MQTT by TLS, devices with passwords of their own."""
import asyncio
import json
import secrets
import urllib.error
import urllib.request

import paho.mqtt.client
import websockets

COOKER, HEATER, ROBOT, LAB, CAMERA = "tour-cooker", "tour-heater", "tour-robot", "tour-lab", "tour-camera"
USER, PASSWORD = "tour", secrets.token_hex(16)
LIMIT_S = 20
NOW = "2025-01-01T12:34:56.789Z"

ACCOUNTS = f"""
users: [{{id: {USER}}}]
appliances:
  - {{id: {COOKER}, dialect: epicura, owner: {USER}}}
  - {{id: {HEATER}, dialect: reefnet, owner: {USER}}}
  - {{id: {ROBOT}, dialect: oht50, owner: {USER}}}
  - {{id: {CAMERA}, dialect: signaling, owner: {USER}, accepts_unproven: true}}
  - id: {LAB}
    dialect: webmacs
    owner: {USER}
    sensors: [{{id: tour-oven, name: Oven, unit: °C}}]
    plugins: [{{id: tour-bench, name: Bench, sensors: [tour-oven]}}]
"""


# The OHT-50 document's frame.
CLEAR = {"cleared_by": "operator", "position": {"x": 820.3, "y": 0.0, "z": 0.0}, "next_action": "resume"}


class Door:
    """What everybody outside knows: the addresses."""

    def __init__(self, project):
        self.project, self.tls = project, project.tls
        self.https, self.mqtts = project.ports["HTTPS"], project.ports["MQTTS"]

    def connect(self, path, token=None):
        headers = {"Authorization": "Bearer " + token} if token else {}
        return websockets.connect(f"wss://localhost:{self.https}{path}", ssl=self.tls, extra_headers=headers, max_size=None)

    def get(self, path, token):
        request = urllib.request.Request(f"https://localhost:{self.https}{path}", headers={"Authorization": "Bearer " + token})
        with urllib.request.urlopen(request, context=self.tls, timeout=LIMIT_S) as answer:
            return json.load(answer)

    def publish(self, user, topic, payload):
        client = paho.mqtt.client.Client()
        client.username_pw_set(user, PASSWORD)
        client.tls_set_context(self.tls)
        client.connect("localhost", self.mqtts)
        client.loop_start()
        client.publish(topic, json.dumps(payload), qos=1).wait_for_publish(LIMIT_S)
        client.disconnect()
        client.loop_stop()


async def hear(socket, is_it):
    """The first message of which `is_it` is true."""
    async def listen():
        async for text in socket:
            message = json.loads(text)
            if is_it(message):
                return message
        raise RuntimeError(f"the connection ended: {socket.close_code} {socket.close_reason}")

    return await asyncio.wait_for(listen(), LIMIT_S)


async def say(socket, **message):
    await socket.send(json.dumps(message))


async def epicura(door, token):
    async with door.connect("/ws?token=" + token) as app:
        await say(app, type="subscribe", appliance_id=COOKER)
        await hear(app, lambda message: message["type"] == "subscribed")
        await asyncio.to_thread(door.publish, COOKER, f"epicura/{COOKER}/session/started", {"session_id": "s", "recipe_id": "r"})
        await hear(app, lambda message: message["type"] == "cooking:started" and message["appliance_id"] == COOKER)


async def reefnet(door, token):
    frame = {"protocol": "reefnet.v1", "module_id": HEATER, "type": "alarm", "payload": {"code": "probe_mismatch", "severity": "warning", "active": True}}

    async def insist():
        # The document has no word by which a UI would know that it hears its modules now.
        while True:
            await asyncio.to_thread(door.publish, HEATER, f"reefnet/{HEATER}/alarm", frame)
            await asyncio.sleep(1)

    async with door.connect("/ws/reefnet?token=" + token) as ui:
        module = asyncio.create_task(insist())
        await hear(ui, lambda message: message["type"] == "alarm" and message["module_id"] == HEATER)
        module.cancel()


async def oht50(door, token):
    async with door.connect("/ws/telemetry") as console:
        await say(console, type="auth", token=token)
        await say(console, type="subscribe", events=["safety.*"])
        await hear(console, lambda message: message["type"] == "subscribed")
        await asyncio.to_thread(door.publish, ROBOT, f"oht50/{ROBOT}/safety.clear", CLEAR)
        await hear(console, lambda message: message["type"] == "safety.clear" and message["appliance_id"] == ROBOT)


async def webmacs(door, token):
    key = door.project.martletctl("token", LAB, "--device").strip().splitlines()[-1]
    async with door.connect("/ws/datapoints/stream?token=" + token) as dashboard, door.connect("/ws/controller/telemetry?ack=1&token=" + key) as lab:
        await hear(dashboard, lambda message: message["type"] == "connected")
        await say(lab, datapoints=[{"value": 23.5, "event_public_id": "tour-oven"}])
        await hear(lab, lambda message: message == {"type": "ack", "accepted": 1, "rejected": 0})
        await hear(dashboard, lambda message: message["type"] == "datapoints_batch" and message["datapoints"][0]["value"] == 23.5)


async def signaling(door, token):
    async with door.connect("/ws/device") as camera, door.connect("/ws/viewer") as viewer:
        for socket, hello in ((camera, {"device_id": CAMERA}), (viewer, {"token": token})):
            await say(socket, type="hello", ts=NOW, payload=hello)
            await hear(socket, lambda message: message["type"] == "hello_ack")
        await say(viewer, type="watch_request", ts=NOW, request_id="r", payload={"device_id": CAMERA})
        session = (await hear(viewer, lambda message: message["type"] == "watch_ready"))["payload"]["session_id"]
        await say(viewer, type="signal_offer", ts=NOW, payload={"session_id": session, "sdp": {"type": "offer", "sdp": "v=0"}})
        await hear(camera, lambda message: message["type"] == "signal_offer" and message["payload"]["session_id"] == session)
        await say(viewer, type="end_watch", ts=NOW, payload={"session_id": session})
        await hear(camera, lambda message: message["type"] == "watch_ended")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


def page_is_there(door):
    with urllib.request.urlopen(f"https://localhost:{door.https}/", context=door.tls, timeout=LIMIT_S) as answer:
        if "default-src 'none'" not in answer.headers["Content-Security-Policy"] or b"<title>" not in answer.read():
            raise RuntimeError("the web page is not what it should be")
        missing = {"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"} - set(answer.headers)
        if missing:
            raise RuntimeError(f"the web page comes without {missing}")


def plain_http_is_sent_on(project):
    opener = urllib.request.build_opener(NoRedirect)
    try:
        opener.open(f"http://localhost:{project.ports['HTTP']}/api/docs", timeout=LIMIT_S)
    except urllib.error.HTTPError as answer:
        if answer.code == 308 and answer.headers["Location"] == f"https://localhost:{project.ports['HTTPS']}/api/docs":
            return
    raise RuntimeError("plain HTTP was not sent on to HTTPS")


def token(project):
    """The user's, signed by the first secret in the file."""
    return project.martletctl("token", USER).strip().splitlines()[-1]


async def run(project, tell):
    """The user's token."""
    project.martletctl("apply", "-", text=ACCOUNTS)
    user_token = token(project)
    for device in (COOKER, HEATER, ROBOT):
        project.device(device, PASSWORD)
    plain_http_is_sent_on(project)
    door = Door(project)
    page_is_there(door)
    for dialect in (epicura, webmacs, signaling, reefnet, oht50):
        await dialect(door, user_token)
        tell(f"{dialect.__name__}: heard through nginx")
    appliances = door.get("/api/v1/appliances", user_token)["appliances"]
    if len(appliances) != 5:
        raise RuntimeError(f"the API shows {len(appliances)} appliances, not 5")
    return user_token
