"""The compose file as a project of its own: its secrets, ports and network are none of what else runs on this machine."""
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ["gateway", "ingest", "persister", "rules", "api", "signaling"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Project:
    def __init__(self, name="martlet-test"):
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-compose-"))
        self.secrets = self.folder / "secrets"
        self.ports = {name: free_port() for name in ("HTTP", "HTTPS", "MQTT", "MQTTS", "PROMETHEUS", "GRAFANA")}
        self.environment = {
            **os.environ, "COMPOSE_PROJECT_NAME": name, "MARTLET_SECRETS": str(self.secrets), "MARTLET_SUBNET": "172.30.43.0/24",
            # What a machine for tests allows a container may be less than the default.
            "MARTLET_GATEWAY_FILES": "4096",
            **{f"MARTLET_{name}_PORT": str(port) for name, port in self.ports.items()},
        }

    def run(self, *command, limit=1800, text=None):
        """What the command writes to standard output; its failure is the test's."""
        done = subprocess.run(command, cwd=ROOT, env=self.environment, input=text, timeout=limit, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout

    def compose(self, *arguments, **options):
        return self.run("docker", "compose", *arguments, **options)

    def up(self, **scale):
        """Starts what does not run yet, with so many replicas."""
        counts = [part for service, count in scale.items() for part in ("--scale", f"{service}={count}")]
        self.compose("up", "-d", "--no-recreate", *counts)

    def containers(self, service):
        return self.compose("ps", "-q", service).split()

    def health(self, container):
        return self.run("docker", "inspect", "-f", "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}", container).strip()

    def martletctl(self, *arguments, text=None):
        return self.compose("run", "--rm", "-T", "martletctl", *arguments, text=text)

    def row(self, sql):
        return self.compose("exec", "-T", "postgres", "psql", "-U", "martlet", "-d", "martlet", "-tAc", sql).strip()

    def secret(self, name):
        return (self.secrets / name).read_text().strip()

    def attempt(self, service, limit_s=60):
        """The exit status of another container of the service that is started alone, 0 if it does not end by itself, and what it said."""
        command = ["docker", "compose", "run", "--rm", "--no-deps", "-T", service]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**self.environment, "MARTLET_TURN_ADDRESS": "127.0.0.1"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            said = process.communicate(timeout=limit_s)[0]
            return process.returncode, said
        except subprocess.TimeoutExpired:
            process.terminate()
            return 0, process.communicate()[0]

    def write_secret(self, name, text):
        """In place, for the file itself is what a container sees."""
        (self.secrets / name).write_text(text + "\n")

    def device(self, appliance, password):
        """Lets a device log in at the broker, while that runs."""
        with open(self.secrets / "mqtt_devices", "a") as file:
            file.write(f"{appliance}:{password}\n")
        self.compose("exec", "-T", "mosquitto", "sh", "/etc/martlet/start.sh", "reload")

    @property
    def tls(self):
        return ssl.create_default_context(cafile=self.secrets / "tls_certificate.pem")

    def clear(self):
        """Nothing is left of the project, of an earlier run that was broken off either."""
        profiles = [word for profile in ("demo", "monitoring", "tools", "turn") for word in ("--profile", profile)]
        self.compose(*profiles, "down", "-v", "--remove-orphans", "-t", "10")

    def down(self):
        try:
            self.clear()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
