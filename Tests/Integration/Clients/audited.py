"""Does, by a WebSocket client that is none of ours and plain HTTP, one of each thing that the audit log tells.

audited.py all GATEWAY SIGNALING API     GATEWAY and SIGNALING like ws://127.0.0.1:8080, API like http://127.0.0.1:8090
audited.py flood GATEWAY COUNT           connects so many times with a token that is none

Tokens come from USER, GUEST, ROOT (an admin), MODULE (a heater's) and CAMERA.
"""
import asyncio
import json
import os
import sys
import urllib.error
import urllib.request

import websockets

LIMIT = 30
MODULE_ID = "PickleHeat.Heater"


async def receive(socket, *kinds):
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), LIMIT))
        if frame["type"] in kinds:
            return frame


def url(base, path, token):
    return base + path + "?token=" + os.environ.get(token, token)


async def refused(base, path):
    async with websockets.connect(url(base, path, "not.a.token")) as socket:
        await asyncio.wait_for(socket.wait_closed(), LIMIT)


async def say(socket, kind, **payload):
    await socket.send(json.dumps({"type": kind, "ts": "2026-02-27T21:15:10Z", "payload": payload}))


async def refused_in_band(base, path, payload):
    async with websockets.connect(base + path) as socket:
        await say(socket, "hello", **payload)
        await asyncio.wait_for(socket.wait_closed(), LIMIT)


async def apps(gateway):
    async with websockets.connect(url(gateway, "/ws", "USER")) as app:
        await receive(app, "connected")
        await app.send('{"type":"subscribe","appliance_id":"EPIC-001"}')
        await receive(app, "subscribed")
        await app.send('{"type":"cooking:pause","appliance_id":"EPIC-001"}')
        await receive(app, "command:failed")
        await app.send('{"type":"unsubscribe","appliance_id":"EPIC-001"}')
        await receive(app, "unsubscribed")
    async with websockets.connect(url(gateway, "/ws", "GUEST")) as app:
        await app.send('{"type":"subscribe","appliance_id":"EPIC-001"}')
        await receive(app, "error")


def control(module, **payload):
    return json.dumps({"protocol": "reefnet.v1", "module_id": module, "type": "control", "payload": payload})


async def heaters(gateway):
    status = json.dumps({"protocol": "reefnet.v1", "module_id": MODULE_ID, "type": "status", "payload": {"subsystems": []}})
    async with websockets.connect(url(gateway, "/ws/reefnet", "MODULE")) as module:
        await module.send(status)
        async with websockets.connect(url(gateway, "/ws/reefnet", "USER")) as ui, websockets.connect(
                url(gateway, "/ws/reefnet", "GUEST")) as guest:
            for socket in (ui, guest):
                await receive(socket, "status")
            await guest.send(control(MODULE_ID, command="set_param", param="setpoint_c", value=90))
            await guest.send(control("EPIC-001", command="ping"))
            await ui.send(control(MODULE_ID, command="ping"))
            await receive(module, "control")
            await receive(ui, "command_ack")
            await module.send(status)
            while (await receive(ui, "command_ack"))["status"] != "acknowledged":
                pass


async def robots(gateway):
    for token, outcome in (("GUEST", "failed"), ("USER", "requested")):
        async with websockets.connect(url(gateway, "/ws/telemetry", token)) as console:
            await receive(console, "authenticated")
            await console.send('{"type":"subscribe","events":["safety.*"],"appliance_id":"OHT-1"}')
            await receive(console, "subscribed")
            await console.send('{"type":"emergency_stop","appliance_id":"OHT-1","request_id":"r"}')
            answer = await receive(console, "command_ack")
            assert answer["status"] == outcome, answer


async def watch(viewer, camera):
    await say(viewer, "watch_request", device_id="cam-1")
    session = (await receive(viewer, "watch_ready"))["payload"]["session_id"]
    while (await receive(camera, "watch_request"))["payload"]["session_id"] != session:
        pass
    return session


