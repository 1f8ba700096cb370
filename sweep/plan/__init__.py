"""What is there, what is missing, what it costs, and what can be known to be wrong before anything starts."""
