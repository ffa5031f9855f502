"""The networks: the U-Net, and the runner that owns device and precision."""
