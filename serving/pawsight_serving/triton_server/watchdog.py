"""Runs Triton and ends it when its parent is gone, however that one ended.

    python watchdog.py FOLDER MEMORY_PREFIX PROGRAM ARGUMENT…

It stands between `pawsight triton` and the server, in a session of its own with the server and the
server's children. The end of standard input, which its parent alone holds open, is the parent's
end: then it ends the server, and removes the folder and the shared memory that the parent would
have removed. It imports nothing of ours, so that it starts fast.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_GRACE_S = 10.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lies on Linux


def main() -> None:
    """Run the program; end with its status."""
    folder, prefix, *command = sys.argv[1:]
    libc = ctypes.CDLL(None)

    def ends_with_us() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    # The signal may come before the program is there to be told of it.
    started: list[subprocess.Popen[bytes]] = []
    asked = threading.Event()

    def end(*_: object) -> None:
        asked.set()
        for program in started:
            program.terminate()

    signal.signal(signal.SIGTERM, end)
    # Only one thread runs yet, so running code between fork and exec is safe.
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=ends_with_us,
    )
    started.append(server)
    if asked.is_set():
        server.terminate()
    orphaned = threading.Event()
    threading.Thread(target=_end_with_parent, args=(server, orphaned), daemon=True).start()
    status = server.wait()
    if orphaned.is_set():
        shutil.rmtree(folder, ignore_errors=True)
        # A Triton that was killed leaves its shared memory and its children behind.
        for region in _SHARED_MEMORY.glob(f"{prefix}*"):
            region.unlink(missing_ok=True)
        os.killpg(0, signal.SIGKILL)
    sys.exit(status if status >= 0 else 128 - status)


def _end_with_parent(server: subprocess.Popen[bytes], orphaned: threading.Event) -> None:
    # Not by `sys.stdin`, whose lock a waiting thread would hold at the interpreter's end.
    while os.read(0, 1024):
        pass
    orphaned.set()
    server.terminate()
    try:
        server.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    main()
