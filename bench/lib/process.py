"""Runs other programs: with a limit of time, with their memory, and with nothing left behind."""

import dataclasses
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

OUTPUT_LIMIT = 16 << 20  # bytes that are looked at


class Failure(Exception):
    """What a program did instead of its work, in a line."""


@dataclasses.dataclass
class Ended:
    code: int
    out: str
    err: str
    seconds: float  # from its start to its end
    peak_bytes: int  # most memory that was resident


def end_like_an_interruption():
    """Lets SIGTERM do what Ctrl-C does: what was started is ended, what was measured is written."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def end_group(process):
    """Also what the program itself started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def start(words, environment=None, **streams):
    streams.setdefault("stdin", subprocess.DEVNULL)
    try:
        return subprocess.Popen(words, env={**os.environ, **(environment or {})}, start_new_session=True, **streams)
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}") from None


def run(words, limit_s, environment=None, codes=(0,), stdin=os.devnull):
    """The program's end; a Failure where it takes longer than limit_s, or ends with a code that is none of these."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(stdin, "rb") as given:
        begin = time.perf_counter()
        process = start(words, environment, stdin=given, stdout=out, stderr=err)
        late = threading.Event()
        timer = threading.Timer(limit_s, lambda: (late.set(), end_group(process)))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            timer.cancel()
            if process.returncode is None:  # interrupted
                end_group(process)
                process.wait()
        seconds = time.perf_counter() - begin
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(OUTPUT_LIMIT).decode("utf-8", "replace"))
        if late.is_set():
            raise Failure(f"it took longer than {limit_s:g} s and was ended")
        if process.returncode < 0:
            raise Failure(f"it was ended by signal {-process.returncode}: {last_line(texts[1])}")
        if process.returncode not in codes:
            raise Failure(f"exit code {process.returncode}: {last_line(texts[1])}")
        return Ended(process.returncode, *texts, seconds, usage.ru_maxrss * 1024)


def json_lines(text):
    """The JSON objects of a program's output, a line each."""
    objects = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Failure(f"line {number}: found '{line.strip()[:80]}', expected a JSON object")
        objects.append(value)
    return objects


def number_of(row, key):
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e15:
        raise Failure(f"{key}: found {json.dumps(value)[:80]}, expected a number above 0")
    return value
