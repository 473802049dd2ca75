-- One row per instance that has history rows: how many there are, and whether they are orderly.
--
-- The histories have by far the most rows. Nearly all of them are correct, and many differ only in their times and
-- payloads. orderly is a proof that none of the history_* invariants finds anything wrong with an instance. What
-- depends on the instance's own times is proved for each instance (table outlines), everything else once for each
-- outline (table shapes). The invariants only look at the other instances (table suspects), so their queries may be
-- slow and simple.
SELECT
    outlines.instance_id,
    outlines.events,
    outlines.created_ns,
    outlines.whole,
    shapes.workflow,
    shapes.completed,
    shapes.scheduled,
    shapes.tasks_print,
    shapes.unanswered,
    outlines.timely AND coalesce(shapes.sound, FALSE) AS orderly
FROM outlines
LEFT JOIN shapes ON shapes.events = outlines.events AND shapes.outline = outlines.outline
