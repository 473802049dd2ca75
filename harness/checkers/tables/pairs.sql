-- One row per instance and effect pair of which it has effects: how often each side happened, and when.
--
-- Nothing is said of when if a ledger has no times: order cannot be told from some of the effects.
SELECT
    effects.instance_id,
    effect_names.ordinal,
    count_if(effect_names.forward) AS forwards,
    count_if(NOT effect_names.forward) AS compensations,
    min(effects.at_ns) FILTER (WHERE effect_names.forward) AS first_forward_ns,
    max(effects.at_ns) FILTER (WHERE effect_names.forward) AS last_forward_ns,
    min(effects.at_ns) FILTER (WHERE NOT effect_names.forward) AS first_compensation_ns
FROM (
    SELECT instance_id, effect, CASE WHEN (SELECT bool_and(timed) FROM sources) THEN at_ns END AS at_ns
    FROM effects
) AS effects
JOIN effect_names ON effect_names.effect = effects.effect
GROUP BY effects.instance_id, effect_names.ordinal
