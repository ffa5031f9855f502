"""Models: cards, name -> verified local folder, import of Spleeter checkpoints."""
