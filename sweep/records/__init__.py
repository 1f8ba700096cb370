"""The storage of a sweep, with the records of cells and teachers: attempts, journals, checkpoints and results."""
