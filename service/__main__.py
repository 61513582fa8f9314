"""`python -m service` is `runfold`."""

from service.cli.main import main

main()
