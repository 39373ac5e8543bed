"""A camera at the signaling broker, as its document describes one, with a test pattern for a picture (aiortc).

camera.py DEVICE_URL DEVICE_ID     serves every viewer until it is ended; what happens goes to standard output, one JSON object a line
"""
import asyncio
import json
import sys
from datetime import datetime, timezone

import websockets
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp


def tell(**what):
    print(json.dumps(what), flush=True)


class Camera:
    """The device's side of the document."""

    def __init__(self, device):
        self.device = device
        self.peers = {}
        self.ended = asyncio.Event()

    async def send(self, kind, payload):
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await self.socket.send(json.dumps({"type": kind, "ts": stamp, "payload": payload}))

    async def run(self, url, ready):
        async with websockets.connect(url) as self.socket:
            await self.send("hello", {"device_id": self.device})
            async for text in self.socket:
                message = json.loads(text)
                if message["type"] == "hello_ack":
                    ready.set()
                await getattr(self, message["type"], self.ignore)(message["payload"])

    async def ignore(self, payload):
        pass

    async def error(self, payload):
        tell(camera_error=payload["message"])

    async def watch_request(self, payload):
        servers = [
            RTCIceServer(s["urls"], s.get("username"), s.get("credential"))
            for s in payload["ice_servers"]
        ]
        peer = RTCPeerConnection(RTCConfiguration(servers))
        peer.addTrack(VideoStreamTrack())
        self.peers[payload["session_id"]] = peer

    async def signal_offer(self, payload):
        peer = self.peers[payload["session_id"]]
        await peer.setRemoteDescription(RTCSessionDescription(payload["sdp"]["sdp"], payload["sdp"]["type"]))
        await peer.setLocalDescription(await peer.createAnswer())
        answer = {"type": peer.localDescription.type, "sdp": peer.localDescription.sdp}
        await self.send("signal_answer", {"session_id": payload["session_id"], "sdp": answer})

    async def signal_ice(self, payload):
        line = (payload["candidate"] or {}).get("candidate")
        if not line:
            return
        candidate = candidate_from_sdp(line.split(":", 1)[1])
        candidate.sdpMid = payload["candidate"].get("sdpMid")
        candidate.sdpMLineIndex = payload["candidate"].get("sdpMLineIndex")
        await self.peers[payload["session_id"]].addIceCandidate(candidate)

    async def watch_ended(self, payload):
        tell(camera_ended=payload["reason"])
        await self.peers.pop(payload["session_id"]).close()
        self.ended.set()


if __name__ == "__main__":
    asyncio.run(Camera(sys.argv[2]).run(sys.argv[1], asyncio.Event()))
