"""The errors of what was not found. Their docstrings are pages at /errors/{code}, as in service/errors.py."""

from __future__ import annotations

from service.errors import NotFound


class RunNotFound(NotFound):
    """No event of a run with this id is recorded. The id is a UUID, or what an OpenLineage event had as `runId`.

    Create the run first (`POST /api/v1/namespaces/{namespace}/jobs/{job}/runs`), or send an OpenLineage event
    that names it. With `knownAt`, request a later time.
    """

    code = "run-not-found"
    title = "Run not found"

    def __init__(self, run_id: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Run '{run_id}' not found.")


class JobNotFound(NotFound):
    """The namespace has no such job: it was never defined nor named by a run, or it was deleted.

    Define it with `PUT /api/v1/namespaces/{namespace}/jobs/{job}`. Names are percent-encoded.
    """

    code = "job-not-found"
    title = "Job not found"

    def __init__(self, job: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Job '{job}' not found.")


class JobVersionNotFound(NotFound):
    """The job has no such version: none with these inputs, outputs and location.

    `GET /api/v1/namespaces/{namespace}/jobs/{job}/versions` lists those that there are.
    """

    code = "job-version-not-found"
    title = "Job version not found"

    def __init__(self, version: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Job version '{version}' not found.")


class DatasetNotFound(NotFound):
    """The namespace has no such dataset: it was never defined nor named by an event, or it was deleted.

    Define it with `PUT /api/v1/namespaces/{namespace}/datasets/{dataset}`, or send an OpenLineage event that names it.
    Names are percent-encoded, and their case counts.
    """

    code = "dataset-not-found"
    title = "Dataset not found"

    def __init__(self, dataset: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Dataset '{dataset}' not found.")


class DatasetVersionNotFound(NotFound):
    """The dataset has no such version, or had none at the requested time.

    `GET /api/v1/namespaces/{namespace}/datasets/{dataset}/versions` lists those that there are.
    """

    code = "dataset-version-not-found"
    title = "Dataset version not found"

    def __init__(self, version: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Dataset version '{version}' not found.")


class FieldNotFound(NotFound):
    """The dataset has no such field, as far as it is known: by its definition, or by the latest `schema` facet.

    Define the dataset with its fields, or send an OpenLineage event with its schema. The case of names counts.
    """

    code = "field-not-found"
    title = "Field not found"

    def __init__(self, field: str, dataset: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Field '{field}' not found for dataset '{dataset}'.")


class SourceNotFound(NotFound):
    """There is no such source: it was never defined, nor named by the `dataSource` facet of a dataset.

    Define it with `PUT /api/v1/sources/{source}`. Names are percent-encoded.
    """

    code = "source-not-found"
    title = "Source not found"

    def __init__(self, source: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Source '{source}' not found.")


class NamespaceNotFound(NotFound):
    """There is no such namespace: it was never defined nor named by a job or run, or it was deleted.

    Define it with `PUT /api/v1/namespaces/{namespace}`. Names are percent-encoded.
    """

    code = "namespace-not-found"
    title = "Namespace not found"

    def __init__(self, namespace: str) -> None:
        """Use the message of Marquez."""
        super().__init__(f"Namespace '{namespace}' not found.")
