"""Whatever moves the mix from outside: keys now, MIDI, OSC and the web later."""
