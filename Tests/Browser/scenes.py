"""What a person sees and does on the page, device by device."""
import asyncio
import json
import re
import urllib.error
import urllib.request

from using import ExampleApp, api, check, is_connected, log_in, open_page, order, say, shows, tell


async def sign_in(page, stack):
    await check(page, "the sign-in page")
    await log_in(page, "demo", "not the password")
    await page.until(shows("the password is wrong"), "a wrong password is told")
    # The browser itself tells of the answer 401.
    page.complaints.clear()
    await page.type("input[name=password]", stack.password)
    await page.press("button[type=submit]")
    await page.until("document.querySelectorAll('table.fleet tbody tr').length >= 6", "the fleet is shown")
    await page.until(is_connected("websocket"), "the page is live")


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
    await open_page(page, "#/webhooks", ".page-head button")
    await page.run("document.querySelector('.page-head button').focus()")
    await page.key("Enter")
    await page.until("document.activeElement.closest('dialog[open]')", "a dialog takes the focus")
    await page.key("Escape")
    await page.until("document.activeElement.closest('.page-head') && !document.querySelector('dialog')", "Escape ends it and gives the focus back")
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


async def start_cooker(page, stack):
    """A recipe is started on the page; an app in Python pauses it, which the page sees; on the page it goes on."""
    await open_page(page, "#/appliances/EPIC-001", ".session-idle")
    await page.press_named("Start a recipe…")
    await check(page, "the dialog for a recipe")
    await page.fill("Recipe", "recipe-dal-tadka", "dialog")
    await page.fill("Servings", "2", "dialog")
    await page.press("dialog button[type=submit]")
    await page.until("document.querySelector('.stages [aria-current=step]')", "the recipe's first stage is under way")
    await open_page(page, "#/appliances/EPIC-001/commands", "li.command")
    assert await order(stack, "EPIC-001", "cooking:pause") == 0, "the example app is told that the cooker has paused"
    first = "document.querySelector('li.command')"
    await page.until(f"{first}.innerText.includes('cooking:pause') && {first}.innerText.includes('acknowledged')", "the page lists the app's command")
    await open_page(page, "#/appliances/EPIC-001", ".heat")
    await page.press_named("Resume")
    await page.until(shows("Done", ".command-line"), "the cooker goes on")


async def stop_on_a_dead_connection(page, stack):
    """Both gateways stand still, and nothing says so: the stop goes by the API long before a ping would tell."""
    await open_page(page, "#/appliances/EPIC-001", "button.stop")
    await page.until(is_connected("websocket"), "the page is live")
    with stack.frozen("gateway-1", "gateway-2"):
        await page.press("button.stop")
        # From a ping alone it takes ten seconds and more.
        await page.until(shows("Done", ".command-line"), "the cooker confirms the stop", 8)
        await page.until(f"!({is_connected('websocket')})", "the page gives the connection up", 8)
    await page.until(is_connected("websocket"), "the page comes back", 60)
    await page.until(shows("Nothing is cooking"), "the cooker has stopped")
    forget_attempts(page)


def forget_attempts(page):
    """The browser tells of each attempt that failed; nothing else may be among that."""
    page.complaints = [text for text in page.complaints if "WebSocket connection to" not in text and "/ws" not in text]


async def zoom_into_history(page):
    """By dragging over a chart, and by keyboard."""
    await open_page(page, "#/appliances/EPIC-001/charts", ".chart-area canvas")
    told = "document.querySelector('#main [role=status]').innerText"
    await page.until(f"{told}.startsWith('Drag over') && /\\d/.test(document.querySelector('.legend b').innerText)", "the whole range is shown")
    x, y, width = await page.run("(({ x, y, width, height }) => [x, y + height / 2, width])(document.querySelector('.chart-area').getBoundingClientRect())")
    await page.drag((x + 0.5 * width, y), (x + 0.8 * width, y))
    await page.until(f"/ to .*see all again/.test({told})", "dragging zooms in")
    await page.press_named("Reset")
    await page.until(f"{told}.startsWith('Drag over')", "all is seen again")
    await page.run("[...document.querySelectorAll('button')].find(({ innerText }) => innerText === 'Zoom in').focus()")
    await page.key("Enter")
    await page.until(f"/ to .*see all again/.test({told})", "a key zooms in")


async def watch_robot(page):
    await open_page(page, "#/appliances/OHT-1", ".plan-robot")
    where = "document.querySelector('.plan').getAttribute('aria-label')"
    before = await page.run(where)
    await page.until(f"{where} !== {json.dumps(before)}", "the robot moves")
    await page.press("button.stop")
    await page.until(shows("Press again to stop", "button.stop"), "the first press arms the stop")
    await page.press("button.stop")
    await page.until(shows("Stopped since"), "the robot has stopped")


