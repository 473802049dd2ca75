"""
What the SQL of an invariant or of a known finding may do: ask the tables of the evidence, and nothing else.

A run directory is mailed and judged again by people who did not make it, and it brings invariants. So each text must be
a single SELECT. The syntax tree that DuckDB makes of it is held against closed sets: it reads tables of the evidence
only, by their plain names, and calls functions only whose result depends on nothing but their arguments. DuckDB
itself says which those are (`duckdb_functions()`, column `stability`). What is not known here is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

import duckdb

_QUERIES = {"CTE_NODE", "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE"}
"""
What may stand where a query can. In DuckDB 2.0 a part of a query (WITH) can also be a DELETE, INSERT, UPDATE or COPY.
"""
_SOURCES = {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "SUBQUERY", "TABLE_FUNCTION"}
"""Where a query may read from: the types of DuckDB's `TableReference`, but for those that show the catalog."""
_TABLE_FUNCTIONS = {"generate_series", "range", "unnest"}
_MACROS = re.compile(r"(array|date|json|list)_\w+|fdiv|fmod|geomean|if|json|nullif|wavg|weighted_avg")
"""Macros of DuckDB, which have no stability of their own: those that only call stable functions."""
_CLOCK = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
"""Names that DuckDB takes for calls of a function where no column has them."""
_UNSTABLE = {"age", "current_localtime", "current_localtimestamp", "json_serialize_plan", "reservoir_quantile"}
"""
Functions that DuckDB 2.0 calls stable, and that are not: of the clock, of chance, and one that plans any other query.
"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CATALOG = re.compile(r"(duckdb|pg|pragma|sqlite)_\w+", re.IGNORECASE)
"""The views of DuckDB that are found by their plain names."""
_SERIALIZE = "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)"
"""What a node of the tree does not have is null, empty or as it is by default."""
_STABLE = """
    SELECT DISTINCT function_name
    FROM duckdb_functions()
    WHERE schema_name = 'main'
    GROUP BY function_name
    HAVING bool_and(stability IS NOT DISTINCT FROM 'CONSISTENT')
"""


@lru_cache(maxsize=1)
def _parser() -> duckdb.DuckDBPyConnection:
    """
    Return a connection without tables, which only reads queries.
    """
    return duckdb.connect()


@lru_cache(maxsize=1)
def stable_functions() -> frozenset[str]:
    """
    Return the names of all functions whose result depends on nothing but their arguments, as DuckDB has them.
    """
    return frozenset(name for (name,) in _parser().cursor().execute(_STABLE).fetchall())


@lru_cache(maxsize=512)
def _nodes(sql: str) -> tuple[Mapping[str, Any], ...]:
    """
    Return every mapping of the syntax tree of a query, which nobody may change; none if `sql` is not one SELECT. Raises
    RecursionError.
    """
    answer = _parser().cursor().execute(_SERIALIZE, [sql]).fetchone()
    tree: Any = json.loads(answer[0]) if answer else {"error": True}
    if tree["error"] or len(tree["statements"]) != 1:
        return ()
    return tuple(_mappings(tree["statements"]))


@lru_cache(maxsize=512)
def refuse(sql: str, tables: frozenset[str], functions: frozenset[str]) -> None:
    """
    Raise ValueError, which says why, if `sql` is anything but one query over `tables` that calls `functions` alone.
    """
    try:
        nodes = _nodes(sql)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not nodes:
        raise ValueError(_why_no_select(sql))
    allowed = set(tables) | set(_defined(nodes))
    for node in nodes:
        _refuse_kind(node)
        _refuse_source(node, allowed)
        _refuse_function(node, functions)


def _why_no_select(sql: str) -> str:
    """
    Return why a text is not one SELECT.
    """
    try:
        statements = _parser().cursor().extract_statements(sql)
    except duckdb.Error as error:
        return str(error)
    if len(statements) != 1:
        return f"one query is allowed, and there are {len(statements)} statements"
    return f"only a SELECT is allowed, and this is {statements[0].type.name}"


@lru_cache(maxsize=1024)
def tables_of(sql: str) -> frozenset[str]:
    """
    Return the tables and views that a query names, from its syntax tree; empty if it cannot be parsed.

    DuckDB's own `get_table_names` does not return the views, but the files that they read. Raises RecursionError.
    """
    nodes = _nodes(sql)
    defined = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    return frozenset(node["table_name"] for node in nodes if node.get("type") == "BASE_TABLE") - defined


def _mappings(tree: object) -> Iterator[Mapping[str, Any]]:
    """
    Return every mapping of a tree, which may be deeper than Python's stack.
    """
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left += node.values()
        elif isinstance(node, list):
            left += node


def _defined(nodes: Collection[Mapping[str, Any]]) -> Iterator[str]:
    """
    Return the names that a query gives to its own parts (WITH). A name that could be a path, or that means a view of
    DuckDB elsewhere in the query, is refused.
    """
    for node in nodes:
        for entry in node.get("cte_map", {}).get("map", []):
            if not _NAME.fullmatch(entry["key"]) or _CATALOG.fullmatch(entry["key"]):
                raise ValueError(f"{entry['key']!r} is no name for a part of a query")
            yield entry["key"]


def _refuse_kind(node: Mapping[str, Any]) -> None:
    if "cte_map" in node and node["type"] not in _QUERIES:
        raise ValueError(f"only a SELECT is allowed, and a part of this is {node['type']}")
    if node.get("sample") is not None:
        raise ValueError("a query may not take a sample: it would be another one each time")
    names = node.get("column_names") or [""]
    if node.get("type") == "COLUMN_REF" and names[0].lower() in _CLOCK:
        raise ValueError(f"a query may not ask for {names[0]}: no evidence depends on when it is judged")


def _refuse_source(node: Mapping[str, Any], allowed: Collection[str]) -> None:
    for key in ("left", "right") if node.get("type") == "JOIN" else ("from_table",):
        source = node.get(key)
        if source is not None and source["type"] not in _SOURCES:
            raise ValueError(f"a query may not read from {source['type']}")
    if node.get("type") == "BASE_TABLE":
        where = [node[part] for part in ("catalog_name", "schema_name") if part in node]
        if where or node["table_name"] not in allowed:
            raise ValueError(f'"{".".join([*where, node["table_name"]])}" is no table of the evidence')
    if node.get("type") == "TABLE_FUNCTION" and node["function"]["function_name"] not in _TABLE_FUNCTIONS:
        raise ValueError(f"a query may not read from {node['function']['function_name']}()")


def _refuse_function(node: Mapping[str, Any], stable: Collection[str]) -> None:
    name = node.get("function_name")
    if name is None or name in _TABLE_FUNCTIONS:
        return
    is_stable = name not in _UNSTABLE and (name in stable or _MACROS.fullmatch(name))
    if node.get("schema") or node.get("catalog") or not is_stable:
        raise ValueError(f"a query may not call {name}(): what it returns depends on more than its arguments")
