"""A Python that has imported already what takes seconds: each start of it is a fork.

What drives Snakemake starts some hundred processes, and each of them would spend most of its time on the same imports.
Nothing of scatterheal is among these: what runs is the copy that the caller's PYTHONPATH names.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

IMPORTED = (
    *("cv2", "fabio", "h5py", "hdf5plugin", "pyFAI.detectors", "PIL.Image", "tifffile"),
    *("contourpy", "matplotlib.backends.backend_agg", "matplotlib.figure", "pandas", "scipy.sparse.linalg"),
    *("scipy.ndimage", "scipy.stats", "skimage.color.colorconv", "skimage.draw.draw", "skimage.exposure"),
    *("skimage.measure._regionprops", "skimage.morphology.footprints", "skimage.restoration.inpaint"),
    *("torch._dynamo", "tqdm", "yaml", "pydantic", "jinja2", "nbformat", "pygments.formatters", "requests"),
    *("snakemake.cli", "snakemake.script", "snakemake.report.html_reporter"),
)


@functools.cache
def python():
    """The path of a program to be called as `sys.executable` is; it works as long as this process lives."""
    if not hasattr(os, "pidfd_open"):
        return sys.executable
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    program, address = folder / "python", folder / "socket"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{__file__}' '{address}' \"$@\"\n")
    program.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, __file__, address],
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": folder},
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
    )
    assert server.stdout.readline()
    # It ends with its standard input.
    atexit.register(server.communicate)
    return str(program)


def call(address, arguments):
    """Have this process's work done by a fork, and end as it does."""
    request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ), "group": os.getpgrp()}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(address)
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        code = json.loads(server.recv(100))
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)


def serve(address):
    """Fork for each that calls, and tell it how its fork ended; in a fork, return what is asked of it."""
    with selectors.DefaultSelector() as waiting, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen(100)
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    # Who started this ends.
                    shutil.rmtree(Path(address).parent)
                    sys.exit()
                if key.fileobj is listener:
                    caller, _ = listener.accept()
                    request, files, *_ = socket.recv_fds(caller, 2**20, 3)
                    if not (process := os.fork()):
                        return json.loads(request), files
                    for file in files:
                        os.close(file)
                    waiting.register(os.pidfd_open(process), selectors.EVENT_READ, (process, caller))
                else:
                    process, caller = key.data
                    waiting.unregister(key.fileobj)
                    os.close(key.fileobj)
                    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                    # Who called may have been killed.
                    with caller, contextlib.suppress(BrokenPipeError):
                        caller.send(str(code).encode())


def begin(request, files):
    """Become what a process with these arguments is when it begins; the script or `-m` and the module."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # Who kills the caller's group kills this too; a group of another session cannot be joined.
    with contextlib.suppress(PermissionError):
        os.setpgid(0, request["group"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.executable = str(Path(sys.argv[1]).with_name("python"))
    first, *others = request["arguments"]
    sys.argv = [first, *others] if first != "-m" else others
    of_path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:1] = [os.getcwd() if first == "-m" else str(Path(first).parent), *of_path]


def run(arguments):
    """Run the script or module, end what it began, and say how it ended; the imports are not worth taking down."""
    code = 0
    try:
        if arguments[0] == "-m":
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[2:]:
        call(sys.argv[1], sys.argv[2:])
    for name in IMPORTED:
        # What is not installed is not used.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    asked, its_files = serve(sys.argv[1])
    begin(asked, its_files)
    run(asked["arguments"])
