"""Whatever moves the mix from outside: thin views of the board, by terminal, MIDI, OSC and web."""
