-- How well an entry e fits: 0 its name is the text, 1 begins with it, 2 has each word by itself, 3 has each word; 4 another text of the
-- entry has one of them.
case when e.folded = :whole then 0
     when starts_with(e.folded, :whole) then 1
     when not e.folded like all (:patterns::text[]) then 4
     when e.folded ~ all (:standing::text[]) then 2
     else 3 end
