"""What `runfold` does, one module a command."""
