"""The static half: scripts are read, never run."""
