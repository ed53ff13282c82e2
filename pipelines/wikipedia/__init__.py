"""Wikipedia in twenty languages."""
