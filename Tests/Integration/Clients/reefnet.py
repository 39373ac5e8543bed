"""A heater module and its UIs as the reefnet document has them, by a WebSocket client that is none of ours.

reefnet.py frames MODULE_GATEWAY UI_GATEWAY FRAME... -- CONTROL...   a module at one gateway sends the frames in these files, a UI at another hears them; the UI sends the controls, and the
                                 module answers each with the first frame; one JSON object {"case", "told"} a line
reefnet.py silence MODULE_GATEWAY UI_GATEWAY    frames that are not acted on, from the UI, a guest and the module; what is heard all the same, then how it ends
reefnet.py credentials GATEWAY   how connections with these credentials end: {"case", "told": [code, reason]}
reefnet.py control GATEWAY TEXT  sends one control and writes what the UI is told of it, up to its outcome

Gateways are like ws://127.0.0.1:8080. Tokens come from MODULE, SECRET (a module's), USER (its owner) and GUEST (a viewer who may see it).
"""
import asyncio
import json
import os
import sys

import websockets

LIMIT = 30
MODULE_ID = "PickleHeat.Heater"


def write(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def connect(gateway, name, query=""):
    token = "token=" + os.environ[name] if name else ""
    parts = "&".join(part for part in (token, query) if part)
    return websockets.connect(gateway + "/ws/reefnet" + ("?" + parts if parts else ""), max_size=None)


async def receive(socket, kind=None):
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), LIMIT))
        if kind is None or frame["type"] == kind:
            return frame


def acks(frame):
    return [frame["status"]] + ([frame["code"]] if "code" in frame else [])


async def frames(module_gateway, ui_gateway, files):
    middle = files.index("--")
    said = [(os.path.basename(path), open(path).read()) for path in files[:middle]]
    controls = [(os.path.basename(path), open(path).read()) for path in files[middle + 1:]]
    async with connect(module_gateway, "MODULE") as module, connect(ui_gateway, "USER") as ui:
        for name, text in said:
            await module.send(text)
            write(case=name, told=await receive(ui))
        for name, text in controls:
            await ui.send(text)
            write(case="heard " + name, told=await receive(module, "control"))
            told = [acks(await receive(ui, "command_ack"))]
            await module.send(said[0][1])
            write(case="status " + name, told=await receive(ui, "status"))
            told.append(acks(await receive(ui, "command_ack")))
            write(case=name, told=told)
        async with connect(module_gateway, "GUEST") as other:
            write(case="at once", told=await receive(other))


def control(**members):
    return json.dumps({"protocol": "reefnet.v1", "type": "control", **members})


STATUS_REQUEST = {"payload": {"command": "status_request"}}


async def silence(module_gateway, ui_gateway):
    async with connect(module_gateway, "MODULE") as module, connect(ui_gateway, "USER") as ui, connect(ui_gateway, "GUEST") as guest:
        status = {"protocol": "reefnet.v1", "module_id": MODULE_ID, "type": "status", "payload": {"subsystems": []}}
        await module.send(json.dumps(status))
        for socket in (ui, guest):
            await receive(socket, "status")
        for text in (
                "{", "{\x01\x7f\n", "{" + "x" * 2000, json.dumps({"type": "explode", "auth_token": "hush"}),
                "[]", '"\\u0007"', json.dumps({"type": 7}), control(), control(payload={}), control(payload={"command": "explode"}),
                json.dumps({"type": "explode"}), json.dumps({"type": "control", "protocol": "reefnet.v2", **STATUS_REQUEST}),
                control(module_id="Someone.Else", **STATUS_REQUEST), control(payload={"command": "set_param"}),
                control(payload={"command": "set_param", "parameters": {"setpoint_c": "hot"}}), json.dumps(status)):
            await ui.send(text)
        for text in (
                "{", json.dumps({**status, "module_id": "Someone.Else"}), json.dumps({**status, "protocol": "reefnet.v2"}),
                json.dumps({**status, "type": "explode"}), json.dumps({**status, "payload": {}}), control(**STATUS_REQUEST),
                control(module_id="Someone.Else", **STATUS_REQUEST)):
            await module.send(text)
        # A guest may ask, but not set.
        await guest.send(control(payload={"command": "set_param", "param": "setpoint_c", "value": 90}))
        await guest.send(control(request_id="g", **STATUS_REQUEST))
        await ui.send(control(request_id="u", **STATUS_REQUEST))
        heard = [(await receive(module))["payload"]["command"] for _ in range(2)]
        write(case="heard", told=heard)
        for name, socket in (("ui", ui), ("guest", guest)):
            frame = await receive(socket)
            write(case="next " + name, told=[frame["type"], frame["request_id"], frame["status"]])
        for _ in range(21):
            await ui.send("{")
        await asyncio.wait_for(ui.wait_closed(), LIMIT)
        write(case="too many", told=[ui.close_code, ui.close_reason])


async def ended(socket):
    await asyncio.wait_for(socket.wait_closed(), LIMIT)
    return [socket.close_code, socket.close_reason]


async def credentials(gateway):
    hello = {"protocol": "reefnet.v1", "module_id": MODULE_ID, "type": "hello"}
    foreign = {**hello, "module_id": "Someone.Else"}
    wrong = {**hello, "payload": {"token": "x" * 43}}
    os.environ["WRONG"] = "x" * 43
    for case, name, frame in (
            ("no credential", None, hello), ("wrong in hello", None, wrong), ("wrong secret", "WRONG", hello),
            ("another's secret", "SECRET", foreign), ("another's token", "MODULE", foreign)):
        async with connect(gateway, name) as socket:
            await socket.send(json.dumps(frame))
            write(case=case, told=await ended(socket))
    async with connect(gateway, "SECRET") as first:
        await first.send(json.dumps(hello))
        async with connect(gateway, "USER") as ui:
            # Whoever is heard was let in.
            status = {**hello, "type": "status", "payload": {"uptime_s": 1, "subsystems": []}}
            await first.send(json.dumps(status))
            write(case="secret", told=(await receive(ui))["payload"]["uptime_s"])
            async with connect(gateway, None) as second:
                await second.send(json.dumps({**hello, "payload": {"token": os.environ["SECRET"]}}))
                write(case="replaced", told=await ended(first))
                status["payload"]["uptime_s"] = 2
                await second.send(json.dumps(status))
                write(case="hello", told=(await receive(ui))["payload"]["uptime_s"])


async def one_control(gateway, text):
    async with connect(gateway, "USER") as ui:
        await receive(ui, "status")
        await ui.send(text)
        while True:
            frame = await receive(ui, "command_ack")
            write(case=frame["command"], told=acks(frame))
            if frame["status"] != "sent":
                return


command, arguments = sys.argv[1], sys.argv[2:]
if command == "frames":
    asyncio.run(frames(arguments[0], arguments[1], arguments[2:]))
elif command == "silence":
    asyncio.run(silence(*arguments))
elif command == "credentials":
    asyncio.run(credentials(*arguments))
else:
    asyncio.run(one_control(*arguments))
