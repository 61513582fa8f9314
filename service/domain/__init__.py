"""The rules: the state of runs, jobs and namespaces, and how commands change it. Standard library only, no I/O."""
