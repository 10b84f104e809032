"""The benchmark of bg-shell: standard library only."""
