"""The web page in a headless Chromium, against a whole stack with simulated devices. Ends with 0 when everything was seen as it should be.

run.py PROGRAMS PICTURES [NAME…]     the folder of the built programs, and where screenshots go; with names, only scenes whose names
                                     contain one of these, and the first

PYTHON_WITH_AIORTC: an interpreter that has aiortc (`make videotools` makes one); without it there is no camera to watch.
"""
import asyncio
import pathlib
import sys
import tempfile

from cameras import watch_camera
from chromium import Page, chromium
from hostile import show_hostile
from looks import look_at_every_page, measure
from scenes import (
    look_as_a_guest, look_at_system, read_audit_log, run_experiment, set_heater, sign_in, start_cooker, stop_on_a_dead_connection,
    survive_the_gateways, use_the_keyboard, watch_cooker, watch_fleet, watch_heater, watch_robot, zoom_into_history,
)
from stack import Stack
from using import Greenhouse, publisher, say
from webhooks import Receiver, fire_rule, send_again

ACCOUNTS = """
users:
  - {id: demo, role: admin}
appliances:
  - {id: OHT-1, name: Overhead carrier, dialect: oht50, owner: demo}
  - {id: TANK-1, name: Reef tank, dialect: reefnet, owner: demo}
  - {id: cam-1, name: Kitchen camera, dialect: signaling, owner: demo, accepts_unproven: true}
  - {id: greenhouse-7, name: Greenhouse, dialect: generic, owner: demo}
"""


async def play(page, stack, client, greenhouse, receiver, guest, pictures, names):
    """Every scene, one after the other; answers how many went wrong."""
    scenes = {
        "signs in": lambda: sign_in(page, stack),
        "watches the fleet": lambda: watch_fleet(page),
        "is used by keyboard": lambda: use_the_keyboard(page),
        "watches a cooker and stops it": lambda: watch_cooker(page),
        "starts a recipe, which an app pauses": lambda: start_cooker(page, stack),
        "watches a robot and stops it": lambda: watch_robot(page),
        "changes a heater's setpoints": lambda: set_heater(page),
        "acknowledges a heater's alarm": lambda: watch_heater(page),
        "starts and stops an experiment": lambda: run_experiment(page),
        "sees a rule fire and its webhook delivered": lambda: fire_rule(page, greenhouse, receiver),
        "retries and replays deliveries": lambda: send_again(page, receiver, pictures),
        # By now there is a history.
        "zooms into the history": lambda: zoom_into_history(page),
        "reads the audit log": lambda: read_audit_log(page, stack),
        "tells a guest what is for admins": lambda: look_as_a_guest(guest, stack, pictures),
        "tells how the services are": lambda: look_at_system(page, stack),
        "watches a camera": lambda: watch_camera(page, stack, pictures),
        "survives the death of both gateways": lambda: survive_the_gateways(page, stack, client),
        "looks right on every page": lambda: look_at_every_page(page, pictures),
        "stops a cooker on a dead connection": lambda: stop_on_a_dead_connection(page, stack),
        "shows hostile texts as text": lambda: show_hostile(page, client, pictures),
        "is measured": lambda: measure(page, stack, client),
    }
    wanted = [name for name in scenes if not names or name == "signs in" or any(part in name for part in names)]
    failed = 0
    for name in wanted:
        page.complaints.clear()
        try:
            await scenes[name]()
            assert not page.complaints, "the console shows: " + "\n".join(page.complaints)
            say(f"ok    {name}")
        except AssertionError as error:
            failed += 1
            await page.picture(pictures / f"failed-{name.replace(' ', '-')}.png")
            say(f"FAIL  {name}: {error}")
    own = stack.page.split("/")[2]
    elsewhere = {url for url in page.requests + guest.requests if not url.startswith(("data:", "about:")) and url.split("/")[2] != own}
    if elsewhere:
        failed += 1
        say(f"FAIL  asks no other host: {elsewhere}")
    print(f"browser: {len(wanted) + 1 - failed} passed, {failed} failed")
    return failed


async def main(programs, pictures, *names):
    pictures = pathlib.Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="martlet-browser-", ignore_cleanup_errors=True) as folder,
        Stack.up(folder, programs) as stack,
        Receiver.open() as receiver,
    ):
        stack.ctl("apply", "-", given=ACCOUNTS)
        for name in stack.report["services"]:
            if name.split("-")[0] in ("api", "rules"):
                stack.restart(name, **Receiver.settings)
        stack.keep("simulate", "epicura", "EPIC-001", "--interval", "1", "--seed", "7")
        stack.keep("simulate", "robot", "OHT-1", "--rate", "2", "--seed", "7")
        stack.keep("simulate", "heater", "TANK-1", "--speed", "20", "--fault", "runaway")
        proof = stack.ctl("token", "--device", "LAB-1", "--lifetime", "1h")
        stack.keep("simulate", "webmacs", "LAB-1", "--url", f"{stack.report['web_socket']}/controller/telemetry", MARTLET_DEVICE_SECRET=proof)
        client = publisher(stack)
        greenhouse = Greenhouse(client)
        async with chromium() as address, Page.open(address) as page, Page.open(address) as guest:
            await page.theme("light")
            await page.size(1280, 860)
            await page.go(stack.page)
            await page.until("document.querySelector('input[name=user]') && document.images[0].complete")
            await page.picture(pictures / "signin-light-desk.png")
            failed = await play(page, stack, client, greenhouse, receiver, guest, pictures, names)
        greenhouse.end()
        client.loop_stop()
    return 1 if failed else 0


sys.exit(asyncio.run(main(*sys.argv[1:])))
