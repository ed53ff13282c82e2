"""The rules of C4: pages, lines, sentences, language, bad words."""
