-- All roles that a row of runfold.dataset_events has, as the rows of VALUES.
(1::smallint), (2::smallint), (3::smallint), (4::smallint), (8::smallint), (17::smallint), (18::smallint), (19::smallint)
