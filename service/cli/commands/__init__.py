"""The commands of `runfold`, one module each."""
