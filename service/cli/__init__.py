"""The program `runfold`."""
