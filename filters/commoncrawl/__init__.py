"""The rules of Common Crawl: paragraphs, language, perplexity, Wikipedia's references."""
