-- The condition that the name of a row d begins with a prefix; :lower and :upper (null: none) bound what the index has of such names.
-- parameters: prefix, lower, upper
d.name ^@ :prefix and left(d.name, 200) collate "C" >= :lower and (:upper::text is null or left(d.name, 200) collate "C" < :upper)
