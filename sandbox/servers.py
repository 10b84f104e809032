"""The servers: ministack and SeaweedFS, on free ports of the loopback, never outliving their supervisor."""

import ctypes
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

BIN = os.path.dirname(sys.executable)
PATIENCE_S = 60


class Servers:
    """Starts servers as children that the kernel kills when the supervisor is gone, however it went."""

    def __init__(self, place):
        self.place = place
        self.children, self.named = [], {}

    def ministack(self, name="ministack", **environment):
        """Starts STS, IAM, KMS, SNS, SQS, S3 and CloudFormation; returns the endpoint and root's secret."""
        (port,) = free_ports(1)
        root = secrets.token_urlsafe(30)
        own = f"{self.place}/{name}"
        os.makedirs(own, exist_ok=True)
        # With TLS it takes port 443 besides, where it can: it cannot.
        unprivileged = ["setpriv", "--bounding-set", "-net_bind_service"] if os.getuid() == 0 else []
        self.start(
            name,
            [*unprivileged, f"{BIN}/ministack"],
            AUTH="true",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY=root,
            BIND_HOST="127.0.0.1",
            CLOUDTRAIL_RECORDING="1",
            GATEWAY_PORT=str(port),
            IOT_MTLS_ENABLED="0",
            MINISTACK_HOST="127.0.0.1",
            SFTP_ENABLED="0",
            TMPDIR=own,
            **environment,
        )
        ca = f"{own}/ministack-tls/server.crt" if environment.get("USE_SSL") else None
        endpoint = f"http{'s' if ca else ''}://127.0.0.1:{port}"
        self.wait_for(f"{endpoint}/_ministack/health", ca)
        return endpoint, root, ca

    def ministack_tls(self):
        """Starts another one that is reached by TLS, as policies may demand it."""
        return self.ministack("ministack-tls", USE_SSL="1")

    def seaweedfs(self, identities):
        """Starts S3 with the identities of a file; returns the endpoint. Its telemetry is off."""
        names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
        names += ["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
        ports = dict(zip(names, free_ports(len(names))))
        data = f"{self.place}/s3"
        os.makedirs(data, exist_ok=True)
        fixed = {"dir": data, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "master.telemetry": "false"}
        fixed |= {"master.volumeSizeLimitMB": 64, "volume.max": 0, "s3.config": identities}
        # Sockets and doors that nobody here uses.
        fixed |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "s3.iam": "false"}
        fixed |= {"filer.localSocket": f"{data}/filer.sock", "s3.localSocket": f"{data}/s3.sock"}
        options = [f"-{name}={value}" for name, value in (fixed | ports).items()]
        self.start("seaweedfs", [f"{BIN}/weed", "-logtostderr", "server", "-filer", "-s3", *options])
        endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        self.wait_for(f"{endpoint}/healthz")
        return endpoint

    def start(self, name, command, **environment):
        clean = {"PATH": os.environ["PATH"], "HOME": self.place, "LANG": "C.UTF-8"}
        with open(f"{self.place}/{name}.log", "wb") as log:
            child = subprocess.Popen(
                command,
                env=clean | environment,
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self.children.append(child)
        self.named[name] = child

    def kill(self, name):
        """Kills one server as `kill -9` does, with what it started."""
        os.killpg(self.named[name].pid, signal.SIGKILL)
        self.named[name].wait()

    def wait_for(self, url, ca=None):
        """Waits until something answers, or a server has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if any(child.poll() is not None for child in self.children):
                break
            try:
                context = ssl.create_default_context(cafile=ca) if ca else None
                urllib.request.urlopen(url, timeout=1, context=context).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"sandbox: {url} does not answer; see {self.place}/*.log")

    def stop(self):
        """Kills every server with what it started: there is nothing to keep, and SeaweedFS takes 15 s to leave."""
        for child in self.children:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()


def die_with_parent():
    """prctl(PR_SET_PDEATHSIG, SIGKILL): see prctl(2)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_ports(count):
    """Returns ports that were free together a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in sockets]
    for door in sockets:
        door.close()
    return ports
