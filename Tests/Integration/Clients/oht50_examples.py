"""Runs a client example of the OHT-50 document, section 8, unchanged but for its address and its token.

oht50_examples.py python|javascript FILE GATEWAY     GATEWAY is like ws://127.0.0.1:8080; the token comes from TOKEN

The example in JavaScript runs in headless Chromium. What the example hands to its functions is written to standard output, one {"telemetry"|"status"|"error": …} a line, until telemetry
and a status have come. Exit status 1 when they do not come in time.
"""
import http.server
import json
import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Chromium"))
from headless import headless

DEADLINE_SECONDS = 60
seen, done = set(), threading.Event()


def report(kind, data):
    sys.stdout.write(json.dumps({kind: data}) + "\n")
    sys.stdout.flush()
    seen.add(kind)
    if {"telemetry", "status"} <= seen:
        done.set()


def example(file, gateway):
    with open(file, encoding="utf-8") as source:
        text = source.read()
    assert "ws://localhost:8000" in text and "your-jwt-token" in text
    return text.replace("ws://localhost:8000", gateway).replace("your-jwt-token", os.environ["TOKEN"])


def run_python(text):
    names = {
        "__name__": "example", "update_telemetry": lambda data: report("telemetry", data),
        "update_system_status": lambda data: report("status", data), "handle_error": lambda data: report("error", data),
    }
    threading.Thread(target=exec, args=(compile(text, "example", "exec"), names), daemon=True).start()
    return done.wait(DEADLINE_SECONDS)


def run_javascript(text):
    reporters = "".join(
        f"function {name}(data) {{ fetch('/{kind}', {{method: 'POST', body: JSON.stringify(data)}}); }}\n"
        for name, kind in (("updateTelemetry", "telemetry"), ("updateSystemStatus", "status"), ("handleError", "error")))
    page = f"<!doctype html><script>\n{reporters}{text}</script>".encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def do_POST(self):
            report(self.path[1:], json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with headless(f"http://127.0.0.1:{server.server_port}/"):
        return done.wait(DEADLINE_SECONDS)


language, file, gateway = sys.argv[1:]
was_seen = {"python": run_python, "javascript": run_javascript}[language](example(file, gateway))
sys.stdout.flush()
os._exit(0 if was_seen else 1)
