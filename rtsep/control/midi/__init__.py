"""MIDI controllers: bytes (`ports`) -> messages (`messages`) -> bindings (`maps`) -> the board (`surface`).

::

    ports ──▶ Parser ──▶ Assembler ──▶ Surface ──▶ board      one for each controller
      ▲                                   │
      └────────────── lights ◀────────────┴──── feed          `midi` owns them, and plugs and unplugs them
"""
