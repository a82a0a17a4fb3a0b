"""One file a check, named for its code; the folder is scanned."""