async def set_heater(page):
    """Two setpoints at once; the heater says by itself what it keeps to from then on."""
    await open_page(page, "#/appliances/TANK-1", ".probes")
    assert not await page.run(shows("and 26.75 °C", ".facts")), "the heater keeps to something else before"
    await page.fill("Lower bound (°C)", "24.25")
    await page.fill("Upper bound (°C)", "26.75")
    await page.press_named("Set")
    await page.until(shows("Done", ".command-line"), "the heater confirms the setpoints")
    await page.until(shows("24.25 and 26.75 °C", ".facts"), "the heater tells the new bounds")
    kept = await page.run("[...document.querySelectorAll('form input')].map(({ value }) => value).join('')")
    assert kept == "", f"what was set is still in the form: {kept}"


async def watch_heater(page):
    await open_page(page, "#/appliances/TANK-1", ".probes")
    await page.until(shows("locked out"), "the lockout is told", 60)
    await open_page(page, "#/alarms", "li.alarm")
    await page.until(shows("Thermal runaway"), "the heater's alarm is listed")
    await page.press("li.alarm[data-state=open] button")
    await page.until(shows("Acknowledged by demo"), "the alarm is acknowledged")
    alarms = (await api(page, "/v1/appliances/TANK-1/alarms"))["alarms"]
    assert [alarm["acknowledged_by"] for alarm in alarms].count("demo") == 1, f"the API has {alarms}"


async def run_experiment(page):
    await open_page(page, "#/appliances/LAB-1", ".halves table")
    measured = "document.querySelector('.halves table td.number').innerText"
    before = await page.run(measured)
    await page.until(f"{measured} !== {json.dumps(before)}", "a sensor's value is live")
    await page.press_named("New experiment…")
    await check(page, "the dialog for an experiment")
    await page.fill("Name", "Calibration at 80 °C", "dialog")
    await page.press("dialog button[type=submit]")
    row = "[...document.querySelectorAll('.rows li')].find((row) => row.innerText.includes('Calibration'))"
    await page.until(f"{row}?.querySelector('.badge').innerText === 'ready'", "the experiment is ready")
    await page.click(f"{row}?.querySelector('button')", "its button")
    await page.until(f"{row}?.querySelector('.badge').innerText === 'running'", "the experiment runs")
    await page.click(f"{row}?.querySelector('button')", "its button")
    await page.until(f"{row}?.querySelector('.badge').innerText === 'stopped'", "the experiment has stopped")
    own = (await api(page, "/v1/appliances/LAB-1/experiments"))["experiments"][0]
    assert own["started_at"] and own["stopped_at"] and own["stopped_at"] > own["started_at"], f"the API has {own}"


async def read_audit_log(page, stack):
    """What was done so far is found by who, what, when and how it ended; and page after page, without a gap."""
    await open_page(page, "#/audit", "tbody tr")
    options = await page.run("[...document.querySelectorAll('select[name=action] option')].map(({ value }) => value).filter(Boolean).sort()")
    document = await page.run("fetch('api/openapi.json').then((answer) => answer.json())")
    parameters = document["paths"]["/api/v1/audit"]["get"]["parameters"]
    known = next(parameter["schema"]["enum"] for parameter in parameters if parameter["name"] == "action")
    assert options == sorted(known), f"the page offers {options}"

    async def column(number):
        return await page.run(f"[...document.querySelectorAll('tbody tr td:nth-child({number})')].map(({{ innerText }}) => innerText.trim())")

    async def holds(number, text):
        await page.until(f"""(() => {{
            const cells = [...document.querySelectorAll('tbody tr td:nth-child({number})')];
            return cells.length > 0 && cells.every(({{ innerText }}) => innerText.trim().startsWith({json.dumps(text)}));
        }})()""", f"every line has {text}")

    await page.fill("What", "login")
    await holds(3, "Login")
    await page.fill("Result", "refused")
    await holds(5, "Refused")
    await page.until(shows("invalid_credentials"), "the wrong password is noted")
    assert set(await column(2)) == {"demo"}, "who tried is noted"
    assert "action=login&result=refused" in await page.run("location.hash"), "the address says what is shown"
    await page.press_named("Clear")
    await page.fill("Appliance", "TANK-1")
    await page.fill("What", "alarm.acknowledged")
    await holds(4, "TANK-1")
    await page.fill("From", "2090-01-01T00:00")
    await page.until(shows("Nothing matches"), "what is to come is not noted")
    await page.press_named("Clear")
    # More than a page.
    stack.ctl("apply", "-", given="users:\n" + "".join(f"  - {{id: person-{n:03}}}\n" for n in range(150)))
    await page.fill("What", "configuration.changed")
    await holds(3, "Settings changed")
    for pages in (2, 3):
        await page.press_named("Show more")
        await page.until(f"document.querySelectorAll('tbody tr').length === {50 * pages}", f"page {pages} is there")
    shown = await page.run("[...document.querySelectorAll('tbody time')].map(({ dateTime }) => dateTime)")
    entries = (await api(page, "/v1/audit?action=configuration.changed&limit=150"))["entries"]
    assert shown == [entry["at"] for entry in entries], "the pages hold what the log holds, in its order"


