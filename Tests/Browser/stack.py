"""A running stack, as `localstack up` made it: addresses, the command line against it, simulators, and what happens to its services."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time


class Stack:
    def __init__(self, folder, programs):
        self.folder, self.programs = pathlib.Path(folder).resolve(), pathlib.Path(programs).resolve()
        self.report = json.loads((self.folder / "stack.json").read_text())
        self.page = self.report["page"]
        self.password = pathlib.Path(self.report["password_file"]).read_text().strip()
        self.children = []

    @classmethod
    @contextlib.contextmanager
    def up(cls, folder, programs):
        subprocess.run([f"{programs}/localstack", "up", "--folder", folder], check=True, stdout=subprocess.DEVNULL)
        stack = cls(folder, programs)
        try:
            yield stack
        finally:
            for child in stack.children:
                child.terminate()
            for child in stack.children:
                child.wait()
            subprocess.run([f"{programs}/localstack", "down", "--folder", folder], check=True, stdout=subprocess.DEVNULL)

    @property
    def environment(self):
        """The addresses and credentials that martletctl wants."""
        logins = {
            "POSTGRES": self.report["postgres"]["martlet"], "REDIS": self.report["redis"]["admin"],
            "MQTT": self.report["mosquitto"]["simulator"],
        }
        values = {f"MARTLET_{name}_URL": login["url"] for name, login in logins.items()}
        values |= {f"MARTLET_{name}_PASSWORD_FILE": login["password_file"] for name, login in logins.items()}
        return {**os.environ, **values, "MARTLET_JWT_SECRET_FILE": str(self.folder / "secrets" / "jwt")}

    def ctl(self, *arguments, given=""):
        command = [f"{self.programs}/martletctl", *arguments]
        return subprocess.run(command, input=given, text=True, check=True, capture_output=True, env=self.environment).stdout.strip()

    def keep(self, *arguments, **environment):
        """Keeps martletctl running, as a simulated device."""
        command = [f"{self.programs}/martletctl", *arguments]
        self.begin(command, {**self.environment, **environment})

    def begin(self, command, environment):
        self.children.append(
            subprocess.Popen(command, env=environment, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def process(self, name):
        """The id of a service's process: the child of the stack that listens on the service's port."""
        port = self.report["services"][name]["address"].rsplit(":", 1)[1]
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"MARTLET_PORT={port}" in (entry / "environ").read_text().split("\0"):
                    return int(entry.name)
        raise RuntimeError(f"no process of {name} is running")

    @contextlib.contextmanager
    def frozen(self, *names):
        """Services that stand still, with their connections open."""
        processes = [self.process(name) for name in names]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def kill(self, name, by=signal.SIGKILL):
        """Kills a service; what brings it back is answered, and takes what else it is to be told by its environment."""
        identifier = self.process(name)
        place = pathlib.Path("/proc", str(identifier))
        environment = dict(pair.split("=", 1) for pair in (place / "environ").read_text().split("\0") if pair)
        program = os.readlink(place / "exe")
        os.kill(identifier, by)
        # Until it is gone, or waits to be buried.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while (place / "status").read_text().split("State:")[1].split()[0] != "Z":
                time.sleep(0.02)
        return lambda **settings: self.begin([program], {**environment, **settings})

    def restart(self, name, **settings):
        """Ends a service and begins it anew with these settings; answers when it is ready."""
        self.kill(name, by=signal.SIGTERM)(**settings)
        address = self.report["services"][name]["admin"] + "/readyz"
        subprocess.run(["curl", "--fail", "--silent", "--retry", "100", "--retry-all-errors", "--retry-delay", "1", "--retry-max-time", "30",
                        "--output", "/dev/null", address], check=True)
