"""What a machine that joins by itself does before it has a bundle: looks at itself, fetches the bundle, and says what stands in the way.

usage: machine.py SETTINGS preflight | fetch FILE | report TEXT

Exit codes: 0 done; 1 a fault that may pass; 3 a refusal, told on stdout, that trying again will not change.
Nothing but the standard library of Python 3.6, which is there wherever cloud-init is.
"""
import email.utils
import hashlib
import http.client
import json
import os
import platform
import random
import shutil
import ssl
import subprocess
import sys
import time
import urllib.parse

CHUNK_BYTES = 1024 * 1024
LONGEST_PAUSE_S = 30
CLOCK_PATIENCE_S = 120


class Refused(Exception):
    """Will be the same the next time."""


def main(arguments):
    with open(arguments[0]) as file:
        settings = json.load(file)
    verb, rest = arguments[1], arguments[2:]
    try:
        if verb == "preflight":
            preflight(settings)
        elif verb == "fetch":
            fetch(settings, rest[0])
        elif verb == "report":
            report(settings, rest[0])
        else:
            raise SystemExit("there is no command " + verb)
    except Refused as refusal:
        print(refusal)
        return 3
    return 0


def preflight(settings):
    problems = owner(settings) + own_problems(settings)
    if problems:
        raise Refused("; ".join(problems))
    # A machine that has just started may not have asked for the time yet.
    deadline = time.monotonic() + settings.get("clockPatienceS", CLOCK_PATIENCE_S)
    while True:
        skew = patiently(settings, "it can't dial the master at " + settings["endpoint"], lambda: clock_skew(settings))
        if abs(skew) < settings["clockSkewS"]:
            return
        if time.monotonic() > deadline:
            raise Refused("its clock is %.1f s %s the master's" % (abs(skew), "ahead of" if skew > 0 else "behind"))
        time.sleep(5)


def owner(settings):
    try:
        with open(settings["identityFile"]) as file:
            known = json.load(file)
    except (OSError, ValueError):
        return []
    if known.get("environmentId") in (None, settings["environmentId"]):
        return []
    return ['it belongs to the environment "%s" (%s) as %s' % (known.get("environment"), known["environmentId"], known.get("machine"))]


def own_problems(settings):
    problems = []
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if arch != settings["arch"]:
        problems.append("its processor is %s; the bundle is for %s" % (arch, settings["arch"]))
    problems += libc_problems(settings["oldestGlibc"])
    if settings["isHost"]:
        problems += init_problems(settings["oldestSystemd"])
    free = free_mib(settings["opt"])
    if not os.path.isdir(settings["bundle"]) and free < settings["diskMiB"]:
        problems.append("%d MiB free on its disk, %d MiB needed" % (free, settings["diskMiB"]))
    memory = memory_mib()
    if memory is not None and memory < settings["memoryMiB"]:
        problems.append("it has %d MiB of memory, %d MiB are needed" % (memory, settings["memoryMiB"]))
    missing = [tool for tool in settings["tools"] if shutil.which(tool) is None]
    if missing:
        problems.append("it lacks " + ", ".join(missing))
    return problems


def libc_problems(oldest):
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name, version = "", ""
    if name != "glibc":
        return ["its C library is not glibc, which the bundle's Node needs"]
    if numbers(version) < numbers(oldest):
        return ["its C library is glibc %s; the bundle's Node needs %s" % (version, oldest)]
    return []


def init_problems(oldest):
    if not os.path.isdir("/run/systemd/system"):
        return ["its init is not systemd, which is needed on a machine that joins by itself"]
    words = subprocess.run(["systemctl", "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout.split()
    version = int("".join(digit for digit in words[1][:4] if digit.isdigit()) or 0) if len(words) > 1 else 0
    return [] if version >= oldest else ["its systemd is %d; %d or newer is needed" % (version, oldest)]


def numbers(version):
    return [int(part) for part in version.split(".") if part.isdigit()]


def free_mib(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize // (1024 * 1024)


def memory_mib():
    try:
        with open("/proc/meminfo") as file:
            return int(file.readline().split()[1]) // 1024
    except (OSError, ValueError, IndexError):
        return None


def clock_skew(settings):
    """Seconds ahead of the master, whose answer has whole ones; one that lies between question and answer is right."""
    asked = time.time()
    connection, answer = ask(settings, "GET", "/v1/health", {})
    answered = time.time()
    answer.read()
    connection.close()
    told = answer.getheader("Date")
    if told is None:
        return 0
    master = email.utils.parsedate_to_datetime(told).timestamp()
    if answered < master:
        return answered - master
    return asked - master - 1 if asked > master + 1 else 0


def fetch(settings, path):
    patiently(settings, "the bundle can't be fetched", lambda: fetch_rest(settings, path))


def fetch_rest(settings, path):
    wanted = settings["bytes"]
    have = os.path.getsize(path) if os.path.exists(path) else 0
    if have < wanted:
        have = receive(settings, path, have)
    if have < wanted:
        raise OSError("the connection broke at %d of %d bytes" % (have, wanted))
    total = sha256_of(path)
    if total != settings["sha256"]:
        os.remove(path)
        raise OSError("the bundle arrived broken: its SHA-256 is %s, expected %s" % (total, settings["sha256"]))


def receive(settings, path, have):
    headers = {"Authorization": "Bearer " + settings["token"]}
    if have:
        headers["Range"] = "bytes=%d-" % have
    connection, answer = ask(settings, "GET", "/v1/bundles/" + settings["digest"], headers)
    try:
        if answer.status not in (200, 206):
            raise error_of(answer)
        with open(path, "ab" if answer.status == 206 else "wb") as file:
            while True:
                chunk = answer.read(CHUNK_BYTES)
                if not chunk:
                    break
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    finally:
        connection.close()
    return os.path.getsize(path)


def sha256_of(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            total.update(chunk)
    return total.hexdigest()


def report(settings, text):
    body = json.dumps({"node": settings["node"], "token": settings["token"], "problem": text[:2000]})
    connection, answer = ask(settings, "POST", "/v1/join-problem", {"Content-Type": "application/json"}, body)
    answer.read()
    connection.close()


def ask(settings, method, path, headers, body=None):
    url = urllib.parse.urlsplit(settings["endpoint"])
    # The environment's CA and no other; the host's name is checked too.
    trust = ssl.create_default_context(cafile=settings["caFile"])
    connection = http.client.HTTPSConnection(url.hostname, url.port or 443, timeout=30, context=trust)
    connection.request(method, path, body=body, headers=headers)
    return connection, connection.getresponse()


def error_of(answer):
    try:
        message = json.loads(answer.read(65536).decode("utf-8"))["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = "the master answered with HTTP %d" % answer.status
    # A bundle that is not there will not come either: it was given before this machine was made.
    return Refused(message) if answer.status in (400, 401, 403, 404) else OSError(message)


def patiently(settings, what, act):
    """Tries again with growing pauses while the fault may pass; then it is a refusal."""
    deadline = time.monotonic() + settings["patienceS"]
    pause = 1
    while True:
        try:
            return act()
        except (OSError, http.client.HTTPException, ValueError) as fault:
            words = "%s: %s" % (what, fault)
            print(words, file=sys.stderr, flush=True)
            if time.monotonic() + pause > deadline:
                raise Refused(words)
            time.sleep(pause * (0.5 + random.random()))
            pause = min(2 * pause, LONGEST_PAUSE_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
