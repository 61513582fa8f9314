-- The member of an event whose payload is not read.
select concat(',"payloadOmitted":', 'true')
