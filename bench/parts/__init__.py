"""What the benches share: models of random weights, clocks, and a table."""
