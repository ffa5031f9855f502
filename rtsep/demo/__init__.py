"""A short song that rtsep composes, plays and sings itself, with its true stems."""
