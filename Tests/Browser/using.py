"""What the scenes share: devices that say something, an app beside the page, and how the page is asked."""
import asyncio
import itertools
import json
import math
import os
import pathlib
import subprocess
import time

import paho.mqtt.client as mqtt

HERE = pathlib.Path(__file__).parent
#: What is wrong with a page as it stands, one sentence for each.
CHECKS = (HERE / "checks.js").read_text()
DEADLINE_SECONDS = 30


def say(sentence):
    print(f"{time.strftime('%H:%M:%S')} {sentence}", flush=True)


async def until(holds, what):
    """Waits until something outside of the page is true."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (value := holds()):
                await asyncio.sleep(0.05)
            return value
    except TimeoutError:
        raise AssertionError(f"it did not happen within {DEADLINE_SECONDS} s: {what}") from None


# MARK: Devices


def publisher(stack):
    login = stack.report["mosquitto"]["simulator"]
    host, port = login["url"].rsplit("@", 1)[1].split(":")
    client = mqtt.Client(client_id="browser-test", protocol=mqtt.MQTTv5)
    client.username_pw_set("simulator", pathlib.Path(login["password_file"]).read_text().strip())
    client.connect(host, int(port))
    client.loop_start()
    return client


def tell(client, appliance, kind, data):
    client.publish(f"martlet/{appliance}/events/{kind}", json.dumps(data), qos=1).wait_for_publish(10)


class Greenhouse:
    """A device that tells a temperature each second, which swings around its level."""

    def __init__(self, client):
        self.client, self.level = client, 24
        self.telling = asyncio.create_task(self.tell())

    async def tell(self):
        for second in itertools.count():
            temperature = round(self.level + 3 * math.sin(second / 5), 2)
            self.client.publish("martlet/greenhouse-7/events/telemetry", json.dumps({"temperature": temperature}), qos=1)
            await asyncio.sleep(1)

    def end(self):
        self.telling.cancel()


# MARK: The page


async def api(page, path, method="GET", body=None):
    """Asks the API as the page does, with the login that it keeps."""
    return await page.run(f"""(async () => {{
        const {{ access_token }} = JSON.parse(localStorage.getItem("martlet.session"));
        const headers = {{ Authorization: `Bearer ${{access_token}}`, "Content-Type": "application/json" }};
        const body = {json.dumps(json.dumps(body)) if body is not None else "undefined"};
        const answer = await fetch("api{path}", {{ method: {json.dumps(method)}, headers, body }});
        return answer.status === 204 ? null : answer.json();
    }})()""")


async def open_page(page, address, ready):
    await page.run(f"location.hash = {json.dumps(address)}")
    await page.until(f"document.querySelector({json.dumps('#main ' + ready.replace(', ', ', #main '))})", f"{address} shows {ready}")


def shows(text, place="#main"):
    return f"document.querySelector({json.dumps(place)})?.innerText.includes({json.dumps(text)})"


def is_connected(state):
    return f"document.querySelector('#connection').dataset.state === {json.dumps(state)}"


async def check(page, about):
    """Contrast, names, focus and structure of the page as it stands."""
    wrong = await page.run(CHECKS)
    assert not wrong, f"{about}: " + "\n".join(wrong)


async def log_in(page, user, password):
    await page.until("document.querySelector('input[name=user]')")
    await page.type("input[name=user]", user)
    await page.type("input[name=password]", password)
    await page.press("button[type=submit]")


# MARK: Another app


def begin_app(stack, *arguments, output):
    """deploy/examples/any_app.py."""
    program = HERE.parent.parent / "deploy" / "examples" / "any_app.py"
    environment = {**os.environ, "TOKEN": stack.ctl("token", "demo")}
    return subprocess.Popen(["/usr/bin/python3", program, stack.report["web_socket"], *arguments], env=environment, stdout=output)


async def order(stack, appliance, *command):
    """The example app's exit status for a command."""
    process = begin_app(stack, appliance, *command, output=subprocess.DEVNULL)
    return await asyncio.to_thread(process.wait, DEADLINE_SECONDS)


class ExampleApp:
    """The example app, following an appliance."""

    def __init__(self, stack, appliance):
        self.told = stack.folder / "logs" / "any_app"
        with self.told.open("w") as output:
            self.process = begin_app(stack, appliance, output=output)

    def lines(self):
        *whole, _ = self.told.read_text().split("\n")
        return [json.loads(line) for line in whole]

    async def until(self, matches):
        await until(lambda: any(matches(told) for told in self.lines()), "the example app hears what it waits for")

    def end(self):
        self.process.terminate()
        self.process.wait()
        return self.lines()
