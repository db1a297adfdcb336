"""Put on PYTHONPATH by the kill tests: breaks a real run at a chosen moment, in either process.

SABOTAGE=kill:PROCESS:CALL:N    kill -9 this process at its Nth call (CALL: replace, fsync, put)
SABOTAGE_MARK=FILE              each kill writes a line there
SABOTAGE=die:METHOD             kill -9 the worker inside METHOD's adapt
SABOTAGE=raise:METHOD           raise inside METHOD's adapt
SABOTAGE=full:N                 no space left on device from the worker's Nth kept result on
"""

import os
import signal
import sys

_MODE, _, _REST = os.environ.get("SABOTAGE", "").partition(":")
_IN_WORKER = "nshot.bench.execute.worker" in " ".join(sys.orig_argv)


def _kill():
    if mark := os.environ.get("SABOTAGE_MARK"):
        with open(mark, "a", encoding="utf-8") as file:
            file.write("killed\n")
    os.kill(os.getpid(), signal.SIGKILL)


def _count_down(owner, name, n):
    """Replace owner.name by itself, killing this process just before its nth call."""
    original, calls = getattr(owner, name), [0]

    def counted(*args, **kwargs):
        calls[0] += 1
        if calls[0] == n:
            _kill()
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def _break_adapt(name, what):
    from nshot.methods import TABLE

    cls = TABLE[name]
    cls.adapt = lambda self, task, shots, bench: what()


def _raise():
    raise RuntimeError("sabotaged on purpose")


def _fill_disk(n):
    from nshot.bench.store import Store

    original, calls = Store.put, [0]

    def put(self, *args):
        calls[0] += 1
        if calls[0] >= n:
            raise OSError(28, "No space left on device", str(self.root))
        return original(self, *args)

    Store.put = put


if _MODE == "kill":
    process, call, number = _REST.split(":")
    if (process == "worker") == _IN_WORKER:
        if call == "put":
            from nshot.bench.store import Store

            _count_down(Store, "put", int(number))
        else:
            _count_down(os, call, int(number))
elif _IN_WORKER and _MODE == "die":
    _break_adapt(_REST, _kill)
elif _IN_WORKER and _MODE == "raise":
    _break_adapt(_REST, _raise)
elif _IN_WORKER and _MODE == "full":
    _fill_disk(int(_REST))
