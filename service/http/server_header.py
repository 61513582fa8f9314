"""The Server header of every answer: a name without versions, which would tell what a known weakness fits."""

SERVER = "runfold"
