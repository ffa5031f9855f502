"""JACK's own library, on Linux: loaded before rtmidi's copy of it, and asked whether its server is still there.

rtmidi cannot tell: of a server that is gone it goes on naming the ports. Only a client's shutdown callback says it, so
there is a client here for nothing else. It has no ports, and is never part of a cycle.
"""

from __future__ import annotations

import ctypes
import itertools
import threading

from rtsep.errors import DeviceError

LIBRARY = "libjack.so.0"
NO_START_SERVER = 1  # JackNoStartServer in jack/types.h
_SHUTDOWN = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def load_library() -> ctypes.CDLL:
    """The library, for all that is loaded after it too, without its talk on the terminal: what is wrong is said by us.

    Raises
    ------
    OSError
        There is none.
    """
    library = ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL)
    # It calls these from threads of its own: a function that needs no interpreter, and does nothing.
    nothing = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
    library.jack_set_error_function(nothing)
    library.jack_set_info_function(nothing)
    return library


class ServerWatch:
    """Knows when the server goes that runs now.

    Parameters
    ----------
    name
        What the client is called.

    Raises
    ------
    DeviceError
        There is no server.
    """

    def __init__(self, name: str) -> None:
        try:
            self._library = load_library()
        except OSError as error:
            raise DeviceError(f"JACK's library cannot be loaded: {error}") from None
        self._library.jack_client_open.restype = ctypes.c_void_p
        self._library.jack_client_open.argtypes = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
        self._library.jack_on_shutdown.argtypes = ctypes.c_void_p, _SHUTDOWN, ctypes.c_void_p
        self._library.jack_client_close.argtypes = (ctypes.c_void_p,)
        self._library.jack_port_by_name.restype = ctypes.c_void_p
        self._library.jack_port_by_name.argtypes = ctypes.c_void_p, ctypes.c_char_p
        self._library.jack_port_get_all_connections.restype = ctypes.POINTER(ctypes.c_char_p)
        self._library.jack_port_get_all_connections.argtypes = ctypes.c_void_p, ctypes.c_void_p
        self._library.jack_free.argtypes = (ctypes.c_void_p,)
        self._gone = threading.Event()
        self._callback = _SHUTDOWN(lambda _: self._gone.set())  # kept: JACK holds only its address
        self._client = self._library.jack_client_open(name.encode(), NO_START_SERVER, None)
        if not self._client:
            raise DeviceError("no JACK server runs")
        self._library.jack_on_shutdown(self._client, self._callback, None)

    @property
    def is_there(self) -> bool:
        """Whether it is still there: another one that came since is not it."""
        return not self._gone.is_set()

    def is_heard(self, port: str, client: str) -> bool:
        """Whether a port is connected to a client whose name begins so."""
        found = self._library.jack_port_by_name(self._client, port.encode())
        names = self._library.jack_port_get_all_connections(self._client, found) if found else None
        if not names:
            return False
        try:
            return any(name.startswith(client.encode()) for name in itertools.takewhile(bool, names))
        finally:
            self._library.jack_free(names)

    def close(self) -> None:
        """Watch no more."""
        self._library.jack_client_close(self._client)
