-- Records what the second tables were made by, before anything is projected into them.
-- parameters: made_by
insert into {schema}.mark (made_by, position, hash) values (:made_by, 0, '')
