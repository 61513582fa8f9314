-- The condition that a namespace is within the binding of an API key: service/domain/binding.py.
-- parameters: names, prefixes
({namespace} = any (:names::text[]) or {namespace} ^@ any (:prefixes::text[]))