async def look_as_a_guest(page, stack, pictures):
    """Who is no admin sees neither the links to the admins' pages nor what is there, but why."""
    password = stack.folder / "secrets" / "guest_password"
    password.write_text("a guest's password")
    stack.ctl("apply", "-", given=f"users: [{{id: guest, password_file: '{password}'}}]\n")
    await page.size(1280, 860)
    await page.theme("light")
    await page.go(stack.page)
    await log_in(page, "guest", password.read_text())
    await page.until(shows("EPIC-001"), "what is shared is shown")
    links = await page.run("[...document.querySelectorAll('.nav a')].filter((link) => link.checkVisibility()).map(({ innerText }) => innerText)")
    assert links == ["Fleet", "Alarms", "Cameras", "Webhooks"], f"a guest is led to {links}"
    for name in ("audit", "rules", "system"):
        await open_page(page, f"#/{name}", ".empty")
        await page.until(shows("This page is for the role admin"), f"{name} says why it is not shown")
    await check(page, "what a guest is told")
    await page.picture(pictures / "system-guest.png")
    assert not page.complaints, "the guest's console shows: " + "\n".join(page.complaints)


def status(url, token=None):
    """What an address answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as answer:
        return answer.code


def figure(stack, service, name):
    """One of a service's figures, from itself: the sum over all labels."""
    text = urllib.request.urlopen(stack.report["services"][service]["admin"] + "/metrics", timeout=10).read().decode()
    lines = (line for line in text.splitlines() if re.match(rf"{name}[ {{]", line))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def look_at_system(page, stack):
    """The page shows every replica, what it tells itself, and which is away; to admins and nobody else."""
    services = sorted(stack.report["services"])
    await open_page(page, "#/system", ".facts")
    shown = await page.run("[...document.querySelectorAll('.card h2')].map(({ innerText }) => innerText)")
    assert shown == services, f"the page shows {shown}"

    def card(name):
        return f"[...document.querySelectorAll('.card')].find((card) => card.querySelector('h2').innerText === {json.dumps(name)})"

    def value(name, about):
        return f"[...({card(name)}?.querySelectorAll('dt') ?? [])].find(({{ innerText }}) => innerText === {json.dumps(about)})?.nextElementSibling.innerText"

    for name in services:
        await page.until(f"{card(name)}?.querySelector('.badge').innerText === 'up'", f"{name} is up")
    known = (
        ("gateway-1", "connections", "martlet_gateway_connections"), ("gateway-2", "connections", "martlet_gateway_connections"),
        ("gateway-1", "subscriptions", "martlet_gateway_subscriptions"), ("gateway-2", "subscriptions", "martlet_gateway_subscriptions"),
        ("rules", "firings", "martlet_rules_firings_total"), ("signaling", "watches begun", "martlet_signaling_watches_begun_total"),
    )
    for name, about, metric in known:
        name = next(service for service in services if service.startswith(name))
        async with asyncio.timeout(20):
            while await page.run(value(name, about)) != f"{figure(stack, name, metric):,.0f}":
                await asyncio.sleep(0.2)
    for service, about in (("ingest", "events"), ("persister", "events"), ("gateway", "delivered"), ("api", "requests")):
        rates = [value(name, about) for name in services if name.startswith(service)]
        await page.until(" || ".join(f"parseFloat({rate}) > 0 && {rate}.endsWith(' /s')" for rate in rates), f"{service} tells a rate")
    persister = next(name for name in services if name.startswith("persister"))
    bring_back = stack.kill(persister)
    await page.until(f"{card(persister)}?.querySelector('.badge').innerText === 'not reached'", "a replica that is away is told")
    bring_back()
    await page.until(f"{card(persister)}?.querySelector('.badge').innerText === 'up'", "and that it is back")
    # The browser tells of each answer 502.
    page.complaints = [text for text in page.complaints if "/metrics/" not in text]
    guest = stack.ctl("token", "guest")
    for path in ("metrics/replicas", f"metrics/{services[0]}", "metrics/none"):
        answers = [status(stack.page + path), status(stack.page + path, "no token"), status(stack.page + path, guest)]
        assert answers == [401, 401, 403], f"{path} answers {answers} to nobody, to somebody unknown and to a guest"
    assert status(stack.page + "metrics/permission") in (401, 404), "the question for the permission is nginx' own"


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
    await page.until(is_connected("polling"), "the page falls back to polling", 30)
    say("both gateways are dead, and the page polls")
    await page.until(shows(mark()), "an event is seen by polling")
    mark()
    for start in bring_back:
        start()
    mark()
    await page.until(is_connected("websocket"), "the page comes back", 60)
    last = mark()
    await page.until(shows(last), "events are live again")
    seen = await page.run("""[...document.querySelectorAll(".timeline li")]
        .map((row) => /mark (\\d+)/.exec(row.innerText)?.[1]).filter(Boolean).map(Number)""")
    count = int(last.split()[1])
    assert seen == list(range(count, 0, -1)), f"marks were seen as {seen}"
    await app.until(lambda told: last in json.dumps(told))
    heard = [int(told["data"]["message"].split()[1]) for told in app.end() if told["type"] == "mark"]
    assert heard == list(range(2, count + 1)), f"the example app heard the marks {heard}"
    forget_attempts(page)
