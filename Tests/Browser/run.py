"""The web page in a headless Chromium, against a whole stack with simulated devices. Ends with 0 when everything was seen as it should be.

run.py PROGRAMS PICTURES     the folder of the built programs, and where screenshots go

PYTHON_WITH_AIORTC: an interpreter that has aiortc (`make videotools` makes one); without it there is no camera to watch.
"""
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import paho.mqtt.client as mqtt

from chromium import Page, chromium
from stack import Stack

HERE = pathlib.Path(__file__).parent
CHECKS = (HERE / "checks.js").read_text()
MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HOSTILE = {"name": MARKUP, "turned": "\u202egnihton\u2067", "long": "x" * 10_000, "<b>key</b>": {"deep": [MARKUP]}, "number": 1e308, "none": None}
#: Every page, by the name of its picture. The last member is what must be there before it is looked at.
PAGES = {
    "fleet": ("#/fleet", "table.fleet tbody tr"),
    "cooker": ("#/appliances/EPIC-001", ".stages li, .session-idle"),
    "lab": ("#/appliances/LAB-1", ".halves table"),
    "robot": ("#/appliances/OHT-1", ".plan-robot"),
    "heater": ("#/appliances/TANK-1", ".probes"),
    "device": ("#/appliances/greenhouse-7", ".facts"),
    "camera": ("#/appliances/cam-1", ".camera"),
    "charts": ("#/appliances/EPIC-001/charts", ".chart-area canvas"),
    "events": ("#/appliances/EPIC-001/events", ".timeline li"),
    "appliance-alarms": ("#/appliances/TANK-1/alarms", "li.alarm"),
    "commands": ("#/appliances/EPIC-001/commands", "li.command"),
    "alarms": ("#/alarms", ".rows"),
    "cameras": ("#/cameras", ".camera"),
    "rules": ("#/rules", "table"),
    "rule": ("#/rules/edit/hot", ".chart-area canvas"),
    "webhooks": ("#/webhooks", "table"),
    "system": ("#/system", ".facts"),
}
FLEET, EVENTS_PER_SECOND, MEASURED_SECONDS = 200, 50, 10
ACCOUNTS = """
users:
  - {id: demo, role: admin}
appliances:
  - {id: OHT-1, name: Overhead carrier, dialect: oht50, owner: demo}
  - {id: TANK-1, name: Reef tank, dialect: reefnet, owner: demo}
  - {id: cam-1, name: Kitchen camera, dialect: signaling, owner: demo, accepts_unproven: true}
  - {id: greenhouse-7, name: 'NAME', dialect: generic, owner: demo}
""".replace("NAME", MARKUP.replace("'", "''"))


def say(sentence):
    print(f"{time.strftime('%H:%M:%S')} {sentence}", flush=True)


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


class ExampleApp:
    """deploy/examples/any_app.py, following an appliance."""

    def __init__(self, stack, appliance):
        program = HERE.parent.parent / "deploy" / "examples" / "any_app.py"
        environment = {**os.environ, "TOKEN": stack.ctl("token", "demo")}
        command = ["/usr/bin/python3", program, stack.report["web_socket"], appliance]
        self.told = stack.folder / "logs" / "any_app"
        with self.told.open("w") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output)

    def lines(self):
        *whole, _ = self.told.read_text().split("\n")
        return [json.loads(line) for line in whole]

    async def until(self, matches):
        async with asyncio.timeout(30):
            while not any(matches(told) for told in self.lines()):
                await asyncio.sleep(0.05)

    def end(self):
        self.process.terminate()
        self.process.wait()
        return self.lines()


# MARK: What is seen


async def sign_in(page, stack):
    await page.until("document.querySelector('input[name=user]')")
    await page.type("input[name=user]", "demo")
    await page.type("input[name=password]", "not the password")
    await page.press("button[type=submit]")
    await page.until(shows("the password is wrong"), "a wrong password is told")
    # The browser itself tells of the answer 401.
    page.complaints.clear()
    await page.type("input[name=password]", stack.password)
    await page.press("button[type=submit]")
    await page.until("document.querySelectorAll('table.fleet tbody tr').length >= 6", "the fleet is shown")
    await page.until("document.querySelector('#connection').dataset.state === 'websocket'", "the page is live")


async def watch_fleet(page):
    row = "[...document.querySelectorAll('table.fleet tr')].find((row) => row.innerText.includes('EPIC-001'))"
    await page.until(f"/°C/.test({row}?.innerText)", "the cooker's temperature is seen in the fleet")
    await page.type("input[type=search]", "overhead")
    await page.until("[...document.querySelectorAll('table.fleet tbody tr')].filter((row) => !row.hidden).length === 1", "the search leaves one row")
    await page.press("table.fleet tbody tr:not([hidden]) a")
    await page.until(shows("Overhead carrier", "h1"), "a row leads to its appliance")


