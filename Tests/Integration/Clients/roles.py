"""What users of different roles are told of a heater and of a lab controller, by a WebSocket client that is none of ours: one JSON object {"case", "told"} a line.

roles.py heater MODULE_GATEWAY GATEWAY API       the module at one gateway, UIs and apps at another
roles.py controller CONTROLLER_GATEWAY GATEWAY API

Gateways are like ws://127.0.0.1:8080, API like http://127.0.0.1:8090. Tokens come from OWNER, COOK (an operator), GUEST (a viewer), MODULE and CONTROLLER.
"""
import asyncio
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request

import websockets

LIMIT = 30
MODULE_ID, CONTROLLER_ID = "PickleHeat.Heater", "LAB-1"
USERS = ["OWNER", "COOK", "GUEST"]


def write(case, told):
    sys.stdout.write(json.dumps({"case": case, "told": told}) + "\n")
    sys.stdout.flush()


def connect(gateway, path, user):
    return websockets.connect(f"{gateway}{path}?token={os.environ[user]}", max_size=None, max_queue=None)


async def receive(socket, kind=None):
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), LIMIT))
        if kind is None or frame["type"] == kind:
            return frame


@contextlib.asynccontextmanager
async def subscribed(gateway, user, appliance, since=None):
    """An app of the Epicura dialect."""
    async with connect(gateway, "/ws", user) as socket:
        await socket.send(json.dumps({"type": "subscribe", "appliance_id": appliance, **({"since": since} if since else {})}))
        await receive(socket, "subscribed")
        yield socket


