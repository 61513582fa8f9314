-- A part of within_bytes.sql: at most :rows rows.
b.number <= :rows::bigint
-- parameters: rows
