"""Reports for people: the page of results, and the documents of a run."""
