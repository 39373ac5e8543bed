"""An app: prints every event of an appliance, each once, and comes back after a loss. With a command, and its data as JSON if it has any,
it sends that, and ends with its outcome. Wants the WebSocket's address, the appliance's id, and TOKEN; needs python3-websockets (10.4)."""
import asyncio, json, os, random, sys
import websockets

address, appliance, *command = sys.argv[1:]
last = None  # The greatest id seen: what comes after it is what was missed.

def number(identifier):
    return tuple(int(part) for part in identifier.split("-"))

async def follow(socket):
    global last
    await socket.send(json.dumps({"type": "subscribe", "appliance_id": appliance, **({"since": last} if last else {})}))
    async for text in socket:
        print(text, flush=True)
        event = json.loads(text)
        if "id" in event and (last is None or number(event["id"]) > number(last)):
            last = event["id"]

async def order(socket):
    data = {"data": json.loads(command[1])} if command[1:] else {}
    request = f"any-app-{random.getrandbits(64):x}"
    await socket.send(json.dumps({"type": command[0], "appliance_id": appliance, "request_id": request, **data}))
    mine = None
    async for text in socket:
        print(text, flush=True)
        event = json.loads(text)
        if event["type"] == "error":
            sys.exit(1)
        if event["type"] == "command:requested" and event["data"].get("request_id") == request:
            mine = event["data"]["command_id"]
        # A refusal is told to its sender alone, and is in no log: it has no id.
        if event["type"] in ("command:acknowledged", "command:failed") and ("id" not in event or event["data"]["command_id"] == mine):
            sys.exit(event["type"] == "command:failed")

async def main():
    attempt = 0
    while True:
        try:
            # Its pings each 20 s keep the connection; the server closes one that says nothing for 60.
            async with websockets.connect(address, extra_headers={"Authorization": "Bearer " + os.environ["TOKEN"]}) as socket:
                attempt = 0
                await (order if command else follow)(socket)
        except websockets.ConnectionClosed as closed:
            if closed.code == 1008:
                sys.exit(f"not let in: {closed.reason}")
        except (OSError, websockets.InvalidHandshake, asyncio.TimeoutError):
            pass
        if command:
            sys.exit("the connection was lost: what became of the command is not known")
        await asyncio.sleep((1, 2, 4, 8, 15)[min(attempt, 4)] * random.uniform(0.5, 1))
        attempt += 1

asyncio.run(main())
