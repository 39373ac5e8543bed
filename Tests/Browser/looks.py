"""How every page looks, and how fast it draws."""
import asyncio
import json
import time

from using import CHECKS, is_connected, open_page, say

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
    "alarms": ("#/alarms", "li.alarm, .empty"),
    "cameras": ("#/cameras", ".camera"),
    "rules": ("#/rules", "tbody tr"),
    "rule": ("#/rules/edit/hot", ".chart-area canvas"),
    "webhooks": ("#/webhooks", "tbody tr"),
    "audit": ("#/audit", "tbody tr"),
    "system": ("#/system", ".grid:not(:has(.facts .muted)) .facts"),
}
FLEET, EVENTS_PER_SECOND, MEASURED_SECONDS = 200, 50, 10


async def look_at_every_page(page, pictures):
    """Pictures in both themes and at phone width, and what the checks say of each."""
    wrong = []
    screens = [(theme, *screen) for screen in ((1280, 860, 1, False), (390, 844, 2, True)) for theme in ("light", "dark")]
    for theme, width, height, scale, mobile in screens:
        await page.theme(theme)
        await page.size(width, height, scale, mobile)
        for name, (address, ready) in PAGES.items():
            await open_page(page, address, ready)
            await page.until("!document.querySelector('#main .loading')", f"{name} has loaded")
            await asyncio.sleep(0.2)
            await page.picture(pictures / f"{name}-{theme}-{'phone' if mobile else 'desk'}.png")
            wrong += [f"{name}, {theme}, {width} px: {sentence}" for sentence in await page.run(CHECKS)]
    await page.theme("light")
    await page.size(1280, 860)
    assert not wrong, "\n".join(dict.fromkeys(wrong))


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
    await page.until(is_connected("websocket"))
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
