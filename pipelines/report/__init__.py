"""Reports for people: the page that shows what runs are, and the documents of a run."""
