"""Plays every connection script with the JavaScript client in a headless Chromium, one line each. Ends with 0 when all went as written.

run.py [NAME…]     only scripts whose names contain one of these
"""
import asyncio
import sys
import tempfile

import server

LIMIT_SECONDS = 600


async def main(names):
    loop = asyncio.get_running_loop()
    reported = loop.create_future()
    files, sockets = await server.serve(lambda body: loop.call_soon_threadsafe(reported.set_result, body))
    page = f"http://127.0.0.1:{files}/browser.html?sockets={sockets}&only={','.join(names)}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            "chromium-headless-shell", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", page, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            results = await asyncio.wait_for(reported, LIMIT_SECONDS)
        finally:
            browser.terminate()
            await browser.wait()
    for result in results:
        print("ok  " if not result["failures"] else "FAIL", result["name"], *(f"\n       {failure}" for failure in result["failures"]))
    failed = sum(bool(result["failures"]) for result in results)
    print(f"connection scripts: {len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


sys.exit(asyncio.run(main(sys.argv[1:])))
