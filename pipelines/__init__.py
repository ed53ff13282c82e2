"""Beam pipelines that curate the seven sources and turn them into token shards."""
