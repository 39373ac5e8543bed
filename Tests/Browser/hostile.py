"""What devices and people can write that no document has: markup, text that turns its direction round, 10 kB names, other kinds of
values, missing members, types of the future. On every page it is text, or is not there; nothing breaks."""
import json

from using import CHECKS, api, open_page, tell

MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
TEXT = MARKUP + "\u202egnihton\u2067" + "x" * 200
LONG = TEXT + "x" * 10_000
#: As long as the API lets a name be, in bytes.
NAME = (MARKUP + "\u202egnihton\u2067").encode().ljust(255, b"n").decode()

#: By dialect, what the pages read of it: each type, and the members of its `data`.
SHOWN = {
    "epicura": {
        "cooking:started": ["recipe_name", "recipe_id"],
        "cooking:progress": [
            "stage_name", "current_stage", "total_stages", "progress_pct", "temperature", "target_temperature", "stir_active", "stir_pattern",
            "time_remaining_s", "cv_status.class", "cv_status.confidence",
        ],
        "cooking:stage_change": ["previous_stage.name", "next_stage.name"],
        "cooking:error": ["message", "error_code", "severity"],
        "appliance:status": ["status"],
    },
    "oht50": {
        "telemetry.realtime": ["position.x", "position.y", "velocity.linear", "sensors.battery", "sensors.temperature"],
        "system.status": ["status", "state", "uptime", "version", "health.cpu", "health.memory", "health.disk", "health.temperature"],
        "mission.started": ["mission_id", "mission_type", "start_position", "target_position"],
        "mission.progress": ["mission_id", "progress", "remaining_distance", "estimated_completion"],
        "module.discovered": ["module_id", "module_type", "status", "error_description"],
        "safety.zone_entered": ["zone_id", "zone_type", "position.x", "position.y"],
        "safety.estop": ["trigger_type", "emergency_level"],
    },
    # What their frames must hold is asked when they come in; FRAMES has one that holds it.
    "reefnet": {},
    "webmacs": {},
    "signaling": {"appliance:presence": ["battery", "recording"]},
    "generic": {"odd.event": ["message", "<b>key</b>", "deep.er"], "appliance:status": ["status"], "appliance:alert": ["message"]},
}
#: A heater's frames, with odd texts wherever there may be a text.
FRAMES = {
    "status": {
        "uptime_s": 1, "firmware": {"version": TEXT, "build": TEXT}, "environment": {"temperature_c": 1e308},
        "network": {"ip": TEXT, "mac": TEXT, "ssid": TEXT, "rssi_dbm": -62},
        "subsystems": [
            {
                "key": MARKUP[:11], "label": LONG, "kind": TEXT, "state": TEXT, "badge": TEXT, "visible_alarm": TEXT, "future": {"member": [TEXT]},
                "sensors": [{"label": TEXT, "value": 1e308, "unit": TEXT}, {"label": TEXT, "value": None, "unit": "C"}],
                "safety": {"alarms": [{"code": TEXT, "title": TEXT, "detail": TEXT}]}, "setpoints": {"setpoint_min_c": 20, "setpoint_max_c": 10},
            },
        ],
    },
    "alarm": {"code": MARKUP[:11], "message": LONG, "severity": TEXT, "active": True, "detail": TEXT},
}


#: Rounds in which all say something: what stands in a member of this name, the first of its event or a further one.
ROUNDS = {
    "texts": lambda name, is_first: LONG if is_first else TEXT,
    "other kinds": lambda name, is_first: [{name: [TEXT, None, 1e308]}],
    "numbers": lambda name, is_first: -1e308,
    "nothing": lambda name, is_first: None,
}


def data(members, value_of):
    """`{"a.b": …}` as `{"a": {"b": …}}`."""
    built = {}
    for number, path in enumerate(members):
        *places, last = path.split(".")
        at = built
        for place in places:
            at = at.setdefault(place, {})
        at[last] = value_of(last, number == 0)
    return built


