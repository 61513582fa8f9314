-- The member of an event whose payload is in an archive; null where it is in none.
select concat(',"payloadArchived":{"file":', to_json(a.file), ',"sha256":"', a.sha256, '"}')
                    from runfold.archives a
                   where a.log = x.log and a.first <= x.position and a.last >= x.position
                   order by a.first desc limit 1
