"""Networks that say of every pixel what it belongs to; one paper a file."""
