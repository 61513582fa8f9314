"""Runfold: a service that remembers every transition of every job run."""
