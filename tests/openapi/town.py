"""Owns a network of real processes in a directory of its own: a hub and agents on loopback.

Ends what it started, and nothing else.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

DEADLINE_S = 120


def until(what, condition):
    """What the condition gives once it is true."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain until {what}")
        time.sleep(0.05)


class Town:
    def __init__(self, programs):
        self.programs = programs
        self.dir = tempfile.mkdtemp(prefix="plek-openapi-")
        self.running = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for name in list(self.running):
            try:
                self.stop(name)
            except RuntimeError as fault:
                if kind is None:
                    raise
                print(fault)
        if kind is None:
            shutil.rmtree(self.dir)
        else:
            print(f"what was left: {self.dir}")

    def path(self, name):
        return os.path.join(self.dir, re.sub(r"\W", "-", name.lower()))

    def socket(self, name):
        return os.path.join(self.path(name), "api.sock")

    def command(self, program, *words, text=None):
        done = subprocess.run([os.path.join(self.programs, program), *words], input=text, text=True,
                              capture_output=True, timeout=DEADLINE_S)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {words}: {done.returncode}: {done.stderr}")
        return done.stdout

    def start(self, name, program, *words):
        """The daemon's `ready` line."""
        log = open(self.path(name) + ".log", "ab")
        process = subprocess.Popen(  # it ends with us, however we end
            ["setpriv", "--pdeathsig", "KILL", os.path.join(self.programs, program), "run", "--dir",
             self.path(name), *words], stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        self.running[name] = process
        for line in process.stdout:
            if line.startswith("ready "):
                return line
        raise RuntimeError(f"{name} ended with {process.wait()}: see {self.path(name)}.log")

    def stop(self, name):
        process = self.running.pop(name)
        process.terminate()
        status = process.wait(DEADLINE_S)
        process.stdout.close()
        if status != 0:
            raise RuntimeError(f"{name} ended with {status}")

    def start_hub(self, charter, *settings):
        """The address that it listens on."""
        file = self.path("charter") + ".json"
        with open(file, "w", encoding="utf-8") as out:
            json.dump(charter, out)
        self.command("plek-hub", "init", "--dir", self.path("hub"), "--name", "Noord",
                     "--charter", file)
        with open(os.path.join(self.path("hub"), "hub.conf"), "a", encoding="utf-8") as out:
            out.writelines(f"{setting}\n" for setting in settings)
        ready = self.start("hub", "plek-hub", "--listen", "127.0.0.1:0")
        return re.search(r"addr=(\S+)", ready)[1]

    def start_agent(self, name, invitation):
        """The address of its pages."""
        self.command("plek-agent", "init", "--dir", self.path(name), "--unsealed")
        self.command("plek-agent", "join", "--dir", self.path(name), "-", text=invitation)
        ready = self.start(name, "plek-agent", "--web", "127.0.0.1:0")
        return re.search(r"web=http://(\S+)", ready)[1]
