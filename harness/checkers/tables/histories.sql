-- One row an instance that has history rows: how many, and whether they are orderly.
--
-- Histories are by far the most rows, nearly all of them are fine, and many are alike but for their times and payloads.
-- orderly proves that none of the history_* invariants has anything to say of an instance: what depends on its own times
-- is proved of each (table outlines), all else once for each outline (table shapes). The invariants look at the rest
-- alone (table suspects), and may be as slow and plain as they like.
SELECT
    outlines.instance_id,
    outlines.events,
    outlines.created_ns,
    outlines.whole,
    shapes.workflow,
    shapes.completed,
    shapes.scheduled,
    shapes.tasks_print,
    outlines.timely AND coalesce(shapes.sound, FALSE) AS orderly
FROM outlines
LEFT JOIN shapes ON shapes.events = outlines.events AND shapes.outline = outlines.outline