async def use_the_keyboard(page):
    await open_page(page, "#/fleet", "table.fleet tbody tr")
    await page.run("document.querySelector('.skip').focus()")
    await page.key("Enter")
    await page.until("document.activeElement.id === 'main'", "the first link skips to the content")
    await page.key("Tab")
    await page.until("document.activeElement.closest('#main')", "the next stop is in the content")
    await page.run("document.querySelector('table.fleet a').focus()")
    await page.key("Enter")
    await page.until("document.querySelector('.tabs')", "Enter opens an appliance")
    await page.size(390, 844, 2, True)
    await page.run("document.querySelector('.menu').focus()")
    await page.key("Enter")
    opened = "document.activeElement.closest('.nav') && document.querySelector('.menu').ariaExpanded === 'true'"
    await page.until(opened, "the menu opens and takes the focus")
    await page.key("Escape")
    closed = "document.activeElement.matches('.menu') && !document.querySelector('.nav').checkVisibility()"
    await page.until(closed, "Escape closes it and gives the focus back")
    await page.size(1280, 860)


async def watch_cooker(page):
    await open_page(page, "#/appliances/EPIC-001", ".heat")
    await page.until("document.querySelector('.stages [aria-current=step]')", "the stage under way is marked")
    before = await page.run("document.querySelector('.huge').innerText")
    await page.until(f"document.querySelector('.huge')?.innerText !== {json.dumps(before)}", "the temperature is live")
    await page.press("button.stop")
    await page.until(shows("Done", ".command-line"), "the cooker confirms the stop")
    await page.until(shows("Nothing is cooking"), "the cooker has stopped")


async def watch_robot(page):
    await open_page(page, "#/appliances/OHT-1", ".plan-robot")
    where = "document.querySelector('.plan').getAttribute('aria-label')"
    before = await page.run(where)
    await page.until(f"{where} !== {json.dumps(before)}", "the robot moves")
    await page.press("button.stop")
    await page.until(shows("Press again to stop", "button.stop"), "the first press arms the stop")
    await page.press("button.stop")
    await page.until(shows("Stopped since"), "the robot has stopped")


async def watch_heater(page):
    await open_page(page, "#/appliances/TANK-1", ".probes")
    await page.until(shows("locked out"), "the lockout is told", 60)
    await open_page(page, "#/alarms", "li.alarm")
    await page.until(shows("Thermal runaway"), "the heater's alarm is listed")
    await page.press("li.alarm[data-state=open] button")
    await page.until(shows("Acknowledged by"), "the alarm is acknowledged")


async def fire_rule(page, client):
    when = {"metric": "temperature", "operator": ">", "value": 30}
    rule = {"id": "hot", "name": "Too hot", "severity": "critical", "appliances": ["greenhouse-7"], "when": when}
    await api(page, "/v1/rules", "POST", rule)
    tell(client, "greenhouse-7", "telemetry", {"temperature": 20})
    await open_page(page, "#/alarms", ".rows")

    async def keep_hot():
        while True:
            tell(client, "greenhouse-7", "telemetry", {"temperature": 40})
            await asyncio.sleep(1)

    heating = asyncio.create_task(keep_hot())
    await page.until(shows("Too hot"), "the rule's alarm appears by itself")
    heating.cancel()


async def fill_forms(page):
    """A webhook and a rule, made by hand."""
    await open_page(page, "#/webhooks", ".page-head button")
    await page.press(".page-head button.primary")
    await page.type("dialog input:not([type])", "Kitchen display")
    await page.run("document.querySelector('dialog input[type=url]').value = 'https://receiver.example.com/hook'")
    await page.press("dialog button[type=submit]")
    await page.until("document.querySelector('dialog .secret')?.innerText.startsWith('whsec_')", "the secret is shown once")
    await page.press("dialog button[type=submit]")
    await page.until(shows("Kitchen display", "h1"), "the webhook has a page")
    await page.press(".page-head button.primary")
    await page.until("document.querySelector('.rows .attempts')", "the test's delivery is listed with its attempt", 40)
    await page.picture(pathlib.Path(sys.argv[2]) / "webhook.png")
    await page.press(".rows .attempts summary")
    wrong = await page.run(CHECKS)
    assert not wrong, "\n".join(wrong)
    await open_page(page, "#/rules/edit/hot", ".chart-area canvas")
    await page.until(shows("This rule can be saved"), "the rule is checked")


