"""The SentencePiece BPE of LLaMA, and token shards."""
