-- One row per instance and effect pair of which it has effects: how often each side happened, and when.
SELECT
    effects.instance_id,
    effect_names.ordinal,
    count_if(effect_names.forward) AS forwards,
    count_if(NOT effect_names.forward) AS compensations,
    min(effects.at_ns) FILTER (WHERE effect_names.forward) AS first_forward_ns,
    max(effects.at_ns) FILTER (WHERE effect_names.forward) AS last_forward_ns,
    min(effects.at_ns) FILTER (WHERE NOT effect_names.forward) AS first_compensation_ns
FROM effects
JOIN effect_names ON effect_names.effect = effects.effect
GROUP BY effects.instance_id, effect_names.ordinal
