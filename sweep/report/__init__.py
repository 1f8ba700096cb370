"""The results of a sweep: tables, summaries, figures, the HTML page and the terminal."""