def ask(api, path, user, method="GET", body=None):
    """The answer's status, and what is in it where it is no refusal."""
    request = urllib.request.Request(
        f"{api}/api/v1/{path}", body and json.dumps(body).encode(),
        {"Authorization": "Bearer " + os.environ[user], "Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}


def become_operator(api, appliance):
    status, _ = ask(api, f"appliances/{appliance}/shares/guest", "OWNER", "PUT", {"role": "operator"})
    assert status in (200, 201), status


def read_history(api, appliance, users, types, metrics):
    """Which of these types of events each user reads, and how each metric is answered, once all of it is stored."""

    def read(user):
        _, page = ask(api, f"appliances/{appliance}/events?limit=1000", user)
        return sorted({event["type"] for event in page.get("events", [])} & set(types))

    deadline = time.monotonic() + LIMIT
    while read("OWNER") != types:
        assert time.monotonic() < deadline, "it is not stored"
        time.sleep(0.1)
    for user in users:
        write("events " + user, read(user))
        write("readings " + user, [ask(api, f"appliances/{appliance}/readings?metric={metric}", user)[0] for metric in metrics])


# Heaters

def said(kind, number):
    payload = {"uptime_s": number, "subsystems": [], "environment": {"temperature_c": number}}
    if kind == "alarm":
        payload = {"severity": "warning", "code": f"code-{number}", "message": "m", "active": True}
    return json.dumps({"protocol": "reefnet.v1", "module_id": MODULE_ID, "type": kind, "payload": payload})


def control(command, request_id, **payload):
    return json.dumps({"protocol": "reefnet.v1", "type": "control", "request_id": request_id, "payload": {"command": command, **payload}})


def name(frame):
    """Such as "status 1"; None for what is no frame of the module's."""
    frame = frame["data"] if frame["type"].startswith("reefnet:") else frame
    if frame["type"] == "status":
        return f"status {frame['payload']['uptime_s']}"
    return "alarm " + frame["payload"]["code"][5:] if frame["type"] == "alarm" else None


async def told(socket, last):
    """The module's frames up to this one, without the one that was there before."""
    names = []
    while last not in names:
        names += filter(None, [name(await receive(socket))])
    return [one for one in names if one != "status 1"]


async def all_told(socket, last):
    """The same, and what comes before the answer to a ping behind it."""
    names = await told(socket, last)
    await socket.send('{"type":"ping"}')
    while (frame := await receive(socket))["type"] != "pong":
        names += filter(None, [name(frame)])
    return names


def acknowledge(api):
    """One of the alarms, once the rules have them all; and how many each user is shown."""
    deadline, alarms = time.monotonic() + LIMIT, []
    while len(alarms) < 3:
        assert time.monotonic() < deadline, "there is no alarm"
        alarms = ask(api, f"appliances/{MODULE_ID}/alarms", "OWNER")[1]["alarms"]
    for user in USERS:
        write("alarms " + user, [len(ask(api, path, user)[1]["alarms"]) for path in (f"appliances/{MODULE_ID}/alarms", "alarms")])
    write("acknowledge COOK", ask(api, f"appliances/{MODULE_ID}/alarms/{alarms[0]['alarm_id']}/acknowledge", "COOK", "POST")[0])
    status, _ = ask(api, f"appliances/{MODULE_ID}/alarms/{alarms[0]['alarm_id']}/acknowledge", "OWNER", "POST")
    assert status == 200, status


LAST = {"OWNER": "alarm 3", "COOK": "status 3", "GUEST": "alarm 3"}


async def settled(ui):
    """Of which control the UI hears first, and what."""
    frame = await receive(ui, "command_ack")
    return [frame["request_id"], frame["status"]]


async def heater(module_gateway, gateway, api):
    async with contextlib.AsyncExitStack() as stack:
        apps = {user: await stack.enter_async_context(subscribed(gateway, user, MODULE_ID)) for user in USERS}
        module = await stack.enter_async_context(connect(module_gateway, "/ws/reefnet", "MODULE"))
        await module.send(said("status", 1))
        since = (await receive(apps["OWNER"], "reefnet:status"))["id"]
        uis = {user: await stack.enter_async_context(connect(gateway, "/ws/reefnet", user)) for user in USERS}
        # What a role may not send is met with silence; the answer to what it may tells that its module is heard.
        for user, barred in (("OWNER", None), ("COOK", control("set_param", "no", param="setpoint_c", value=1)),
                             ("GUEST", control("status_request", "no"))):
            if barred:
                await uis[user].send(barred)
            await uis[user].send(control("ping", "yes"))
            write("control " + user, await settled(uis[user]))
        for kind, number in (("alarm", 1), ("status", 2), ("alarm", 2), ("status", 3), ("alarm", 3)):
            await module.send(said(kind, number))
        for user in USERS:
            write("ui " + user, await told(uis[user], LAST[user]))
            write("app " + user, await told(apps[user], LAST[user]))
        await again(module, gateway, since)
        read_history(api, MODULE_ID, USERS, ["reefnet:alarm", "reefnet:status"], ["environment.temperature_c", "uptime_s"])
        acknowledge(api)
        while "acknowledged_by" not in (await receive(uis["OWNER"], "alarm"))["payload"]:
            pass
        await module.send(said("status", 4))
        write("acknowledged COOK", [one for one in await told(uis["COOK"], "status 4") if one.startswith("alarm")])
        # A guest who becomes an operator gets what operators get, and no alarm.
        become_operator(api, MODULE_ID)
        number = 10
        while number < 1000:
            await module.send(said("status", number) if number % 2 else said("alarm", number))
            number += 1
            with contextlib.suppress(asyncio.TimeoutError):
                if (name(json.loads(await asyncio.wait_for(uis["GUEST"].recv(), 0.1))) or "").startswith("status"):
                    break
        await module.send(said("alarm", 1000))
        await module.send(said("status", 1001))
        write("changed", [one for one in await told(uis["GUEST"], "status 1001") if one.startswith("alarm")])


async def again(module, gateway, since):
    """The last status that a UI is told at once, and what an app is told that was away."""
    for user in USERS:
        async with connect(gateway, "/ws/reefnet", user) as ui:
            if user == "GUEST":
                # Whatever is told at once is told when a control has its outcome.
                await ui.send(control("ping", "late"))
                frames = [await receive(ui)]
                await module.send(said("status", 3))
                while frames[-1].get("status") != "acknowledged":
                    frames.append(await receive(ui))
                write("at once " + user, [one for one in map(name, frames) if one])
            else:
                write("at once " + user, [name(await receive(ui, "status"))])
        async with subscribed(gateway, user, MODULE_ID, since) as app:
            write("missed " + user, await all_told(app, "alarm 3" if user == "GUEST" else "status 3"))


# Lab controllers

async def controller(controller_gateway, gateway, api):
    users = ["OWNER", "GUEST"]
    async with contextlib.AsyncExitStack() as stack:
        apps = {user: await stack.enter_async_context(subscribed(gateway, user, CONTROLLER_ID)) for user in users}
        dashboards = {user: await stack.enter_async_context(connect(gateway, "/ws/datapoints/stream", user)) for user in users}
        for dashboard in dashboards.values():
            await receive(dashboard, "connected")
        lab = await stack.enter_async_context(connect(controller_gateway, "/ws/controller/telemetry", "CONTROLLER"))

        async def measure(value):
            await lab.send(json.dumps({"datapoints": [{"event_public_id": sensor, "value": value} for sensor in ("temperature", "pressure")]}))

        async def first(socket):
            await socket.send('{"type":"ping"}')
            while (frame := await receive(socket))["type"] == "appliance:status":
                pass
            return frame["type"]

        await measure(1)
        since = (await receive(apps["OWNER"], "telemetry:datapoints"))["id"]
        write("stream OWNER", sorted(one["event_public_id"] for one in (await receive(dashboards["OWNER"]))["datapoints"]))
        for case, sockets in (("stream", dashboards), ("app", apps)):
            write(f"{case} GUEST", await first(sockets["GUEST"]))
        await measure(2)
        await receive(apps["OWNER"], "telemetry:datapoints")
        for user in users:
            async with subscribed(gateway, user, CONTROLLER_ID, since) as app:
                write("missed " + user, await first(app))
        read_history(api, CONTROLLER_ID, users, ["telemetry:datapoints"], ["pressure", "temperature"])
        for user in users:
            write("latest " + user, sorted(one["event_public_id"] for one in ask(api, "datapoints/latest", user)[1]["datapoints"]))
        # A guest who becomes an operator is told on the connection that there is.
        become_operator(api, CONTROLLER_ID)
        for value in range(3, 300):
            await measure(value)
            with contextlib.suppress(asyncio.TimeoutError):
                frame = json.loads(await asyncio.wait_for(dashboards["GUEST"].recv(), 0.1))
                return write("changed", frame["type"])


command, *arguments = sys.argv[1:]
asyncio.run({"heater": heater, "controller": controller}[command](*arguments))
