"""Which worker sends what: each arrival once, whoever joins and is lost."""

from harness.load.arrivals import Arrival, Due
from harness.load.shares import Asked, Shares
from harness.rows import Completed, Dropped, Invoked, Requested


def arrival(number, requests=()):
    """One arrival a second, from 0 s on."""
    dues = tuple(Due(n, number + n, "terminate", None, None) for n in requests)
    return Arrival(number, float(number), f"i{number}", "w", "k", {}, dues)


def invoked(number, op="1"):
    of = {"op_id": op, "instance_id": f"i{number}", "workflow": "w", "kind": "k", "client": "c", "node": "app-0"}
    return Invoked(**of, attempt=1, intended_ns=1, at_ns=1)


def completed(op, outcome):
    return Completed(op_id=op, outcome=outcome, status=None, detail=None, at_ns=1)


def requested(number, request):
    of = {"request_id": "r", "instance_id": f"i{number}", "operation": "terminate", "name": None, "payload": None}
    return Requested(**of, number=request, client="c", node="sidecar-0", intended_ns=1, at_ns=1)


def shared(count, *workers, requests=()):
    shares = Shares(arrival(number, requests) for number in range(count))
    for worker in workers:
        shares.join(worker)
    return shares


def numbers(given):
    """What each worker is given: of its share, and what lost workers left."""
    return {
        each.worker: (
            [number for number in range(each.first, each.until) if number % each.parts == each.part],
            [(of.number, had) for of, had in each.left],
        )
        for each in given
    }


def test_shares_are_by_number_over_the_workers_that_are_present_and_only_a_little_ahead():
    shares = shared(10, "a", "b")

    assert numbers(shares.give(4.0)) == {"a": ([0, 2], []), "b": ([1, 3], [])}
    assert numbers(shares.give(4.0)) == {"a": ([], []), "b": ([], [])}
    shares.join("c")
    assert numbers(shares.give(9.5)) == {"a": ([6, 9], []), "b": ([4, 7], []), "c": ([5, 8], [])}
    assert shares.over


def test_of_a_lost_worker_only_what_it_has_not_written_down_goes_to_the_others():
    shares = shared(8, "a", "b", "c")
    shares.give(6.0)
    shares.take("b", invoked(1))
    shares.lose("b")

    assert not shares.over
    assert numbers(shares.give(8.0)) == {"a": ([6], [(4, "b")]), "c": ([7], [])}
    assert shares.present == ("a", "c")
    assert shares.over


def test_what_was_taken_over_is_taken_over_again():
    shares = shared(2, "a", "b")
    shares.give(5.0)
    shares.lose("b")
    assert numbers(shares.give(5.0)) == {"a": ([], [(1, "b")])}
    shares.lose("a")
    assert shares.give(5.0) == []
    shares.join("c")

    assert numbers(shares.give(5.0)) == {"c": ([], [(0, "a"), (1, "a")])}


def test_while_nobody_is_present_nothing_is_given_and_nothing_forgotten():
    shares = shared(3)

    assert shares.give(9.0) == []
    shares.join("a")
    assert numbers(shares.give(9.0)) == {"a": ([0, 1, 2], [])}


def test_what_was_dropped_is_not_left_to_others():
    shares = shared(1, "a", "b")
    shares.give(1.0)
    shares.take("a", Dropped(instance_id="i0", client="a", intended_ns=1, at_ns=1))
    shares.lose("a")

    assert shares.over


def test_requests_of_a_lost_worker_that_it_has_not_sent_go_to_the_others():
    shares = shared(1, "a", "b", requests=(1, 2))
    shares.give(1.0)
    for row in (invoked(0), completed("1", "ok"), requested(0, 1)):
        shares.take("a", row)
    shares.lose("a")

    (given,) = shares.give(1.0)
    assert given.asked == (Asked(start=0, requests=(2,)),)
    assert given.left == ()
    shares.take("b", requested(0, 2))
    shares.lose("b")
    assert shares.over, "everything was asked"


def test_nothing_is_asked_of_what_was_refused():
    shares = shared(1, "a", "b", requests=(1,))
    shares.give(1.0)
    for row in (invoked(0), completed("1", "unknown"), invoked(0, "2"), completed("2", "fail")):
        shares.take("a", row)
    shares.lose("a")

    assert shares.over


def test_a_worker_is_overdue_while_it_has_not_sent_what_was_due():
    shares = shared(4, "a", "b")
    shares.give(4.0)
    shares.take("a", invoked(0))

    assert not shares.overdue("a", 1.9)
    assert shares.overdue("a", 2.1)
    assert shares.overdue("b", 1.9)
    shares.take("b", invoked(1))
    shares.take("b", invoked(3, "2"))
    shares.lose("a")
    shares.give(4.0)
    assert shares.overdue("b", 2.1), "what it took over was due"
