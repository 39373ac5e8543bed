"""Plays every connection script with the JavaScript client in a headless Chromium, one line each. Ends with 0 when all went as written.

run.py [NAME…]     only scripts whose names contain one of these
"""
import asyncio
import pathlib
import sys

import server

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Chromium"))
from headless import headless

LIMIT_SECONDS = 600


async def main(names):
    loop = asyncio.get_running_loop()
    reported = loop.create_future()
    files, sockets = await server.serve(lambda body: loop.call_soon_threadsafe(reported.set_result, body))
    page = f"http://127.0.0.1:{files}/browser.html?sockets={sockets}&only={','.join(names)}"
    with headless(page):
        results = await asyncio.wait_for(reported, LIMIT_SECONDS)
    for result in results:
        print("ok  " if not result["failures"] else "FAIL", result["name"], *(f"\n       {failure}" for failure in result["failures"]))
    failed = sum(bool(result["failures"]) for result in results)
    print(f"connection scripts: {len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


sys.exit(asyncio.run(main(sys.argv[1:])))
