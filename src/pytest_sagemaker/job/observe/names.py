"""The job's host names, inside one machine: `algo-1` and port 7777 lead to a free port of the loopback."""

from __future__ import annotations

import importlib
import os
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

from pytest_sagemaker.job.observe.patching import replace_everywhere, wrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOPBACK = "127.0.0.1"
_OWN = ("localhost", LOOPBACK, "::1", "0.0.0.0")
_OPTIONS = (  # of TCPStore after host and port, in order
    "world_size",
    "is_master",
    "timeout",
    "wait_for_workers",
    "multi_tenant",
    "master_listen_fd",
    "use_libuv",
)
_TIMEOUT = timedelta(seconds=300)  # TCPStore's own default
_POLL = 0.002


def redirect(hosts: tuple[str, ...], own: str, folder: Path) -> None:
    """Make torch's rendezvous and Python's sockets understand the names of the job's hosts.

    `own` is the host of this process. Through files in `folder` the ranks tell each other which real port
    stands for `host:port`: two jobs never meet, and a store that no rank serves is waited for until its
    timeout, as in the cloud.
    """
    ports = _Ports(hosts, own, folder)
    real: Any = vars(dist)["TCPStore"]

    class TCPStore(real):  # type: ignore[misc]  # a C++ class that torch's stubs do not export
        """torch's own, at the real port."""

        def __init__(self, host_name: str, port: int, *args: Any, **kwargs: Any) -> None:
            options = dict(zip(_OPTIONS, args, strict=False)) | kwargs
            if options.get("is_master") and port and options.get("master_listen_fd") is None:
                options["master_listen_fd"] = ports.serve(port)
            host_name, port = ports.find(host_name, port, options.get("timeout", _TIMEOUT))
            super().__init__(host_name, port, **options)

    replace_everywhere("torch.distributed", real, TCPStore)
    # A launcher's agent would hold the store; here rank 0 does, whatever TORCHELASTIC_USE_AGENT_STORE says.
    rendezvous = importlib.import_module("torch.distributed.rendezvous")  # as an attribute it is a function
    wrap(rendezvous, "_torchelastic_use_agent_store", lambda _: lambda: False)

    def resolving(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda host, *args, **kwargs: original(LOOPBACK if host in hosts else host, *args, **kwargs)

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        wrap(socket, name, resolving)
    wrap(socket, "gethostname", lambda _: lambda: own)


class _Ports:
    """Which real port of this machine stands for a port of a host: one small file for each."""

    def __init__(self, hosts: tuple[str, ...], own: str, folder: Path) -> None:
        self._hosts = hosts
        self._own = own
        self._folder = folder
        self._served: set[int] = set()

    def serve(self, port: int) -> int | None:
        """A listening socket on a free port, published as this host's `port`; None if it was before."""
        if port in self._served:
            return None
        self._served.add(port)
        listening = socket.create_server((LOOPBACK, 0))
        draft = self._file(self._own, port).with_suffix(f".{os.getpid()}")
        draft.write_text(str(listening.getsockname()[1]), encoding="ascii")
        draft.replace(self._file(self._own, port))
        return listening.detach()

    def find(self, host: str, port: int, timeout: timedelta) -> tuple[str, int]:
        """Where to connect for `host:port`, once a rank serves it; other hosts stay as they are.

        Raises:
            torch.distributed.DistNetworkError: no rank served it in time.
        """
        host = self._own if host in _OWN else host
        if host not in self._hosts or not port:
            return host, port
        file = self._file(host, port)
        end = time.monotonic() + timeout.total_seconds()
        while not file.exists():
            if time.monotonic() > end:
                raise dist.DistNetworkError(
                    f"The client socket has timed out after {timeout.total_seconds():.0f}s "
                    f"while trying to connect to ({host}, {port})."
                )
            time.sleep(_POLL)
        return LOOPBACK, int(file.read_text(encoding="ascii"))

    def _file(self, host: str, port: int) -> Path:
        return self._folder / f"port-{host}-{port}"
