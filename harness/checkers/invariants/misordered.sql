-- claim: The forward effects of an instance happen in the order of their pairs, and none happens after a compensation.
-- layer: app
-- needs: effects, order, times
-- examined: SELECT count(*) FROM classes WHERE forwards + compensations > 0
-- catches: compensation_first, forwards_swapped
-- witness: {instance_id}: {order}; the ledger holds {ledger}.
SELECT
    instance_id,
    CASE
        WHEN last_forward_ns > first_compensation_ns THEN 'a forward effect came after a compensation'
        ELSE 'forward effects were made out of order'
    END AS "order"
FROM classes
WHERE misordered
ORDER BY instance_id
