"""The filters of Wikipedia decide which pages are kept and turn their wikitext into text."""
