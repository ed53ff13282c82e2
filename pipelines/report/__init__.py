"""What a person reads of a run: the page of results, and documents to look at."""
