"""Pure functions on arrays: windows, STFT, masks, levels, resampling."""
