"""What every source stands on, and which knows none of them."""