async def show_hostile(page, client):
    await page.run("document.title = 'Martlet'")
    tell(client, "greenhouse-7", "odd.event", HOSTILE)
    tell(client, "greenhouse-7", "appliance:status", {"status": MARKUP})
    own = "#/appliances/greenhouse-7"
    for address, ready in ((own, ".facts"), (own + "/events", ".timeline li"), ("#/fleet", "table.fleet tbody tr")):
        await open_page(page, address, ready)
        await page.until(shows("<img src=x"), f"{address} shows markup as text")
        await page.run("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        assert await page.run("document.querySelector('#main img[src=x], #main script') === null"), f"{address} has parsed what came from the wire"
        assert "owned" not in await page.run("document.title"), f"{address} has run what came from the wire"
        assert await page.run("document.documentElement.scrollWidth <= innerWidth + 1"), f"{address} is pushed out of the screen"


async def survive_the_gateways(page, stack, client):
    """Both gateways die; the page falls back to polling and comes back, and neither it nor the example app misses an event or has one twice."""
    await open_page(page, "#/appliances/greenhouse-7/events", ".timeline")
    numbers = iter(range(1, 1000))

    def mark():
        number = next(numbers)
        tell(client, "greenhouse-7", "mark", {"message": f"mark {number}"})
        return f"mark {number}"

    await page.until(shows(mark()), "an event is seen live")
    app = ExampleApp(stack, "greenhouse-7")
    await app.until(lambda told: told.get("type") == "subscribed")
    await page.until(shows(mark()), "an event is seen live")
    bring_back = [stack.kill(name) for name in ("gateway-1", "gateway-2")]
    mark()
    await page.until("document.querySelector('#connection').dataset.state === 'polling'", "the page falls back to polling", 30)
    say("both gateways are dead, and the page polls")
    await page.until(shows(mark()), "an event is seen by polling")
    mark()
    for start in bring_back:
        start()
    mark()
    await page.until("document.querySelector('#connection').dataset.state === 'websocket'", "the page comes back", 60)
    last = mark()
    await page.until(shows(last), "events are live again")
    seen = await page.run("""[...document.querySelectorAll(".timeline li")]
        .map((row) => /mark (\\d+)/.exec(row.innerText)?.[1]).filter(Boolean).map(Number)""")
    count = int(last.split()[1])
    assert seen == list(range(count, 0, -1)), f"marks were seen as {seen}"
    await app.until(lambda told: last in json.dumps(told))
    heard = [int(told["data"]["message"].split()[1]) for told in app.end() if told["type"] == "mark"]
    assert heard == list(range(2, count + 1)), f"the example app heard the marks {heard}"
    # The browser tells of each attempt that failed; nothing else may be among that.
    page.complaints = [text for text in page.complaints if "WebSocket connection to" not in text and "/ws" not in text]


async def watch_camera(page, stack):
    python = os.environ.get("PYTHON_WITH_AIORTC")
    if not python:
        return say("no camera is watched: there is no aiortc (make videotools)")
    url = stack.report["web_socket"] + "/device"
    camera = subprocess.Popen([python, HERE.parent / "Video" / "camera.py", url, "cam-1"])
    try:
        async with asyncio.timeout(30):
            while not (await api(page, "/v1/appliances/cam-1/presence"))["connected"]:
                await asyncio.sleep(0.1)
        await open_page(page, "#/cameras", ".camera")
        frames = "document.querySelector('.camera[data-state=live] video')?.getVideoPlaybackQuality().totalVideoFrames"
        await page.until(f"{frames} > 30", "the camera's frames are decoded", 40)
        await page.picture(pathlib.Path(sys.argv[2]) / "cameras-live.png")
    finally:
        camera.terminate()
        camera.wait()


async def look_at_every_page(page, pictures):
    """Pictures in both themes and at phone width, and what the checks say of each."""
    wrong = []
    screens = [(theme, *screen) for screen in ((1280, 860, 1, False), (390, 844, 2, True)) for theme in ("light", "dark")]
    for theme, width, height, scale, mobile in screens:
        await page.theme(theme)
        await page.size(width, height, scale, mobile)
        for name, (address, ready) in PAGES.items():
            await open_page(page, address, ready)
            await asyncio.sleep(0.4)
            await page.picture(pictures / f"{name}-{theme}-{'phone' if mobile else 'desk'}.png")
            wrong += [f"{name}, {theme}, {width} px: {sentence}" for sentence in await page.run(CHECKS)]
    await page.theme("light")
    await page.size(1280, 860)
    assert not wrong, "\n".join(dict.fromkeys(wrong))


# MARK: Figures


async def measure(page, stack, client):
    """Told, not judged: how long the first page takes, and how the fleet draws."""
    fleet = "".join(f"  - {{id: unit-{n:03}, dialect: generic, owner: demo}}\n" for n in range(FLEET))
    stack.ctl("apply", "-", given="appliances:\n" + fleet)
    await page.go("about:blank")
    await page.go(stack.page)
    await page.until("document.querySelectorAll('table.fleet tbody tr').length > 200", "the whole fleet is shown")
    ready = await page.run("performance.getEntriesByType('navigation')[0].domInteractive")
    usable = await page.run("performance.getEntriesByName('fleet shown')[0]?.startTime")
    say(f"first page: HTML parsed after {ready:.0f} ms, {FLEET} appliances shown and usable after {usable:.0f} ms (kept login, loopback)")
    await page.until("document.querySelector('#connection').dataset.state === 'websocket'")
    await asyncio.sleep(3)
    await page.run("""(() => {
        window.frames_ms = [];
        window.long_ms = [];
        const take = (list) => list.getEntries().forEach(({ duration }) => window.long_ms.push(duration));
        new PerformanceObserver(take).observe({ type: "longtask" });
        let last = performance.now();
        const step = (now) => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(step); };
        requestAnimationFrame(step);
    })()""")
    end = time.monotonic() + MEASURED_SECONDS
    for number in range(EVENTS_PER_SECOND * MEASURED_SECONDS):
        client.publish(f"martlet/unit-{number % FLEET:03}/events/telemetry", json.dumps({"temperature": number}), qos=1)
        await asyncio.sleep(max(0, end - MEASURED_SECONDS + number / EVENTS_PER_SECOND - time.monotonic()))
    frames, long = await page.run("[window.frames_ms, window.long_ms]")
    frames.sort()
    say(f"{EVENTS_PER_SECOND} events/s of {FLEET} appliances for {MEASURED_SECONDS} s: {len(frames)} frames, "
        f"median {frames[len(frames) // 2]:.1f} ms, 99th percentile {frames[int(len(frames) * 0.99)]:.1f} ms, longest {frames[-1]:.1f} ms; "
        f"{sum(frame > 34 for frame in frames)} frames over two of 16.7 ms, {len(long)} tasks over 50 ms")


async def main(programs, pictures):
    pictures = pathlib.Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="martlet-browser-", ignore_cleanup_errors=True) as folder, Stack.up(folder, programs) as stack:
        stack.ctl("apply", "-", given=ACCOUNTS)
        stack.keep("simulate", "epicura", "EPIC-001", "--interval", "1", "--seed", "7")
        stack.keep("simulate", "robot", "OHT-1", "--rate", "2", "--seed", "7")
        stack.keep("simulate", "heater", "TANK-1", "--speed", "20", "--fault", "runaway")
        proof = stack.ctl("token", "--device", "LAB-1", "--lifetime", "1h")
        stack.keep("simulate", "webmacs", "LAB-1", "--url", f"{stack.report['web_socket']}/controller/telemetry", MARTLET_DEVICE_SECRET=proof)
        client = publisher(stack)
        async with chromium() as address, Page.open(address) as page:
            await page.theme("light")
            await page.size(1280, 860)
            await page.go(stack.page)
            await page.until("document.querySelector('input[name=user]')")
            await page.picture(pictures / "signin-light-desk.png")
            scenes = [
                ("signs in", sign_in(page, stack)),
                ("watches the fleet", watch_fleet(page)),
                ("is used by keyboard", use_the_keyboard(page)),
                ("watches a cooker and stops it", watch_cooker(page)),
                ("watches a robot and stops it", watch_robot(page)),
                ("acknowledges a heater's alarm", watch_heater(page)),
                ("sees a rule fire", fire_rule(page, client)),
                ("makes a webhook and checks a rule", fill_forms(page)),
                ("shows hostile texts as text", show_hostile(page, client)),
                ("watches a camera", watch_camera(page, stack)),
                ("survives the death of both gateways", survive_the_gateways(page, stack, client)),
                ("looks right on every page", look_at_every_page(page, pictures)),
                ("is measured", measure(page, stack, client)),
            ]
            failed = 0
            for name, scene in scenes:
                page.complaints.clear()
                try:
                    await scene
                    assert not page.complaints, "the console shows: " + "\n".join(page.complaints)
                    say(f"ok    {name}")
                except AssertionError as error:
                    failed += 1
                    await page.picture(pictures / f"failed-{name.replace(' ', '-')}.png")
                    say(f"FAIL  {name}: {error}")
            own = stack.page.split("/")[2]
            elsewhere = {url for url in page.requests if not url.startswith(("data:", "about:")) and url.split("/")[2] != own}
            if elsewhere:
                failed += 1
                say(f"FAIL  asks no other host: {elsewhere}")
        client.loop_stop()
    print(f"browser: {len(scenes) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(asyncio.run(main(*sys.argv[1:3])))
