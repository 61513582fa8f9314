"""Faults in datasets and lineage: registers, the projection, graphs."""

from mutants.mutant import Mutant

_DATASET, _VERSIONS = "service/domain/dataset.py", "service/domain/dataset_versions.py"
_RUN_DATASETS, _MAPPING = "service/domain/run_datasets.py", "service/domain/column_mapping.py"
_PROJECTION, _PROJECTOR = "service/lineage/projection.py", "service/catalog/projector.py"
_WALK, _PAST = "service/lineage/walk.py", "service/lineage/past_graph.py"

_OF_DATASETS = "unit/domain/test_datasets.py::"
_OF_PROJECTION = "integration/lineage/test_lineage_projection.py::"
_OF_WALK, _OF_PAST = "integration/lineage/test_graph_walk.py::", "integration/lineage/test_past_graph.py::"
_OF_TURNS = "integration/lineage/test_giving_way.py::"

_MERGES = f"{_OF_DATASETS}test_order_duplicates_and_splits_change_nothing"

LINEAGE = (
    Mutant(
        "of two mappings of columns the one that is merged first stands",
        _MAPPING,
        "return a if a[:3] > b[:3] else b",
        "return a",
        (_MERGES,),
    ),
    Mutant(
        "a mapping that is recorded twice has the position that is merged first",
        _MAPPING,
        "return a if a.position <= b.position else b",
        "return a",
        (f"{_OF_DATASETS}test_a_mapping_that_is_recorded_twice_has_its_first_position",),
    ),
    Mutant(
        "the content of a version depends on the order of events",
        _VERSIONS,
        "earliest = a if a.stamp <= b.stamp else b",
        "earliest = a",
        (_MERGES,),
    ),
    Mutant(
        "a run keeps only the moment that is merged first",
        _RUN_DATASETS,
        "if b_at <= at and b_position <= position:\n            return b",
        "if b_at <= at:\n            return b",
        (_MERGES,),
    ),
    Mutant(
        "a run has the version of a dataset that is merged first",
        _RUN_DATASETS,
        "if version is None or (b.version is not None and b.version > version):",
        "if version is None:",
        (_MERGES,),
    ),
    Mutant(
        "a dataset is known at a time at which only its position was",
        _RUN_DATASETS,
        "(at is None or moment.at <= at) and (position is None or moment.position <= position)",
        "(at is None or moment.at <= at) or (position is None or moment.position <= position)",
        (f"{_OF_DATASETS}test_when_a_run_was_known_to_read_a_dataset",),
    ),
    Mutant(
        "a read brings a dropped dataset back",
        _DATASET,
        "at if writes else None,",
        "at,",
        (f"{_OF_DATASETS}test_a_dropped_dataset_comes_back_by_a_later_write_and_never_by_a_read",),
    ),
    Mutant(
        "a reader changes facets that a writer told",
        _DATASET,
        "return {**self.read_facets, **self.facets} if self.read_facets else self.facets",
        "return {**self.facets, **self.read_facets} if self.read_facets else self.facets",
        (f"{_OF_DATASETS}test_a_reader_changes_no_facet_that_a_writer_told",),
    ),
    Mutant(
        "the first change of a tag stands",
        "service/domain/tags.py",
        "if current is None or change > current:\n            merged[tag] = change",
        "if current is None:\n            merged[tag] = change",
        (f"{_OF_DATASETS}test_tags_are_those_of_the_last_change", _MERGES),
    ),
    Mutant(
        "the case of a type makes a version",
        _VERSIONS,
        "field.type.upper()",
        "field.type",
        (f"{_OF_DATASETS}test_the_order_of_fields_and_the_case_of_types_make_no_version",),
    ),
    Mutant(
        "the order of its datasets makes a version of a job",
        _VERSIONS,
        "for dataset in sorted(datasets)])",
        "for dataset in datasets])",
        (f"{_OF_DATASETS}test_a_jobs_version_is_made_of_its_datasets_in_any_order_and_its_location",),
    ),
    Mutant(
        "a name that is only told as another one is the primary one",
        _DATASET,
        "not dataset.has_links, dataset.first_seen is None,",
        "dataset.has_links, dataset.first_seen is None,",
        (f"{_OF_PROJECTION}test_symlinks_join_whenever_they_are_told",),
    ),
    Mutant(
        "what a run reads counts as written",
        _PROJECTION,
        "((WRITES, _WRITTEN, outputs), (READS, _READ, inputs))",
        "((WRITES, _WRITTEN, outputs), (READS, _WRITTEN, inputs))",
        (f"{_OF_PROJECTION}test_a_run_with_an_input_and_an_output_is_in_all_tables",),
    ),
    Mutant(
        "an edge begins with the event that is projected first",
        _PROJECTION,
        "if first_at is None or at < first_at:",
        "if first_at is None:",
        (f"{_OF_PROJECTION}test_the_latest_run_by_its_start_makes_the_edges_and_the_others_stay_known",),
    ),
    Mutant(
        "a reader of a dataset tells its mapping of columns",
        _PROJECTION,
        "mapping := telling.mapping()) is not None and telling.role != _READ:",
        "mapping := telling.mapping()) is not None:",
        (f"{_OF_PROJECTION}test_a_later_mapping_of_a_writer_replaces_the_one_before_and_silence_does_not",),
    ),
    Mutant(
        "upstream follows what a job writes",
        _WALK,
        "_FROM_JOB = {Direction.UP: (INPUT,), Direction.DOWN: (OUTPUT,)",
        "_FROM_JOB = {Direction.UP: (OUTPUT,), Direction.DOWN: (INPUT,)",
        ("integration/lineage/test_graph_routes.py::test_depth_counts_jobs_and_a_direction_is_followed",),
    ),
    Mutant(
        "a dataset is one step from its neighbours",
        _WALK,
        "(1 if start.is_job else 2)",
        "1",
        (f"{_OF_WALK}test_the_graph_is_the_one_that_a_walk_finds",),
    ),
    Mutant(
        "a cut does not say where it is",
        _WALK,
        "return kept, [other for other in kept[index:] if self.distances[other] < self.steps]",
        "return kept, []",
        (f"{_OF_WALK}test_what_a_limit_cuts_off_is_said",),
    ),
    Mutant(
        "the past has datasets that were not known",
        _PAST,
        "if each.is_known(moment.at, moment.position)}",
        "if each.is_known(moment.at)}",
        (f"{_OF_PAST}test_the_latest_run_is_the_one_that_the_events_up_to_the_moment_tell",),
    ),
    Mutant(
        "a run began in the past when it is known to have begun now",
        _PAST,
        "return min(each.at for each in dataset.moments if each.position <= moment.position)",
        "return min(each.at for each in dataset.moments)",
        (f"{_OF_PAST}test_the_latest_run_is_the_one_that_the_events_up_to_the_moment_tell",),
    ),
    Mutant(
        "lineage does not give way",
        _PROJECTOR,
        "while first.is_awaited and not self.is_awaited:",
        "while False:",
        (f"{_OF_TURNS}test_a_page_waits_until_the_catalog_is_projected",),
    ),
    Mutant(
        "lineage gives way although somebody waits for it",
        _PROJECTOR,
        "while first.is_awaited and not self.is_awaited:",
        "while first.is_awaited:",
        (f"{_OF_TURNS}test_a_page_goes_on_when_somebody_waits_for_it",),
    ),
    Mutant(
        "a page of lineage waits although the catalog is projected",
        _PROJECTOR,
        "for turn in self.turns_behind:",
        "for turn in ():",
        (f"{_OF_TURNS}test_a_page_waits_until_the_catalog_is_projected",),
    ),
)
