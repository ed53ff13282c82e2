"""Beam pipelines that curate the seven sources and turn them into token shards."""

import logging

# Beam logs this at every import if the extra 'gcp' is not installed, which nothing here needs.
logging.getLogger().addFilter(lambda record: "apitools not found" not in str(record.msg))
