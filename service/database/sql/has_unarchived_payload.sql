-- Returns whether a payload of some positions must stay in the database until it is archived.
-- parameters: first, last
select runfold.has_unarchived_payload(:first, :last)
