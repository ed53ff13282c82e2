"""The bundled trainer: a dense LLaMA on FSDP2."""
