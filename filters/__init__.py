"""Text in; text, score or verdict out: pure functions, without Beam or Arrow."""
