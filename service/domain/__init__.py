"""The rules: what runs, jobs and namespaces are, and what a command may change. Standard library only, no I/O."""
