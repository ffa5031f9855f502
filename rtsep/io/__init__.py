"""The border to the outside: sound cards, files, and a clock without hardware."""
