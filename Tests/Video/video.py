"""A real video from a camera (aiortc, a test pattern) to a viewer (headless Chromium), each connected to the broker by itself.

video.py DEVICE_URL VIEWER_URL DEVICE_ID     TOKEN: the viewer's; FRAMES: how many decoded frames are enough; POLICY: `relay` for TURN only

Writes what happens to standard output, one JSON object a line, and ends with 0 once the watch has ended for both. Needs aiortc, websockets and
Debian's chromium-headless-shell; `make videotools` sees to that.
"""
import asyncio
import http.server
import json
import os
import pathlib
import sys
import threading
import time
import urllib.parse

from camera import Camera, tell

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Chromium"))
from headless import headless

DEADLINE_SECONDS = float(os.environ.get("LIMIT", "60"))


def serve_page(reports):
    """Serves the viewer's page and takes its reports; returns the port."""
    page = pathlib.Path(__file__).with_name("viewer.html").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def do_POST(self):
            reports(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


async def main(device_url, viewer_url, device):
    loop = asyncio.get_running_loop()
    seen = {"frames": 0}
    ended = asyncio.Event()

    def report(what):
        if what.get("frames", 0) != seen["frames"] or "frames" not in what:
            tell(viewer=what)
        seen["frames"] = what.get("frames", seen["frames"])
        if "ended" in what or "error" in what:
            loop.call_soon_threadsafe(ended.set)

    camera, ready = Camera(device), asyncio.Event()
    camera_task = asyncio.create_task(camera.run(device_url, ready))
    await asyncio.wait_for(ready.wait(), DEADLINE_SECONDS)
    query = urllib.parse.urlencode({
        "url": viewer_url, "token": os.environ["TOKEN"], "device": device, "frames": os.environ.get("FRAMES", "30"),
        "policy": os.environ.get("POLICY", "all"),
    })
    with headless(f"http://127.0.0.1:{serve_page(report)}/?{query}"):
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await asyncio.gather(ended.wait(), camera.ended.wait())
        finally:
            camera_task.cancel()
    tell(frames=seen["frames"])


start = time.monotonic()
try:
    asyncio.run(main(*sys.argv[1:4]))
except TimeoutError:
    tell(timeout=round(time.monotonic() - start, 1))
    sys.exit(1)
