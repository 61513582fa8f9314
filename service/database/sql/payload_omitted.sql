-- The member of an event whose payload is not read. It is in two parts because a colon before a word is a parameter.
select concat(',"payloadOmitted":', 'true')
