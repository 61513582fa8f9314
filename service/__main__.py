"""`python -m service` is `runfold`."""

from service.cli import main

main()
