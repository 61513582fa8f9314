-- The filters of runs that no index serves: the plan must not take them for conditions of one, hence `or`. Null: any.
-- parameters: namespace, job, started_only, started_from, started_before, ended_from, ended_before, after_position, upto_position
-- parameters: contradicted, restarted, inferred, parent, length_from, length_before
(:namespace::text is null or t.namespace = :namespace) and (:job::text is null or t.job = :job)
        and (t.started_at is not null or not :started_only::boolean)
        and (:started_from::timestamptz is null or t.started_at >= :started_from)
        and (:started_before::timestamptz is null or t.started_at < :started_before)
        and (:ended_from::timestamptz is null or t.ended_at >= :ended_from)
        and (:ended_before::timestamptz is null or t.ended_at < :ended_before)
        and (:after_position::bigint is null or t.position > :after_position)
        and (:upto_position::bigint is null or t.position <= :upto_position)
        and (:contradicted::boolean is null or t.contradicted = :contradicted)
        and (:restarted::boolean is null or t.restarted = :restarted)
        and (:inferred::boolean is null or t.inferred = :inferred)
        and (:parent::uuid is null or t.parent_run = :parent)
        and (:length_from::timestamptz is null or {length} >= :length_from)
        and (:length_before::timestamptz is null or {length} < :length_before)
