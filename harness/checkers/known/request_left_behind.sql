-- title: A request to a workflow that has ended stays in its inbox for ever if the sidecar that stored it dies.
-- number: 20
-- layer: engine
-- seen: 1.18.2
-- explains: left_behind
-- sentence: {instance_id} had ended at {ended_ns:at}; a client asked {asked} for a {operation} at {invoked_ns:at} and got no answer,
--   because of {fault} of {node} ({applied_ns:at}); what it stored, {inbox_length} rows of the inbox, wakes nobody.
WITH unanswered AS (
    -- Required: requests without an answer, sent when the instance had ended, with a sidecar hit shortly after they were sent.
    -- Whoever was told that a request was taken has a promise that this finding does not explain.
    SELECT
        requests.instance_id,
        instances.completed_ns AS ended_ns,
        instances.inbox_length,
        count(DISTINCT requests.number) AS requests,
        max(requests.invoked_ns) AS invoked_ns,
        arg_max(requests.operation, requests.invoked_ns) AS operation,
        arg_max(requests.node, requests.invoked_ns) AS asked,
        max(faults.applied_ns) AS applied_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS node
    FROM requests
    JOIN instances ON instances.instance_id = requests.instance_id
    JOIN faults
        ON faults.node LIKE 'sidecar%'
        AND faults.applied_ns BETWEEN requests.invoked_ns AND requests.invoked_ns + 10000000000
    WHERE requests.outcome = 'unknown'
        AND requests.operation IN ('raiseEvent', 'pause', 'resume', 'terminate')
        AND requests.invoked_ns > instances.completed_ns
        -- Required: all rows are where metadata counts them, and no job would wake the instance.
        AND instances.status IN ('COMPLETED', 'FAILED', 'TERMINATED')
        AND instances.history_length = instances.history_rows
        AND instances.inbox_length = instances.inbox_rows
        AND instances.inbox_rows > 0
        AND instances.instance_id NOT IN (SELECT instance_id FROM jobs WHERE instance_id IS NOT NULL)
    GROUP BY requests.instance_id, instances.completed_ns, instances.inbox_length
)
SELECT instance_id, ended_ns, inbox_length, invoked_ns, operation, asked, applied_ns, fault, node
FROM unanswered
WHERE inbox_length <= requests
ORDER BY instance_id
