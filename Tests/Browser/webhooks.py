"""A rule and a webhook, made by hand: what fires, what reaches the receiver, and what is sent again."""
import contextlib
import http.server
import json
import threading

from using import api, check, open_page, shows, until


class Receiver:
    """A system of somebody else's on this machine: keeps what it is sent, and answers as it is told to."""

    def __init__(self):
        self.status = 204
        #: `(webhook-id, message)` of each attempt, in their order.
        self.heard = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.heard.append((self.headers["webhook-id"], message))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    #: What lets services call it: webhooks go to public addresses alone, by https.
    settings = {"MARTLET_WEBHOOKS_ALLOW_HTTP": "true", "MARTLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.1"}

    @classmethod
    @contextlib.contextmanager
    def open(cls):
        receiver = cls()
        threading.Thread(target=receiver.server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.server.shutdown()
            receiver.server.server_close()

    def of(self, kind):
        return [(identifier, message) for identifier, message in self.heard if message["type"] == kind]


async def make_webhook(page, receiver):
    await open_page(page, "#/webhooks", ".page-head button")
    await page.press_named("New webhook…")
    await check(page, "the dialog for a webhook")
    await page.fill("Name", "Kitchen display", "dialog")
    await page.fill("URL", receiver.url, "dialog")
    await page.click("document.querySelector('dialog input[value=\"rule.triggered\"]')", "the kind rule.triggered")
    await page.press("dialog button[type=submit]")
    await page.until("document.querySelector('dialog .secret')?.innerText.startsWith('whsec_')", "the secret is shown once")
    await page.press("dialog button[type=submit]")
    await page.until(shows("Kitchen display", "h1"), "the webhook has a page")
    await page.press_named("Send a test")
    await page.until(row("webhook.test", "delivered"), "the test is told as delivered")
    assert len(receiver.of("webhook.test")) == 1, f"the receiver heard {receiver.heard}"
    return await page.run("location.hash")


def row(kind, state):
    return f"""[...document.querySelectorAll('.rows li')].some((row) =>
        row.querySelector('.name')?.innerText === {json.dumps(kind)} && row.querySelector('.badge')?.innerText === {json.dumps(state)})"""


async def fire_rule(page, greenhouse, receiver):
    """A rule is written down, fires, raises an alarm that appears by itself, and its webhook is delivered."""
    webhook = await make_webhook(page, receiver)
    await open_page(page, "#/rules/new", ".card input")
    await check(page, "the page for a new rule")
    await page.fill("Id", "hot")
    await page.fill("Name", "Too hot")
    await page.fill("Severity", "critical")
    await page.fill("Appliances", "greenhouse-8")
    await page.fill("Metric", "temperature")
    await page.fill("Value", "30")
    await page.until(shows("greenhouse-8", "[aria-label=Saving]"), "an appliance that is not there is complained of")
    await page.fill("Appliances", "greenhouse-7")
    await page.until(shows("This rule can be saved"), "the rule is checked")
    # The browser itself tells of the answers 422.
    page.complaints.clear()
    await page.press_named("Add the rule")
    await page.until("location.hash === '#/rules' && " + shows("Too hot"), "the rule is listed")
    await open_page(page, "#/alarms", ".rows")

    greenhouse.level = 40
    await page.until(shows("Too hot"), "the rule's alarm appears by itself")
    await until(lambda: receiver.of("rule.triggered"), "the webhook is delivered")
    _, message = receiver.of("rule.triggered")[0]
    told = {name: message["data"][name] for name in ("rule_id", "appliance_id", "metric")}
    assert told == {"rule_id": "hot", "appliance_id": "greenhouse-7", "metric": "temperature"}, f"the receiver was told {message}"
    assert message["data"]["value"] > 30, f"the receiver was told {message}"
    # The rule's editor tells of the past what has just been: what ran live is what it is tried with.
    await open_page(page, "#/rules/edit/hot", ".chart-area canvas")
    await page.until(shows("It would have fired once"), "the back-test fires as the rule did")
    await page.fill("Value", "50")
    await page.until(shows("It would not have fired"), "with a bound that was not passed it does not fire")
    await page.fill("Appliance", "EPIC-001")
    await page.until(shows("does not watch this appliance"), "another appliance is not watched")
    await open_page(page, webhook, ".rows li")
    await page.until(row("rule.triggered", "delivered"), "the delivery is listed")


async def send_again(page, receiver, pictures):
    """A receiver that says it is gone ends its webhook; a person enables it, retries what was given up, and replays what was lost."""
    webhook = await page.run("location.hash")
    receiver.status = 410
    await page.press_named("Send a test")
    await page.until(row("webhook.test", "given up"), "the delivery is given up")
    await page.until(shows("disabled", ".page-head"), "the webhook is disabled")
    await page.press(".rows .attempts summary")
    await page.until(shows("410", ".attempts[open]"), "the attempt says what was answered")
    await page.picture(pictures / "webhook.png")
    await check(page, "a webhook's page")
    lost = receiver.heard[-1][0]
    receiver.status = 204
    await page.press_named("Enable")
    await page.until(shows("enabled", ".page-head .badge"), "the webhook is enabled")
    await page.press_named(f"Retry {lost}")
    await page.until(f"!{row('webhook.test', 'given up')}", "the delivery is not given up any more")
    await until(lambda: [identifier for identifier, _ in receiver.heard].count(lost) == 2, "it came again under the same id")
    await page.until(f"!{row('webhook.test', 'pending')}", "the page tells by itself that it was delivered")

    before = {identifier for identifier, _ in receiver.heard}
    receiver.heard.clear()
    await page.press_named("Replay…")
    await page.click("document.querySelector('dialog input[type=checkbox]')", "the box for what was delivered")
    await page.press("dialog button[type=submit]")
    await page.until(shows("Tried again", "#notices"), "the page tells how many")
    await until(lambda: {identifier for identifier, _ in receiver.heard} == before, "all came again under their ids")
    await page.run(f"location.hash = {json.dumps(webhook)}")
    await page.until("!document.querySelector('.rows li .badge.active')", "all are delivered")
    deliveries = (await api(page, f"/v1/webhooks/{webhook.rsplit('/', 1)[1]}/deliveries"))["deliveries"]
    assert {delivery["message_id"] for delivery in deliveries} == before, f"the API has {deliveries}"
