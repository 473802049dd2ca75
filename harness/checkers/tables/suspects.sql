-- The history rows of every instance whose history could not be proved orderly (see histories). There are few such
-- rows, or none.
SELECT history.*
FROM history
WHERE instance_id IN (SELECT instance_id FROM histories WHERE NOT orderly)
