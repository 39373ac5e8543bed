"""Debian's headless Chromium as a process, which ends with what was done in it."""
import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
    # The names that hide local addresses could only be resolved by a local network.
    "--disable-features=WebRtcHideLocalIpsWithMdns", "--remote-debugging-port=0",
]


@contextlib.contextmanager
def headless(url, *flags):
    """A fresh browser on a page, for the length of the block; gives the folder of its profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # What Debian starts is a shell that waits for the browser, so its whole group is ended.
        browser = subprocess.Popen(
            ["chromium-headless-shell", *FLAGS, f"--user-data-dir={profile}", *flags, url], start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield pathlib.Path(profile)
        finally:
            os.killpg(browser.pid, signal.SIGTERM)
            browser.wait()
