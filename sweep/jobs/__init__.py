"""Jobs as Ray Tune trials, and their attempts on workers."""
