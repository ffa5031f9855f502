"""Training: data, loss, loop, evaluation. Nothing at run time imports it."""
