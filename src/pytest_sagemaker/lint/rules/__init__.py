"""One file a rule, named for its code; the folder is scanned."""
