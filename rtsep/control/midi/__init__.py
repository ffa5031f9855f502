"""MIDI controllers: bytes (`ports`) -> messages (`messages`) -> bindings (`maps`) -> the board (`surface`).

::

    process of its own       session process
    ports ◀─▶ porter ──────▶ Parser ──▶ Assembler ──▶ Surface ──▶ board      one for each controller
                ▲                          │             │
                └─────────────── lights ───│─────────────┴──── feed          `controllers` plugs and unplugs them
                                           └──▶ recognise ──▶ learn ──▶ map  a control that is touched while an
                                                                             address waits

`known` has the maps that there are; `listening` hears ports without a session, for the commands.
"""
