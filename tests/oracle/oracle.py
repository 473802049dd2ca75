"""
What a run's instances came to, told a second time: plain loops over plain rows, from the words of docs/verdict.md.

It shares nothing with the SQL: no table, no trick, no regard for speed. Where the two disagree, one of them is wrong.
"""

from collections import defaultdict

from tests.oracle import engine

WORKFLOW = "order_v1"
PAIRS = [("reserve", "release"), ("ship", "cancel")]
OUTCOMES = {
    "completed": ("completed", ["reserve", "ship"]),
    "compensated": ("compensated", ["reserve"]),
    "rejected": ("rejected", []),
}
OPEN = {"RUNNING", "PENDING", "SUSPENDED", "STALLED", "CONTINUED_AS_NEW"}
VIOLATIONS = [
    *("phantom", "lost", "stuck", "failed", "duplicated"),
    *("over_compensated", "half_compensated", "misordered", "contradiction"),
]
"""In the order in which an instance is counted under them."""


class Instance:
    """All that the witnesses say of one instance."""

    def __init__(self):
        self.calls, self.bodies, self.effects, self.history, self.stored = [], [], [], [], None

    @property
    def told(self):
        """What its client was told, over all tries; None if no client asked for it."""
        outcomes = [call["outcome"] for call in self.calls]
        if not outcomes:
            return None
        if "ok" in outcomes:
            return "accepted"
        return "refused" if all(outcome == "fail" for outcome in outcomes) else "unknown"

    def times(self, effect):
        return sorted(row["at_ns"] for row in self.effects if row["effect"] == effect)

    @property
    def happened(self):
        """Is there any effect of it that the target declares?"""
        return any(self.times(effect) for pair in PAIRS for effect in pair)

    @property
    def status(self):
        return self.stored["status"] if self.stored else None

    @property
    def says(self):
        """(the class that its outcome claims, the effects that it calls for), once it has ended well; else None."""
        return self.claims if self.status == "COMPLETED" else None

    @property
    def claims(self):
        """The same, of whatever outcome is stored of it."""
        return OUTCOMES.get(self.stored["outcome"]) if self.stored["workflow"] == WORKFLOW else None


def phantom(one):
    return one.told in (None, "refused") and (one.stored is not None or one.happened)


def lost(one):
    if one.told != "accepted":
        return False
    if one.stored is None:
        return True
    if one.says is None:
        return False
    claims, calls = one.says
    return claims == "completed" and calls != [] and not any(one.times(forward) for forward, _ in PAIRS)


def stuck(one):
    return one.status in OPEN


def failed(one):
    return one.status in {"FAILED", "TERMINATED", "CANCELED"}


def duplicated(one):
    return any(len(one.times(effect)) > 1 for pair in PAIRS for effect in pair)


def over_compensated(one):
    return any(len(one.times(back)) > len(one.times(forward)) for forward, back in PAIRS)


def half_compensated(one):
    if one.stored is None or one.status in OPEN:
        return False
    if not any(one.times(forward) and not one.times(back) for forward, back in PAIRS):
        return False
    claims = one.says[0] if one.says else None
    began_to = any(one.times(back) for _, back in PAIRS)
    return claims == "compensated" or (began_to and claims != "completed")


def misordered(one):
    forwards = [one.times(forward) for forward, _ in PAIRS if one.times(forward)]
    backs = [at for _, back in PAIRS for at in one.times(back)]
    firsts = [times[0] for times in forwards]
    if firsts != sorted(firsts):
        return True
    return bool(forwards and backs) and max(times[-1] for times in forwards) > min(backs)


def contradiction(one):
    if one.stored is None:
        return one.told in ("accepted", "unknown") and one.happened
    if one.calls and min(call["workflow"] for call in one.calls) != one.stored["workflow"]:
        return True
    return one.status == "COMPLETED" and one.claims is not None and denied(one, *one.claims)


def denied(one, claims, calls):
    """Does the ledger deny what an instance claims?"""
    done = [forward for forward, _ in PAIRS if one.times(forward)]
    undone = [forward for forward, back in PAIRS if one.times(back)]
    kept = [forward for forward, back in PAIRS if one.times(forward) and not one.times(back)]
    missing = [effect for effect in calls if effect not in done]
    if claims == "completed":
        return done != calls or undone != []
    return missing != [] or (claims == "rejected" and kept != [] and undone == [])


def late_effect(one):
    return one.status == "COMPLETED" and any(row["at_ns"] > one.stored["completed_ns"] for row in one.effects)


def effect_in_body(one):
    """Is there an effect that no body can have made?"""

    def may_have_made(body, at_ns):
        if body["started_ns"] > at_ns:
            return False
        return body["outcome"] != "ok" or (body["ended_ns"] is not None and body["ended_ns"] >= at_ns)

    return any(not any(may_have_made(body, row["at_ns"]) for body in one.bodies) for row in one.effects)


MAKERS = {"reserve_stock_v1": "reserve", "register_shipment_v1": "ship"}
MAKERS |= {"cancel_shipment_v1": "cancel", "release_stock_v1": "release"}


def effect_of_activity(one):
    """Is there an effect that no body of its own activity can have made?"""

    def may_have_made(body, effect):
        if MAKERS.get(body.get("activity")) != effect["effect"] or body["started_ns"] > effect["at_ns"]:
            return False
        return body["outcome"] != "ok" or (body["ended_ns"] is not None and body["ended_ns"] >= effect["at_ns"])

    return any(not any(may_have_made(body, row) for body in one.bodies) for row in one.effects)


def ran_again(one):
    return (
        one.stored is not None
        and bool(one.calls)
        and one.stored["generation"] > sum(call["outcome"] != "fail" for call in one.calls)
        # A workflow that continues as new raises it, too: its history begins before its own start event was made.
        and not any(event["position"] == 0 and event["at_ns"] <= one.stored["created_ns"] for event in one.history)
    )


CLASSES = {name: globals()[name] for name in VIOLATIONS}
OTHERS = {rule.__name__: rule for rule in (late_effect, effect_in_body, effect_of_activity, ran_again)} | engine.RULES


def instances(rows):
    """Instance id -> Instance, from the rows of a run (table -> list of dicts)."""
    known = defaultdict(Instance)
    for row in rows["operations"]:
        known[row["instance_id"]].calls.append(row)
    for row in rows["effects"]:
        known[row["instance_id"]].effects.append(row)
    for row in rows["instances"]:
        known[row["instance_id"]].stored = row
    for row in rows["history"]:
        known[row["instance_id"]].history.append(row)
    for row in rows["attempts"]:
        if row["instance_id"] in known:  # an execution alone makes no instance
            known[row["instance_id"]].bodies.append(row)
    return known


def class_of(one):
    if not one.calls and not one.happened and one.stored is None:
        return None  # events alone have no class
    for name, violates in CLASSES.items():
        if violates(one):
            return name
    if one.says:
        return one.says[0]
    if one.status == "COMPLETED":
        return "undeclared"
    if one.stored is None and one.told in ("refused", "unknown"):
        return {"refused": "refused", "unknown": "never_started"}[one.told]
    return "unclassified"
