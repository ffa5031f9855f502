"""MIDI controllers: bytes (`ports`) -> messages (`messages`) -> bindings (`maps`) -> the board (`surface`).

::

    process of its own       session process
    ports ◀─▶ porter ──────▶ Parser ──▶ Assembler ──▶ Surface ──▶ board      one for each controller
                ▲                                        │
                └──────────────── lights ◀───────────────┴──── feed          `controllers` plugs and unplugs them
"""
