-- One row per event executionStarted: the workflow that was started (name), and its input (payload).
SELECT instance_id, name, payload
FROM history
WHERE event = 'executionStarted'
