"""The other end of the connection scripts: a WebSocket server and a REST API that do what a script says, and check what the client does.

README.md has the form of a script. Each script has addresses of its own, /<script>/ws and /<script>/api, so that one server serves a whole run.

server.py [CERTIFICATE KEY]     serves until it or who started it is ended, by TLS when given these PEM files; writes its ports on one line: {"files", "sockets"}
"""
import asyncio
import collections
import contextlib
import http
import http.server
import json
import os
import pathlib
import ssl
import sys
import threading
import urllib.parse

import websockets
import websockets.server

STEP_SECONDS = 20
NOW = "2026-02-14T12:30:00Z"
HERE = pathlib.Path(__file__).parent
CLIENT = HERE.parent.parent / "Services" / "Dashboard"


def differs(wanted, found):
    """Whether `found` lacks anything of `wanted`; null in `wanted` means that it must not be there."""
    if isinstance(wanted, dict):
        return not isinstance(found, dict) or any(
            (name in found) if value is None else differs(value, found.get(name)) for name, value in wanted.items())
    return wanted != found


class Script:
    """One script in play."""

    def __init__(self, path):
        self.name = path.stem
        self.text = json.loads(path.read_text())
        self.connections = list(self.text["connections"])
        self.requests = list(self.text.get("requests", []))
        self.playing = 0
        self.failures = []
        #: By id, which events were sent; and how many commands have come to the API that no step has waited for.
        self.sent = collections.defaultdict(threading.Event)
        self.asked = threading.Semaphore(0)
        #: By path, the last command by the API and its answer.
        self.answered = {}
        #: The last message or request with a name of its own.
        self.heard = {}

    @property
    def is_done(self):
        return not self.connections and not self.requests and self.playing == 0

    def fail(self, sentence):
        self.failures.append(sentence)

    def next_connection(self):
        """The steps of the connection that comes now; nothing of a script that expects no more is played."""
        if not self.connections:
            self.fail("the client connected once more than the script knows")
            return [{"close": 1000}]
        return self.connections.pop(0)

    async def play(self, steps, socket, token):
        self.playing += 1
        try:
            for step in steps:
                await asyncio.wait_for(self.step(step, socket, token), STEP_SECONDS)
        except websockets.ConnectionClosed as closed:
            self.fail(f"the client left ({closed.code}) before the step {json.dumps(step)}")
        except asyncio.TimeoutError:
            self.fail(f"nothing came for the step {json.dumps(step)}")
        finally:
            self.playing -= 1

    async def step(self, step, socket, token):
        (verb, what), *_ = step.items()
        if verb == "token" and token != what:
            self.fail(f"the client came with the token {token}, not {what}")
        elif verb == "expect":
            message = json.loads(await socket.recv())
            self.hear(message)
            if differs(what, message):
                self.fail(f"the client sent {json.dumps(message)}, not {json.dumps(what)}")
        elif verb == "asked":
            await asyncio.to_thread(self.asked.acquire, timeout=STEP_SECONDS)
        elif verb == "echo":
            # Names the command that was heard last, as the server does.
            data = {"command_id": step["command_id"], "type": self.heard["type"], "request_id": self.heard["request_id"], "user_id": "demo", "data": {}}
            await socket.send(json.dumps({"type": what, "appliance_id": self.heard["appliance_id"], "timestamp": NOW, "data": data, "id": step["id"]}))
        elif verb == "send":
            await socket.send(json.dumps(what))
            self.sent[what.get("id")].set()
        elif verb == "text":
            await socket.send(what)
        elif verb == "binary":
            await socket.send(bytes.fromhex(what))
        elif verb == "close":
            await socket.close(what, step.get("reason", ""))
        elif verb == "drop":
            socket.transport.abort()
            await socket.wait_closed()
        elif verb == "left":
            # Says nothing, and hears nothing but the client's own end.
            try:
                while True:
                    await socket.recv()
            except websockets.ConnectionClosed:
                pass

    def hear(self, message):
        """Keeps a command, which has one name in whatever way it comes."""
        if "request_id" not in message:
            return
        if self.heard.get("type") == message["type"] and self.heard["request_id"] != message["request_id"]:
            self.fail(f"the {message['type']} came again as {message['request_id']}, not as {self.heard['request_id']}")
        self.heard = message

    def give(self, known, path, body):
        """The answer that a script has."""
        if body:
            self.hear({"appliance_id": path.split("/")[3], **body})
            self.asked.release()
        if "after" in known:
            self.sent[known["after"]].wait(STEP_SECONDS)
        return known.get("status", 200), known.get("headers", {}), known["answer"]

    def answer(self, method, path, query, body):
        """Status, headers and JSON for a request to the API."""
        for place, known in enumerate(self.requests):
            if known["method"] == method and known["path"] == path and not differs(known.get("query", {}), query) and not differs(known.get("body", {}), body):
                del self.requests[place]
                if body:
                    self.answered[path] = known
                return self.give(known, path, body)
        if body and path in self.answered:
            return self.give(self.answered[path], path, body)
        if method == "GET" and path.endswith("/events"):
            return 200, {}, {"events": [], "next_cursor": None}
        self.fail(f"the client asked {method} {path} {query} {json.dumps(body)}, which the script does not know")
        return 404, {}, {"code": "not_found", "detail": "There is nothing at this path."}


