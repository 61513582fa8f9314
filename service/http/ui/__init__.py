"""The web interface as it is served: the bundle that hatch_build.py makes of ui/."""
