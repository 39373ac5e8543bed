"""Receives webhooks and verifies them with a library that is none of ours.

Usage: receiver.py PORT BEHAVIOUR [CERTIFICATE KEY]. PORT 0 is any. BEHAVIOUR is a JSON file, read anew with each request: {"/path": {"mode": …, "secret": …}}.
Tells each request, and that it is ready, as a line of JSON on standard output.
"""
import json, ssl, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from standardwebhooks.webhooks import Webhook

told = threading.Lock()
failed = set()


def tell(**members):
    with told:
        print(json.dumps(members), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        # Only a redirect that somebody followed gets here.
        tell(path=self.path, followed=True)
        self.answer(200)

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            # Whoever was killed in the middle of a request has not made it.
            self.close_connection = True
            return
        with open(sys.argv[2]) as file:
            wanted = json.load(file).get(self.path, {"mode": "ok"})
        seen = {"path": self.path, "id": self.headers["webhook-id"], "host": self.headers["host"], "at": time.time()}
        seen["signatures"] = len((self.headers["webhook-signature"] or "").split())
        try:
            message = Webhook(wanted["secret"]).verify(body, dict(self.headers.items()))
            seen.update(verified=True, type=message["type"], data=message["data"])
        except Exception as error:
            seen.update(verified=False, why=repr(error))
        tell(**seen)
        getattr(self, wanted["mode"].split(":")[0])(*wanted["mode"].split(":")[1:])

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ok(self):
        self.answer(200, b"thanks")

    def fail(self):
        self.answer(500, b"out of \x1b[31mcheese")

    def failonce(self):
        if self.path in failed:
            return self.ok()
        failed.add(self.path)
        self.fail()

    def busy(self, seconds):
        self.answer(503, retry_after=seconds)

    def gone(self):
        self.answer(410)

    def redirect(self):
        self.answer(307, location="/elsewhere")

    def slow(self, seconds):
        time.sleep(float(seconds))
        self.answer(200)

    def hang(self):
        time.sleep(3600)

    def close(self):
        self.close_connection = True

    def drip(self):
        self.send_response(200)
        self.send_header("content-length", "1000000")
        self.end_headers()
        self.wfile.write(b"x")
        time.sleep(3600)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


tls = len(sys.argv) > 3
# The stack's certificate holds for 127.0.0.1, under whatever name.
server = Server(("127.0.0.2" if tls else "127.0.0.1", int(sys.argv[1])), Handler)
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    context.sni_callback = lambda _, name, __: tell(sni=name)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
tell(ready=server.server_port)
server.serve_forever()
