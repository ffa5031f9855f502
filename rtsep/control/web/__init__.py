"""The web mixer: a page in a browser that shows a session and moves its parameters.

::

    session process                                   server process              browsers
    board ─▶ feed ─┐                                                          ┌─▶ page
    status ────────┼─▶ link.py ── lines of JSON ──▶ server.py ── websocket ───┼─▶ page
    board.set ◀────┘      ◀────── through pipes ───    ◀── guard.py ──────────┴── page

The server has a process of its own, since a busy Python thread beside the engine costs it time. It knows nothing of
music: it keeps what the session last said (`world.World`), and every page gets what it lacks of that, the newest only.

Between the two (`rtsep.control.wire`):

=========  ==========================================================================================
to server  ``open`` (once, where to listen), ``world`` (what there is), ``news`` (values), ``status``
back       ``listening`` or ``failed`` (once), ``pages`` (how many there are), ``set`` (somebody moved something)
=========  ==========================================================================================
"""
