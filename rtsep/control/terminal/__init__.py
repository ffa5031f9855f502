"""The mixer in a terminal: keys, and a picture of text."""
