"""English Common Crawl, as CCNet and LLaMA curate it."""
