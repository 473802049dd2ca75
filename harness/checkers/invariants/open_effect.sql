-- claim: Of every call that makes an effect it is known whether it did: it was answered, or another ledger tells.
-- severity: unknown
-- needs: calls
-- examined: SELECT (SELECT count(*) FROM unanswered) + (SELECT count(*) FROM effects WHERE source IN (SELECT node FROM sources WHERE called))
-- plants: UPDATE unanswered SET kept = NULL
-- source: a call whose answer was lost may have had its effect. Give its ledger a `key` by which the call that is tried again is recognised, or another ledger in `settled_by` (docs/target-contract.md).
-- witness: {instance_id}: whether {effect} happened is not known: it was called at {called_ns:at} by {source}, and {detail:or}; the ledger holds {ledger}.
SELECT instance_id, effect, key, source, called_ns, detail
FROM unanswered
WHERE kept IS NULL
ORDER BY instance_id, called_ns, effect, key
