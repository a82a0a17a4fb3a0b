"""The running half: a script on faked hosts, and what was observed."""
