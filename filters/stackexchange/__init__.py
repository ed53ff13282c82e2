"""Rules of Stack Exchange: rows of dumps, HTML to text, threads, sites."""
