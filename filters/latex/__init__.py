"""LaTeX as text: comments, conditionals, inputs, and the macros that a paper defines."""
