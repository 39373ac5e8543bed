"""A headless Chromium, driven by its own protocol (CDP): one page at a time, with everything that it asked for and complained of."""
import asyncio
import base64
import contextlib
import json
import pathlib
import sys

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Chromium"))
from headless import headless

DEADLINE_SECONDS = 20


@contextlib.asynccontextmanager
async def chromium(*flags):
    """The address of a fresh browser's protocol; it ends with the block."""
    with headless("about:blank", "--hide-scrollbars", *flags) as profile:
        told = profile / "DevToolsActivePort"
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (told.exists() and told.read_text().count("\n") >= 1):
                await asyncio.sleep(0.05)
        port, path = told.read_text().split("\n")[:2]
        yield f"ws://127.0.0.1:{port}{path}"


class Page:
    """One tab."""

    def __init__(self, socket):
        self.socket = socket
        self.session = None
        self.number = 0
        self.answers = {}
        #: What the console showed as an error or a warning, and exceptions that nobody caught.
        self.complaints = []
        #: Every address that the page asked for.
        self.requests = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, address):
        """A tab that shares nothing with others: each has a storage of its own."""
        async with websockets.connect(address, max_size=None, ping_interval=None) as socket:
            page = cls(socket)
            listening = asyncio.create_task(page.listen())
            try:
                storage = (await page.do("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"]
                target = (await page.do("Target.createTarget", url="about:blank", browserContextId=storage))["targetId"]
                page.session = (await page.do("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await page.do(f"{domain}.enable")
                yield page
            finally:
                listening.cancel()

    async def do(self, method, **parameters):
        self.number += 1
        future = self.answers[self.number] = asyncio.get_running_loop().create_future()
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        await self.socket.send(json.dumps(message))
        answer = await asyncio.wait_for(future, DEADLINE_SECONDS)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def listen(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                answer = self.answers.pop(message["id"])
                # Nobody waits any more for one that came too late.
                if not answer.done():
                    answer.set_result(message)
            else:
                self.take(message["method"], message["params"])

    def take(self, method, told):
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value", a.get("description"))) for a in told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(told["url"])

    async def run(self, script):
        """The value of an expression, awaited where it is a promise."""
        result = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"].get("exception", {}).get("description", script))
        return result["result"].get("value")

    async def until(self, script, what=None, seconds=DEADLINE_SECONDS):
        """Waits until an expression is true."""
        try:
            async with asyncio.timeout(seconds):
                # An element comes as an empty object.
                while (value := await self.run(script)) in (None, False, 0, ""):
                    await asyncio.sleep(0.05)
                return value
        except TimeoutError:
            shown = await self.run("document.body.innerText.slice(0, 1500)")
            raise AssertionError(f"it did not happen within {seconds} s: {what or script}\nThe page shows:\n{shown}") from None

    async def go(self, address):
        await self.do("Page.navigate", url=address)

    async def press(self, selector):
        """Clicks as a mouse does, on the middle of what is there."""
        await self.click(f"document.querySelector({json.dumps(selector)})", selector)

    async def press_named(self, name, place="#main"):
        """The same with a button or a link, by what it is called."""
        named = f"(element) => (element.getAttribute('aria-label') ?? element.innerText.trim()) === {json.dumps(name)}"
        found = f"[...document.querySelectorAll({json.dumps(place)})].flatMap((e) => [...e.querySelectorAll('button, a')]).find({named})"
        await self.click(found, f"the button {name}")

    async def click(self, element, what):
        box = await self.until(f"""(() => {{
            const element = {element};
            element?.scrollIntoView({{ block: "center" }});
            const box = element?.disabled ? null : element?.getBoundingClientRect();
            return box?.width ? [box.x + box.width / 2, box.y + box.height / 2] : null;
        }})()""", f"{what} is there")
        for kind in ("mousePressed", "mouseReleased"):
            await self.do("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    async def drag(self, start, end):
        """From one point to another, with the button held."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            await self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    async def type(self, selector, text):
        await self.write(f"document.querySelector({json.dumps(selector)})", text, selector)

    async def fill(self, label, text, place="#main"):
        """Writes into a field, or chooses in it, by its label."""
        found = f"[...document.querySelectorAll({json.dumps(place)} + ' label')].find((one) => one.innerText.trim() === {json.dumps(label)})"
        element = f"document.getElementById({found}?.htmlFor)"
        await self.until(element, f"there is a field {label}")
        if await self.run(f"{element}.matches('select, input[type=datetime-local]')"):
            await self.run(f"""(() => {{
                const input = {element};
                input.value = {json.dumps(text)};
                input.dispatchEvent(new Event("change", {{ bubbles: true }}));
            }})()""")
        else:
            await self.write(element, text, label)

    async def write(self, element, text, what):
        """Replaces what is in a field, as typing does."""
        await self.until(f"{element}?.focus() ?? ({element}?.select(), document.activeElement === {element})", f"{what} has the focus")
        await self.do("Input.insertText", text=text)

    async def key(self, name):
        """Presses a key: `Tab`, `Enter`, `Escape`."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27}[name]
        text = {"text": "\r"} if name == "Enter" else {}
        await self.do("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **text)
        await self.do("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    async def size(self, width, height, scale=1, mobile=False):
        self.screen = (width, height, scale, mobile)
        await self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)

    async def theme(self, name):
        await self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def picture(self, path):
        """The whole page, up to three screens of it: on a screen so high, where nothing sticks to an edge that is not there."""
        screen = self.screen
        width, height = await self.run("[innerWidth, Math.min(document.documentElement.scrollHeight, 3 * innerHeight)]")
        await self.size(width, height, *screen[2:])
        data = (await self.do("Page.captureScreenshot", format="png"))["data"]
        path.write_bytes(base64.b64decode(data))
        await self.size(*screen)
