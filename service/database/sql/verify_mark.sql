-- Records a position and its hash before events up to there are projected into the second tables.
-- parameters: position, hash
update {schema}.mark set position = :position, hash = :hash
