"""A camera's picture on the page, through a lost connection to the signaling broker."""
import asyncio
import json
import os
import subprocess

from using import HERE, api, open_page, say

# Keeps what the page says and hears of the signaling broker, and its peer connections. What `spy.loses` says goes into a dead connection.
SPY = """(() => {
  const [Socket, Peer] = [window.WebSocket, window.RTCPeerConnection];
  window.spy = { sockets: [], said: [], heard: [], peers: [] };
  window.WebSocket = class extends Socket {
    constructor(...given) {
      super(...given);
      if (!this.url.endsWith("/ws/viewer")) return;
      spy.sockets.push(this);
      this.addEventListener("message", ({ data }) => spy.heard.push(JSON.parse(data)));
    }
    send(text) {
      const message = JSON.parse(text);
      if (spy.sockets.includes(this)) {
        spy.said.push(message);
        if (spy.loses?.(message)) return;
      }
      super.send(text);
    }
  };
  window.RTCPeerConnection = class extends Peer {
    constructor(...given) {
      super(...given);
      spy.peers.push(this);
    }
  };
})()"""


async def watch_camera(page, stack, pictures):
    python = os.environ.get("PYTHON_WITH_AIORTC")
    if not python:
        return say("no camera is watched: there is no aiortc (make videotools)")
    url = stack.report["web_socket"] + "/device"
    camera = subprocess.Popen([python, HERE.parent / "Video" / "camera.py", url, "cam-1"])
    try:
        async with asyncio.timeout(30):
            while not (await api(page, "/v1/appliances/cam-1/presence"))["connected"]:
                await asyncio.sleep(0.1)
        await page.run(SPY)
        await open_page(page, "#/cameras", ".camera")
        frames = "document.querySelector('.camera[data-state=live] video')?.getVideoPlaybackQuality().totalVideoFrames"
        await page.until(f"{frames} > 30", "the camera's frames are decoded", 40)
        await page.picture(pictures / "cameras-live.png")
        await renew_credentials(page)
        await lose_the_broker(page, frames)
        await lose_the_offer(page, frames)
    finally:
        camera.terminate()
        camera.wait()


async def hear(page, message):
    """The page hears a message as if the broker had sent it."""
    text = json.dumps(json.dumps(message))
    await page.run(f"void spy.sockets.at(-1).dispatchEvent(new MessageEvent('message', {{ data: {text} }}))")


async def renew_credentials(page):
    """New credentials reach the peer connection, and an answer that comes twice does no harm."""
    assert await page.run("spy.said[0].payload.features") == ["ice_servers"], "the page says that it understands them"
    answer = await page.run("spy.heard.find(({ type }) => type === 'signal_answer')")
    await hear(page, answer)
    servers = [{"urls": ["turn:127.0.0.1:9?transport=udp"], "username": "1:viewer", "credential": "new", "credentialType": "password"}]
    await hear(page, {"type": "ice_servers", "payload": {"session_id": answer["payload"]["session_id"], "ice_servers": servers}})
    kept = await page.run("spy.peers.at(-1).getConfiguration().iceServers.map(({ username }) => username)")
    assert kept == ["1:viewer"], f"the peer connection has the credentials of {kept}"


async def lose_the_broker(page, frames):
    """The picture goes on while the page comes back to the broker, and the session is the page's own to end."""
    session = await page.run("spy.heard.find(({ type }) => type === 'watch_ready').payload.session_id")
    # The first word on the new connection finds the broker without Redis.
    unavailable = "Temporarily unavailable; try again in a moment"
    await page.run("""spy.loses = ({ payload, request_id }) => {
      if (!request_id || !payload.session_id) return false;
      spy.loses = undefined;
      const error = { type: "error", request_id, payload: { message: "%s" } };
      setTimeout(() => spy.sockets.at(-1).dispatchEvent(new MessageEvent("message", { data: JSON.stringify(error) })));
      return true;
    }; undefined""" % unavailable)
    await page.run("spy.sockets.at(-1).close(3000)")
    since = "spy.said.slice(spy.said.findLastIndex(({ type }) => type === 'hello'))"
    named = f"{since}.filter(({{ payload }}) => payload.session_id === {json.dumps(session)}).length > 1"
    await page.until(f"spy.sockets.length === 2 && {named}", "the page names its session on a new connection, and again")
    before = await page.run(frames)
    await page.until(f"{frames} > {before}", "the camera's frames go on")
    await page.press(".camera button")
    async with asyncio.timeout(30):
        while not (reason := await reason_of_end(page, session)):
            await asyncio.sleep(0.1)
    assert reason == "user_ended", f"the session ended because of {reason}"


async def lose_the_offer(page, frames):
    """The page says its offer again that went into a dead connection."""
    await page.run("""spy.loses = ({ type }) => {
      if (type === "signal_offer") spy.loses = () => true;
      return type === "signal_offer";
    }; undefined""")
    await page.press(".camera button")
    await page.until("spy.loses({}) === true", "the page says its offer")
    await page.run("spy.loses = undefined; spy.sockets.at(-1).close(3000)")
    await page.until(f"{frames} > 30", "the camera's frames are decoded", 40)
    await page.press(".camera button")


async def reason_of_end(page, session):
    """None while it goes on."""
    watches = (await api(page, "/v1/appliances/cam-1/watches?limit=20"))["watches"]
    return next((watch["reason"] for watch in watches if watch["session_id"] == session), None)
