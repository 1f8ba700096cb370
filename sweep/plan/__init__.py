"""The plan of a sweep: the states of cells and teachers, the cost, and the checks before anything starts."""