async def end_by_another(api, session, viewer):
    """Its row comes a moment after it has begun."""
    path = "/appliances/cam-1/watches/" + session
    for _ in range(LIMIT * 10):
        if await asyncio.to_thread(ask, api, "GET", path, "USER") == 200:
            break
        await asyncio.sleep(0.1)
    assert await asyncio.to_thread(ask, api, "DELETE", path, "USER") == 202
    await receive(viewer, "watch_ended")


async def watch_too_often(viewer):
    """Twenty at once, and one more each second that this takes."""
    for _ in range(60):
        await say(viewer, "watch_request", device_id="cam-1")
        answer = await receive(viewer, "watch_ready", "error")
        if answer["type"] == "error":
            return
        await say(viewer, "end_watch", session_id=answer["payload"]["session_id"])
        await receive(viewer, "watch_ended")


async def cameras(signaling, api):
    async with websockets.connect(url(signaling, "/ws/device", "CAMERA")) as camera, websockets.connect(
            url(signaling, "/ws/viewer", "USER")) as viewer, websockets.connect(url(signaling, "/ws/viewer", "GUEST")) as guest:
        for socket, payload in ((camera, {"device_id": "cam-1"}), (viewer, {}), (guest, {})):
            await say(socket, "hello", **payload)
            await receive(socket, "hello_ack")
        session = await watch(viewer, camera)
        await say(guest, "end_watch", session_id=session)
        await receive(guest, "error")
        await end_by_another(api, await watch(guest, camera), guest)
        assert await asyncio.to_thread(ask, api, "DELETE", "/appliances/cam-1/watches/" + session, "GUEST") == 404
        await say(viewer, "end_watch", session_id=session)
        await receive(viewer, "watch_ended")
        for socket in (viewer, guest):
            await say(socket, "watch_request", device_id="cam-2")
            await receive(socket, "error")
        await watch_too_often(viewer)
        # It goes on when its connection closes.
        await watch(guest, camera)
    await refused_in_band(signaling, "/ws/viewer", {"token": "not.a.token"})
    await refused_in_band(signaling, "/ws/device", {"device_id": "cam-1", "token": "w" * 43})


def ask(api, method, path, token=None, body=None):
    request = urllib.request.Request(api + "/api/v1" + path, method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + os.environ.get(token, token))
    try:
        with urllib.request.urlopen(request, json.dumps(body).encode() if body is not None else None, timeout=LIMIT) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def requests(api):
    wanted = [
        (200, ask(api, "POST", "/auth/login", None, {"user_id": "alice", "password": "a password of alice"})),
        (401, ask(api, "POST", "/auth/login", None, {"user_id": "alice", "password": "a wrong password"})),
        (401, ask(api, "GET", "/appliances", "not.a.token")),
        (403, ask(api, "GET", "/users", "GUEST")),
        (200, ask(api, "PATCH", "/appliances/EPIC-001", "USER", {"name": "Kitchen"})),
        (200, ask(api, "PATCH", "/users/guest", "ROOT", {"role": "operator"})),
        (201, ask(api, "POST", "/appliances/EPIC-001/secret", "USER")),
        (202, ask(api, "POST", "/appliances/EPIC-001/commands", "USER", {"type": "cooking:stop"})),
    ]
    assert all(expected == status for expected, status in wanted), wanted


async def everything(gateway, signaling, api):
    await apps(gateway)
    await heaters(gateway)
    await robots(gateway)
    for path in ("/ws", "/ws/telemetry", "/ws/controller/telemetry", "/ws/datapoints/stream", "/ws/reefnet"):
        await refused(gateway, path)
    await cameras(signaling, api)
    requests(api)


async def flood(gateway, count):
    for _ in range(int(count)):
        await refused(gateway, "/ws")


asyncio.run({"all": everything, "flood": flood}[sys.argv[1]](*sys.argv[2:]))
