"""rtsep: music in, stems out, while it plays."""
