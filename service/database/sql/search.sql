-- Finds jobs (kind 0) and datasets (kind 1) whose texts have each of some words, and counts all of them. Words and :whole, all of them
-- as one text, are folded as the columns are. patterns: of LIKE, one for each word; longest: that of the longest word, where an index
-- finds it; others: the patterns that are still to be compared then. standing: regular expressions by which the words stand alone in a
-- name. A null filter finds all. key: what the order is by, besides the name.
-- parameters: patterns, longest, others, whole, standing, kind, namespace, after, before, limit, offset
with deleted as materialized (
    select n.id, n.deleted from runfold.namespaces n where n.deleted > 0
), found as materialized (
    select e.kind, e.id, e.folded, {key} as key
      from runfold.search_entries e
      left join deleted d on d.id = e.namespace_id
     where {indexed} and e.words like all (:others::text[]) and not e.hidden
       and e.position > coalesce(d.deleted, 0)
       and (:kind::smallint is null or e.kind = :kind) and (:namespace::text is null or e.namespace = :namespace)
       and (:after::timestamptz is null or e.updated_at > :after)
       and (:before::timestamptz is null or e.updated_at < :before)
       and {within}
)
select t.total, e.kind, e.namespace, e.name, e.updated_at
  from (select count(*) as total from found) t
  left join lateral (
      select f.kind, f.id, f.key, f.folded from found f
       order by f.key {direction}, f.folded collate "C", f.id, f.kind
       limit :limit offset :offset
  ) p on true
  left join runfold.search_entries e on e.kind = p.kind and e.id = p.id
 order by p.key {direction}, p.folded collate "C", p.id, p.kind
