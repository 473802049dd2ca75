-- claim: The code of a workflow is deterministic: a turn that is executed a second time, on another replica where there is one, orders the same.
-- layer: app
-- examined: SELECT count(*) FROM turns WHERE same IS NOT NULL
-- catches: turn_differs, random_number, clock, set_order, global_counter
-- needs: determinism
-- source: the engine runs the code of a workflow again from its history, on any replica (Dapr documentation, workflow features and concepts, "Workflow determinism and code restraints"). The answer of the second execution is kept from the engine (docs/tap.md).
-- witness: {instance_id}: the turn that took in {new} events after {past} was executed by {node} and by {other:or}, and they differ: {difference:or}.
SELECT instance_id, node, other, past, new, difference, first, second, turned_ns
FROM turns
WHERE NOT same
ORDER BY instance_id, past, node, turned_ns
