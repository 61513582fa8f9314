"""The image of arm64, where necessary under emulation: what is checked of the image of this machine, as far as it lets.

Left out are times, other revisions, and lines of the documentation, which are the same on every architecture.
"""

from check_image import (
    EXPORTING,
    MB,
    in_image,
    layers,
    test_all_programs_and_libraries_are_of_one_architecture,  # noqa: F401
    test_everything_that_it_imports_is_compiled,  # noqa: F401
    test_its_bill_of_materials_has_every_package_in_the_version_that_is_pinned,  # noqa: F401
    test_its_user_is_a_number_and_not_roots_and_it_has_no_volume,  # noqa: F401
    test_labels_name_version_revision_and_licence,  # noqa: F401
    test_nothing_in_it_installs_packages,  # noqa: F401
    test_the_version_that_it_prints_has_the_revision,  # noqa: F401
    test_without_parquet_it_has_at_most_200_mb,  # noqa: F401
)
from check_runs import (
    test_a_run_is_recorded_read_exported_and_verified,  # noqa: F401
    test_data_on_a_volume_outlive_the_container,  # noqa: F401
    test_it_does_not_serve_others_without_keys,  # noqa: F401
    test_it_stops_with_status_0_and_says_so,  # noqa: F401
    test_payloads_are_archived_and_restored,  # noqa: F401
    test_the_health_check_follows_the_address_and_says_what_is_wrong,  # noqa: F401
    test_with_a_database_any_user_serves,  # noqa: F401
)
from engine import build


def test_parquet_can_be_left_out_and_opentelemetry_be_added():
    build("runfold-test-other", PARQUET="no", OTEL="yes")
    assert "ModuleNotFoundError" in in_image("runfold-test-other", "python", "-c", "import pyarrow", status=1)
    assert sum(size for _, size in layers("runfold-test-other")) <= 210 * MB
    endpoint = "--env=OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
    assert in_image("runfold-test-other", "python", "-c", EXPORTING, options=(endpoint,)) == "Tracing\n"
