-- claim: Of a load that several workers share, each start was sent by the worker whose turn it was, or by the one that took it over from a lost worker; no worker sent anything before it took part or after it was lost.
-- severity: unknown
-- needs: shares
-- examined: SELECT (SELECT count(*) FROM workers) + (SELECT count(*) FROM shares)
-- plants: UPDATE operations SET client = 'locust-0' WHERE op_id = (SELECT min(op_id) FROM operations WHERE client <> 'canary');
--   UPDATE workers SET lost_ns = joined_ns - 1, why = 'it ended' WHERE client = (SELECT min(client) FROM workers);
--   UPDATE workers SET why = NULL;
--   UPDATE shares SET part = parts;
--   UPDATE shares SET client = 'nobody' WHERE lost IS NOT NULL;
--   DELETE FROM shares WHERE lost IS NOT NULL
-- source: harness/load/shares.py and workers.py. Shares that are given later count from a later arrival on, and each time to all workers that are present. Where the answer brings the id, nobody knows which start of the plan it is. In a synthetic run only the first copy of each start is one of the plan.
-- witness: {who:or}: {fault}.
WITH load AS (
    SELECT max(started_ns) AS started_ns, max(ended_ns) AS ended_ns
    FROM phases
    WHERE phase = 'load'
), rounds AS (
    SELECT given_ns, min(number) AS number, max(number) AS highest, min(parts) AS parts, count(*) AS shares, count(DISTINCT part) AS different
    FROM shares
    WHERE lost IS NULL
    GROUP BY given_ns
), taken AS (
    SELECT number, max(given_ns) AS given_ns
    FROM shares
    WHERE lost IS NOT NULL
    GROUP BY number
), round_of AS (
    SELECT arrivals.number, arrivals.instance_id, max(rounds.given_ns) AS given_ns
    FROM arrivals
    JOIN rounds ON rounds.number <= arrivals.number
    GROUP BY arrivals.number, arrivals.instance_id
), turns_of AS (
    SELECT
        round_of.instance_id,
        coalesce(others.client, own.client) AS client,
        coalesce(others.given_ns, own.given_ns) AS given_ns
    FROM round_of
    LEFT JOIN shares AS own
        ON own.given_ns = round_of.given_ns AND own.lost IS NULL AND round_of.number % own.parts = own.part
    LEFT JOIN taken ON taken.number = round_of.number
    LEFT JOIN shares AS others
        ON others.number = taken.number AND others.given_ns = taken.given_ns AND others.lost IS NOT NULL
), sent AS (
    SELECT
        operations.instance_id AS who,
        CASE
            WHEN turns_of.client IS NULL THEN 'it was sent, and given to no worker'
            WHEN operations.client <> turns_of.client THEN 'it was sent by ' || operations.client || ', and it was the turn of ' || turns_of.client
            WHEN operations.invoked_ns < turns_of.given_ns THEN 'it was sent before ' || operations.client || ' was told to'
            WHEN operations.invoked_ns < workers.joined_ns THEN 'it was sent before ' || operations.client || ' took part'
            WHEN operations.invoked_ns > workers.lost_ns THEN 'it was sent by ' || operations.client || ', which was lost before'
        END AS fault
    FROM operations
    JOIN arrivals ON arrivals.instance_id = operations.instance_id
    LEFT JOIN turns_of ON turns_of.instance_id = operations.instance_id
    LEFT JOIN workers ON workers.client = operations.client
    WHERE operations.client <> 'canary'
), known AS (
    SELECT
        workers.client AS who,
        CASE
            WHEN workers.joined_ns NOT BETWEEN load.started_ns AND coalesce(load.ended_ns, workers.joined_ns) THEN 'it did not join while the load went on'
            WHEN workers.lost_ns NOT BETWEEN workers.joined_ns AND coalesce(load.ended_ns, workers.lost_ns) THEN 'it was not lost between its beginning and the end of the load'
            WHEN (workers.lost_ns IS NULL) <> (workers.why IS NULL) OR workers.why = '' THEN 'a worker is lost for a reason that is told'
        END AS fault
    FROM workers, load
    UNION ALL
    SELECT client, 'it is there ' || count(*) || ' times'
    FROM workers
    GROUP BY client
    HAVING count(*) > 1
    UNION ALL
    SELECT operations.client, 'it sent ' || count(*) || ' starts and is no worker of the load'
    FROM operations
    WHERE operations.client <> 'canary' AND operations.client NOT IN (SELECT client FROM workers WHERE client IS NOT NULL)
    GROUP BY operations.client
), given AS (
    SELECT
        shares.client AS who,
        CASE
            WHEN workers.client IS NULL THEN 'it was given a share and is no worker of the load'
            WHEN shares.given_ns NOT BETWEEN workers.joined_ns AND coalesce(workers.lost_ns, load.ended_ns, shares.given_ns) THEN 'it was given a share while it did not take part'
            WHEN shares.part NOT BETWEEN 0 AND shares.parts - 1 OR shares.part IS NULL OR shares.parts IS NULL THEN 'its share is part ' || coalesce(shares.part, -1) || ' of ' || coalesce(shares.parts, 0)
            WHEN shares.number IS NULL OR shares.number < 0 THEN 'its share begins with no arrival'
            WHEN shares.lost IS NULL THEN NULL
            WHEN shares.parts <> 1 THEN 'it took over more than a start'
            WHEN gone.lost_ns IS NULL OR gone.lost_ns > shares.given_ns THEN 'it took over start ' || shares.number || ' of ' || shares.lost || ', which was not lost'
        END AS fault
    FROM shares
    CROSS JOIN load
    LEFT JOIN workers ON workers.client = shares.client
    LEFT JOIN workers AS gone ON gone.client = shares.lost
    UNION ALL
    SELECT shares.lost, 'its start ' || shares.number || ' was taken over, and was not its turn'
    FROM shares
    LEFT JOIN shares AS before
        ON before.client = shares.lost
        AND before.given_ns < shares.given_ns
        AND (
            (before.lost IS NULL AND before.number <= shares.number AND shares.number % before.parts = before.part)
            OR (before.lost IS NOT NULL AND before.number = shares.number)
        )
    WHERE shares.lost IS NOT NULL AND before.client IS NULL
    UNION ALL
    SELECT client, 'start ' || number || ' was taken over ' || count(*) || ' times at once'
    FROM shares
    WHERE lost IS NOT NULL
    GROUP BY client, number, given_ns
    HAVING count(*) > 1
    UNION ALL
    SELECT 'the load', 'it was shared in ' || min(rounds.parts) || ' parts, and ' || min(rounds.shares) || ' shares were given'
    FROM rounds
    WHERE rounds.number IS DISTINCT FROM rounds.highest OR rounds.shares IS DISTINCT FROM rounds.parts OR rounds.different IS DISTINCT FROM rounds.parts
    GROUP BY rounds.given_ns
    UNION ALL
    SELECT 'the load', 'the first shares begin with start ' || number
    FROM rounds
    WHERE given_ns = (SELECT min(given_ns) FROM rounds) AND number <> 0
)
SELECT who, fault FROM sent WHERE fault IS NOT NULL
UNION ALL
SELECT who, fault FROM known WHERE fault IS NOT NULL
UNION ALL
SELECT who, fault FROM given WHERE fault IS NOT NULL
ORDER BY who, fault
