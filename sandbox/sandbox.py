"""sandbox.py up|serve|down|code DIR: the life of a sandbox.

`up` leaves a supervisor behind that holds the servers; `down` ends it. `serve` is the supervisor in the foreground, for
test programs: it makes worlds and calls AWS as it is told on standard input, and when that closes everything ends.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import people

READY_S = 90
# Only a directory with this file in it is ever emptied: a pid file may be anybody's.
MARK = ".bg-shell-sandbox"


def up(place):
    """Starts the supervisor, waits for its word, says what to try."""
    if running(place):
        print(f"sandbox: running already: {place} (sandbox/down {place} stops it)")
        return
    began = time.monotonic()
    fresh(place)
    with open(f"{place}/supervisor.log", "wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "hold", place],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not os.path.exists(f"{place}/ready"):
        if supervisor.poll() is not None or time.monotonic() - began > READY_S:
            supervisor.kill()
            with open(f"{place}/supervisor.log") as log:
                raise SystemExit(f"sandbox: it did not start:\n{log.read()}")
        time.sleep(0.05)
    with open(f"{place}/welcome") as welcome:
        print(f"sandbox: up after {time.monotonic() - began:.1f} s\n{welcome.read()}", end="")


def down(place):
    """Stops the supervisor; the kernel takes the servers with it."""
    pid = running(place)
    if not pid:
        print(f"sandbox: nothing runs in {place}")
        return
    os.kill(pid, signal.SIGTERM)
    while running(place):
        time.sleep(0.02)
    print(f"sandbox: stopped (pid {pid}); its files are still in {place}")


def running(place):
    """Returns the supervisor's pid, if that process is still the one that wrote it down."""
    try:
        with open(f"{place}/pid") as file:
            pid, started = file.read().split()
        return int(pid) if started_at(pid) == started else None
    except (OSError, ValueError):
        return None


def started_at(pid):
    """Returns when a process started, in clock ticks since boot (proc_pid_stat(5))."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ValueError("a zombie runs no longer")
    return fields[19]


def fresh(place):
    """Makes the directory, or empties one that an earlier sandbox made. Nothing else is ever removed."""
    if os.path.exists(f"{place}/{MARK}"):
        shutil.rmtree(place)
    os.makedirs(place, mode=0o700, exist_ok=True)
    if os.listdir(place):
        raise SystemExit(f"sandbox: {place} is not empty, and no sandbox made it: name another directory")
    people.write(f"{place}/{MARK}", "")
    people.write(f"{place}/pid", f"{os.getpid()} 0")


class Supervisor:
    """Holds the servers, and the account in them."""

    def __init__(self, place):
        from servers import Servers

        self.place = place
        self.servers, self.stacks = Servers(place), None
        people.write(f"{place}/pid", f"{os.getpid()} {started_at(os.getpid())}")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    def make(self):
        """Starts and makes everything; returns what it is called."""
        keys = threading.Thread(target=people.make, args=[self.place])
        keys.start()
        from account import Account
        import world

        self.account = Account(*self.servers.ministack())
        made = self.account.make()
        self.account.identities(f"{self.place}/s3.json")
        s3 = self.servers.seaweedfs(f"{self.place}/s3.json")
        self.account.make_evidence(s3)
        keys.join()
        self.made = made | {"place": self.place, "aws": self.account.endpoint, "s3": s3}
        world.profiles(self.account, self.place)
        return self.made

    def hold(self):
        """Makes the one world of a sandbox for people, and waits for the end."""
        import welcome
        import world

        self.made = self.make()
        world.make(self.account, self.made, "", self.place)
        welcome.write(self.made)
        people.write(f"{self.place}/ready", "")
        while True:
            signal.pause()

    def serve(self):
        """Answers, line by line, until standard input closes."""
        print(json.dumps({"ok": self.make()}), flush=True)
        for line in sys.stdin:
            try:
                answer = {"ok": self.answer(json.loads(line))}
            except Exception as e:  # whatever it is, the test that asked is to see it
                code = getattr(e, "response", {}).get("Error", {}).get("Code", type(e).__name__)
                answer = {"error": code, "message": str(e)}
            print(json.dumps(answer, default=plain), flush=True)

    def with_tls(self):
        """Returns the account that stacks are deployed in; it is started when the first one is."""
        from account import Account

        if not self.stacks:
            self.stacks = Account(*self.servers.ministack_tls())
        return self.stacks

    def answer(self, ask):
        import stack
        import world

        if "world" in ask:
            return world.make(self.account, self.made, ask["world"], f"{self.place}/worlds/{ask['world']}")
        if "stack" in ask:
            return stack.deploy(self.with_tls(), self.made, ask["stack"], ask["lock"])
        if "relax" in ask:
            return stack.relax(self.with_tls(), ask["relax"])
        if "kill" in ask:
            return self.servers.kill(ask["kill"])
        if "code" in ask:
            with open(f"{self.place}/totp/{ask['code']}") as secret:
                return people.code(secret.read())
        account = self.with_tls() if ask.get("on") == "stacks" else self.account
        if "keys" in ask:
            account.keys[ask["as"]] = ask["keys"]
        client = account.client(ask["service"], ask["as"])
        answer = getattr(client, ask["call"])(**ask["with"])
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def plain(value):
    """Makes JSON of what boto3 returns besides: bytes, bodies and times."""
    if hasattr(value, "read"):
        value = value.read()
    return value.hex() if isinstance(value, bytes) else str(value)


def main(command, place, *rest):
    place = os.path.abspath(place)
    if command == "code":
        with open(f"{place}/totp/{rest[0]}") as secret:
            print(people.code(secret.read()))
    elif command in ("hold", "serve"):
        if command == "serve":
            fresh(place)
        supervisor = Supervisor(place)
        try:
            getattr(supervisor, command)()
        finally:
            supervisor.servers.stop()
            if command == "serve":
                shutil.rmtree(place, ignore_errors=True)
    else:
        {"up": up, "down": down}[command](place)


if __name__ == "__main__":
    main(*sys.argv[1:])
