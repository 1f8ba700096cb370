"""What came of a sweep: tables, summaries, figures, the page and the terminal."""
