"""OSC (Open Sound Control 1.0, over UDP): the addresses of the board, on a network.

::

    socket ──▶ limits ──▶ messages ──▶ board      `surface` owns the socket, and a thread for each direction
    socket ◀── clients ◀──── feeds ◀───┘

A message sets what its address or pattern matches; without a value it asks, or presses a button that it names
exactly. What takes a number is no button: ``/transport/position_s`` alone asks for the place in the song. No pattern
presses a button, with a value or without: ``//* 1`` saves, deletes and seeks nothing. A bundle is heard at one instant,
and may be for later. Beside the board's own addresses there are::

    ADDRESS/position 0..1     sets by the position of the fader, as controllers do; of a gain, 1 is 10 dB
    /subscribe [PORT]         every change but the sender's own is sent here (to that port) from now on, for a minute
                              after the sender's last message
    /unsubscribe              ends what this sender has subscribed; the clients of the settings stay
    /namespace [PATTERN]      one reply for each parameter: address, unit, lowest, highest, default, what it does

Who has subscribed is told twenty times a second of ``/meter/STEM PEAK_DBFS RMS_DBFS``, ``/meter/main PEAK_DBFS``,
``/status LOAD LATE_BLOCKS XRUNS`` and, of a file, ``/place PLACE_S LENGTH_S``. Answers go to whoever asked. What is
itself an answer, or only told, is never answered: two sessions may be each other's clients. Switches are sent as 1 and
0, which all controllers understand; a list is several values of one message. What is wrong is answered by ``/error
TEXT``, one for each address, and counted; what becomes of that which takes time (``/record``, ``/model/name``, a scene
to be written) is told at ``/message``. Nothing that comes in can end the session, and none can hold the board for long:
what is touched, tried and answered is paid for from one budget of so much a second. Whoever sends from the machine of a
client of the settings is taken for that client, unless that machine has several, or the sender has subscribed itself.
"""

from rtsep.control.osc.surface import OscSurface as OscSurface
