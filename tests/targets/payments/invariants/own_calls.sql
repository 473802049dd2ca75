-- claim: The application calls Dapr for its accounts and for nothing else: it reads one, or saves one so that it is not saved if somebody else has saved it meanwhile.
-- layer: app
-- needs: tap
-- examined: SELECT count(*) FROM api_calls
-- plants: UPDATE api_calls SET guarded = FALSE WHERE operation = 'save' AND called_ns = (SELECT min(called_ns) FROM api_calls WHERE operation = 'save');
--   UPDATE api_calls SET key = 'balance' WHERE called_ns = (SELECT min(called_ns) FROM api_calls)
-- source: tests/targets/payments/worker.py (enter); the methods are those of Dapr's gRPC API (dapr.proto).
-- witness: {node} called {method:or} of {component:or} with the key {key:or} at {called_ns:at}{how}.
SELECT
    node,
    method,
    component,
    key,
    called_ns,
    CASE WHEN operation = 'save' AND guarded IS NOT TRUE THEN ', whoever else had saved it' ELSE '' END AS how
FROM api_calls
WHERE method IS DISTINCT FROM CASE operation WHEN 'get' THEN 'GetState' WHEN 'save' THEN 'SaveState' END
    OR component IS DISTINCT FROM 'statestore'
    OR NOT coalesce(regexp_matches(key, '^account-a\d+$'), FALSE)
    OR (operation = 'save' AND guarded IS NOT TRUE)
ORDER BY called_ns, node, key
