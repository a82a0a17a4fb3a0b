"""The pytest plugin: options, and hooks that import lint and job only when they are asked for."""