async def write_names(page):
    """Everything that has a name which a person may give."""
    for dialect in SHOWN:
        appliance = {"id": f"odd-{dialect}", "name": NAME, "dialect": dialect, "owner_id": "demo"}
        if dialect == "signaling":
            appliance["accepts_unproven"] = True
        await made(page, "/v1/appliances", appliance)
    await made(page, "/v1/appliances/odd-webmacs/sensors/odd", {"name": NAME, "unit": MARKUP[:16]}, "PUT")
    await made(page, "/v1/appliances/odd-webmacs/experiments", {"name": NAME})
    condition = {"event": "odd.event"}
    await made(page, "/v1/rules", {"id": "odd", "name": NAME, "appliances": ["odd-generic"], "when": condition})
    hook = await made(page, "/v1/webhooks", {"name": NAME, "url": "https://receiver.example.com/" + "u" * 1000, "event_types": ["webhook.disabled"]})
    await api(page, "/v1/auth/login", "POST", {"user_id": NAME, "password": "of nobody"})
    return hook["webhook"]["id"]


async def made(page, path, body, method="POST"):
    answer = await api(page, path, method, body)
    assert "code" not in answer, f"{path}: {answer}"
    return answer


async def show_hostile(page, client, pictures):
    await page.run("document.title = 'Martlet'")
    hook = await write_names(page)
    # The browser tells of the login that was refused.
    page.complaints.clear()
    # The fleet is asked for once.
    await page.do("Page.reload")
    everywhere = {
        "#/fleet": "table.fleet tbody tr", "#/alarms": "li.alarm", "#/cameras": ".camera", "#/rules": "tbody tr", "#/rules/edit/odd": ".card input",
        "#/webhooks": "tbody tr", f"#/webhooks/{hook}": ".facts", "#/audit?result=refused": "tbody tr",
    }
    for kind, payload in FRAMES.items():
        frame = {"protocol": "reefnet.v1", "module_id": "odd-reefnet", "type": kind, "payload": payload}
        client.publish(f"reefnet/odd-reefnet/{kind}", json.dumps(frame), qos=1).wait_for_publish(10)
    for place, (name, value_of) in enumerate(ROUNDS.items()):
        for dialect, types in SHOWN.items():
            for kind, members in types.items():
                tell(client, f"odd-{dialect}", kind, data(members, value_of) | {"round": place})
            tell(client, f"odd-{dialect}", "future.kind", {"message": TEXT, "deep": {"er": [TEXT]}, "round": place})
        for dialect in SHOWN:
            await said(page, dialect, place)
        for dialect in SHOWN:
            own = f"#/appliances/odd-{dialect}"
            await look(page, own + "/events", ".timeline li", f"{dialect}, {name}")
            await look(page, own, ".probes" if dialect == "reefnet" else ".halves, .grid, .camera", f"{dialect}, {name}")
            if name == "texts":
                await page.picture(pictures / f"odd-{dialect}.png")
                await look(page, own + "/alarms", ".card", dialect)
                await look(page, own + "/commands", ".card", dialect)
                await look(page, own + "/charts", ".card", dialect)
    for address, ready in everywhere.items():
        await look(page, address, ready, "names")
        assert await page.run("document.querySelector('#main').innerText.includes('<img src=x') || location.hash.includes('edit')"), f"{address} shows no name"
    for dialect in SHOWN:
        await api(page, f"/v1/appliances/odd-{dialect}", "DELETE")
    await api(page, "/v1/rules/odd", "DELETE")
    await api(page, f"/v1/webhooks/{hook}", "DELETE")


async def said(page, dialect, place):
    """Waits until the last that was told is stored."""
    path = json.dumps(f"api/v1/appliances/odd-{dialect}/events?type=future.kind&order=newest_first&limit=1")
    await page.until(f"""(async () => {{
        const {{ access_token }} = JSON.parse(localStorage.getItem("martlet.session"));
        const answer = await fetch({path}, {{ headers: {{ Authorization: `Bearer ${{access_token}}` }} }});
        return (await answer.json()).events[0]?.data.round === {place};
    }})()""", f"{dialect} has said all of round {place}")


async def look(page, address, ready, about):
    await open_page(page, address, ready)
    await page.run("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    wrong = [sentence for sentence in await page.run(CHECKS) if "wide" in sentence or "no name" in sentence]
    if not await page.run("document.querySelector('img[src=x], #main script, #notices script') === null"):
        wrong.append("it has parsed what came from the wire")
    if "owned" in await page.run("document.title"):
        wrong.append("it has run what came from the wire")
    if await page.run("document.querySelector('#main').innerText.includes('This could not be loaded')"):
        wrong.append("it could not be loaded")
    assert not wrong, f"{address} ({about}): " + "; ".join(wrong)
