"""What a module can be asked: one fact a file, found on first use."""
