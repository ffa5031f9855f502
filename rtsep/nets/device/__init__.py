"""Networks, transforms and masks as torch carries them out, for a GPU; on a CPU the same code runs, for its tests."""
