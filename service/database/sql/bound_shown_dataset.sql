-- The condition that a row d of runfold.datasets has the first name of its dataset that is within a binding: the primary one, else that with
-- the smallest id.
{within} and (d.id = d.primary_id or not exists (
    select from runfold.datasets c
     where c.primary_id = d.primary_id and (c.id = c.primary_id or c.id < d.id) and {within_other}
))
