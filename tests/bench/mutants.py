"""
Mutants of a query: the same SQL with one thing changed, by way of the syntax tree that DuckDB itself makes of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

Node = dict[str, Any]

_NEGATED = {
    "COMPARE_EQUAL": "COMPARE_NOTEQUAL",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_DISTINCT_FROM": "COMPARE_NOT_DISTINCT_FROM",
    "COMPARE_IN": "COMPARE_NOT_IN",
    "OPERATOR_IS_NULL": "OPERATOR_IS_NOT_NULL",
    "CONJUNCTION_AND": "CONJUNCTION_OR",
}
_NEGATED |= {there: here for here, there in _NEGATED.items()}
_NEAR = {
    "COMPARE_LESSTHAN": "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_GREATERTHAN": "COMPARE_GREATERTHANOREQUALTO",
}
_NEAR |= {there: here for here, there in _NEAR.items()}
_NEAR |= {"COMPARE_DISTINCT_FROM": "COMPARE_NOTEQUAL", "COMPARE_NOT_DISTINCT_FROM": "COMPARE_EQUAL"}
_FUNCTIONS = {"min": "max", "arg_min": "arg_max", "+": "-", "&": "|", "lag": "lead", "least": "greatest"}
_FUNCTIONS |= {there: here for here, there in _FUNCTIONS.items()}
_FUNCTIONS |= {"bit_or": "bit_xor"}
_JOINS = {"LEFT": ("INNER",), "INNER": ("LEFT",), "FULL": ("LEFT", "RIGHT"), "ANTI": ("SEMI",), "SEMI": ("ANTI",)}
_LARGE = 1000
"""Numbers from here on are tolerances: a mutant's is as many times as large; another number's is one more."""


@dataclass(frozen=True)
class Mutant:
    """
    A query changed at `line` of the text that it was made from; `change` says how, in a few words.
    """

    line: int
    change: str
    sql: str


def of(sql: str, *, all_columns: bool) -> Iterator[Mutant]:
    """
    Every mutant of a query, in one order. What only words the answer is left alone: texts that are put together, and,
    unless `all_columns`, columns of the answer that decide about no row of it.

    Raises ValueError if DuckDB cannot read the query.
    """
    with duckdb.connect() as connection:

        def written(tree: Node) -> str:
            return connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchall()[0][0]

        tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
        if tree["error"]:
            raise ValueError(tree["error_message"])
        ((holder),) = tree["statements"]
        told = holder["node"]["children"] if "children" in holder["node"] else [holder["node"]]
        words = [] if all_columns else [id(item) for node in told for item in _words(node)]
        seen = {written(tree)}
        for owner, key, node in list(_nodes(holder, "node", words)):
            for change, new in _changes(node, owner):
                owner[key] = new
                text = written(tree)
                if text not in seen:
                    seen.add(text)
                    yield Mutant(sql.count("\n", 0, _place(node)) + 1, f"{change}: {_told(sql, node)}", text)
            owner[key] = node


def _words(node: Node) -> Iterator[Node]:
    """
    The columns of an answer that neither its conditions nor its groups name.
    """
    deciding = json.dumps([node.get(part) for part in ("where_clause", "having", "group_expressions", "qualify")])
    for item in node.get("select_list", ()):
        if not item.get("alias") or json.dumps(item["alias"]) not in deciding:
            yield item


def _nodes(owner: Any, key: Any, left: list[int]) -> Iterator[tuple[Any, Any, Node]]:
    """
    Every part of a tree that may be changed, each with what holds it and where.
    """
    node = owner[key]
    if isinstance(node, list):
        for number in range(len(node)):
            yield from _nodes(node, number, left)
    elif isinstance(node, dict) and id(node) not in left and node.get("function_name") != "||":
        yield owner, key, node
        for name in node:
            if name not in {"modifiers", "order_bys", "then_expr"} or (name == "then_expr" and _decides(node[name])):
                yield from _nodes(node, name, left)


def _decides(node: Node) -> bool:
    """
    Is it more than a text?
    """
    return node.get("class") != "CONSTANT" or node["literal"]["kind"] != "STRING"


def _changes(node: Node, owner: Any) -> Iterator[tuple[str, Any]]:
    """
    What a part may become, each with what was done to it.
    """
    type_ = node.get("type", "")
    for table in (_NEGATED, _NEAR):
        if type_ in table:
            yield table[type_].partition("_")[2].lower().replace("_", " "), {**node, "type": table[type_]}
    if type_ in {"OPERATOR_NOT", "OPERATOR_COALESCE"}:
        yield "only what it is about", node["children"][0]
    if type_ == "VALUE_CONSTANT" and not isinstance(owner, list):
        yield from _constants(node)
    if type_ == "FUNCTION":
        yield from _functions(node)
    for join in _JOINS.get(node.get("join_type", ""), ()):
        yield f"{join.lower()} join", {**node, "join_type": join}
    yield from _texts(node)
    yield from _without(node)


def _texts(node: Node) -> Iterator[tuple[str, Node]]:
    """
    A text that something is compared with.
    """
    if node.get("type") in {"COMPARE_EQUAL", "COMPARE_NOTEQUAL"}:
        for side in ("left", "right"):
            if node[side].get("type") == "VALUE_CONSTANT" and node[side]["literal"]["kind"] == "STRING":
                other = {**node[side], "literal": {"kind": "STRING", "text": "no such"}}
                yield "another text", {**node, side: other}


def _without(node: Node) -> Iterator[tuple[str, Any]]:
    """
    One condition, value, case, query or filter less.
    """
    type_ = node.get("type")
    for part in ("where_clause", "having", "filter"):
        if node.get(part):
            yield f"without its {part.partition('_')[0]}", {**node, part: None}
    for number, left in _less(node["case_checks"] if type_ == "CASE_EXPR" else []):
        yield f"without its case {number}", {**node, "case_checks": left}
    if node.get("class") == "CONJUNCTION":
        for number, left in _less(node["children"]):
            yield f"without its part {number}", left[0] if len(left) == 1 else {**node, "children": left}
    if type_ in {"COMPARE_IN", "COMPARE_NOT_IN"}:
        asked, *values = node["children"]
        for number, left in _less(values):
            yield f"without its value {number}", {**node, "children": [asked, *left]}
    for number, left in _less(node["children"] if type_ == "SET_OPERATION_NODE" else []):
        if len(left) > 1:
            yield f"without its query {number}", {**node, "children": left}
        else:
            ctes = {"map": [*node["cte_map"]["map"], *left[0]["cte_map"]["map"]]}
            yield f"without its query {number}", {**left[0], "cte_map": ctes}


def _less(parts: list[Node]) -> Iterator[tuple[int, list[Node]]]:
    """
    The number of each part, and the others; nothing of one that is alone.
    """
    for number in range(len(parts) if len(parts) > 1 else 0):
        yield number + 1, [part for place, part in enumerate(parts) if place != number]


def _constants(node: Node) -> Iterator[tuple[str, Node]]:
    kind, text = node["literal"]["kind"], node["literal"].get("text", "")
    if kind == "BOOLEAN":
        other = "false" if text.lower() == "true" else "true"
    elif kind in {"INTEGER", "BIGINT"}:
        number = int(text)
        other = str(number * _LARGE if number >= _LARGE else number + 1)
    else:
        return
    yield f"{other} for {text}", {**node, "literal": {**node["literal"], "text": other}}


def _functions(node: Node) -> Iterator[tuple[str, Node]]:
    name = node["function_name"]
    if name in _FUNCTIONS:
        other = copy.deepcopy(node)
        other["function_name"] = _FUNCTIONS[name]
        other["qualified_name"]["path"][-1] = _FUNCTIONS[name]
        yield f"{_FUNCTIONS[name]} for {name}", other
    if node.get("distinct"):
        yield "not distinct", {**node, "distinct": False}


def _place(node: Any) -> int:
    """
    Where in the text a part begins: the first place that it or what is in it tells.
    """
    if isinstance(node, list):
        return min(map(_place, node), default=1 << 62)
    if not isinstance(node, dict):
        return 1 << 62
    own = node.get("query_location")
    if isinstance(own, int) and own < 1 << 62 and node.get("class") in {"COLUMN_REF", "CONSTANT", "FUNCTION", "CASE"}:
        return min(own, *(_place(part) for part in node.values() if isinstance(part, dict | list)), 1 << 62)
    return min((_place(part) for part in node.values()), default=1 << 62)


def _told(sql: str, node: Node) -> str:
    text = " ".join(sql[_place(node) :].partition("\n")[0].split())
    return text if len(text) <= 70 else text[:67] + "..."