class Player(websockets.server.WebSocketServerProtocol):
    """Decides with the request already: a script may refuse the upgrade."""

    scripts = {}

    async def process_request(self, path, headers):
        script = self.scripts[path.split("/")[1]]
        self.steps = script.next_connection()
        if "refuse" in self.steps[0]:
            return http.HTTPStatus(self.steps[0]["refuse"]), {"Retry-After": "1"}, b""


async def play(socket, path):
    address = urllib.parse.urlsplit(path)
    token = urllib.parse.parse_qs(address.query).get("token", [None])[0]
    await Player.scripts[address.path.split("/")[1]].play(socket.steps, socket, token)
    # What is over for the script is not over for the client.
    await socket.wait_closed()


def http_handler(scripts, report):
    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".js": "text/javascript", ".html": "text/html", ".json": "application/json"}

        def translate_path(self, path):
            path = urllib.parse.urlsplit(path).path
            return str(CLIENT / path.removeprefix("/client/") if path.startswith("/client/") else HERE / path.lstrip("/"))

        def do_GET(self):
            first, _, rest = urllib.parse.urlsplit(self.path).path.lstrip("/").partition("/")
            if first == "scripts":
                self.answer(200, {}, [{"name": script.name, **script.text} for script in scripts.values()])
            elif rest == "status":
                self.answer(200, {}, {"done": scripts[first].is_done, "failures": scripts[first].failures})
            elif first in scripts:
                self.api(first, rest)
            else:
                super().do_GET()

        def do_POST(self):
            first, _, rest = urllib.parse.urlsplit(self.path).path.lstrip("/").partition("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if first == "report":
                self.answer(200, {}, {})
                report(body)
            else:
                self.api(first, rest, body)

        def api(self, name, path, body=None):
            query = {key: values[0] for key, values in urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).items()}
            self.answer(*scripts[name].answer(self.command, path.removeprefix("api"), query, body or {}))

        def answer(self, status, headers, value):
            text = json.dumps(value).encode()
            self.send_response(status)
            for key, header in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
                self.send_header(key, header)
            # Who asked may not wait for the answer any more.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, *arguments):
            pass

    return Handler


async def serve(report, tls=None):
    """Starts both ends, with a context by TLS; returns the port of the files and the API, and that of the WebSockets."""
    Player.scripts = {path.stem: Script(path) for path in sorted((HERE / "scripts").glob("*.json"))}
    sockets = await websockets.serve(play, "127.0.0.1", 0, create_protocol=Player, ping_interval=None, close_timeout=1, ssl=tls)
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http_handler(Player.scripts, report))
    if tls:
        files.socket = tls.wrap_socket(files.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    return files.server_port, sockets.sockets[0].getsockname()[1]


async def main(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if tls:
        tls.load_cert_chain(*certificate)
    parent = os.getppid()
    files, sockets = await serve(lambda body: None, tls)
    print(json.dumps({"files": files, "sockets": sockets}), flush=True)
    while os.getppid() == parent:
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
