"""Beam pipelines that curate the seven sources and turn them into token shards."""

import logging

# Beam says so at every import where the extra 'gcp' is not installed; nothing here needs it.
logging.getLogger().addFilter(lambda record: "apitools not found" not in str(record.msg))
