"""
What Locust's web page has of us: the start form with our fields, and the tab "Chaos" with the run and its verdict.

It is made as docs.locust.io, "Extending Locust", says: template arguments, `extended_tabs`, and a blueprint of our own.
Locust's tabs can hold only tables, so a script of ours draws what is in the tab, and says in the form what is not used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from flask import Blueprint, Flask, Response, jsonify, render_template, request
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner
from pydantic import Field

from harness.errors import HarnessError, UsageError
from harness.locust import flags
from harness.locust import options as ours
from harness.locust.live import Follower, Live
from harness.locust.session import SESSION
from harness.model import Value

KEY, TITLE = "chaos", "Chaos"
_EVERY = 1.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Shown(Value):
    """
    What the tab shows: the newest run as it is known so far, what the harness printed last, and its exit code.
    """

    state: str = Field(description="none, host, starting, running, judging, failed or judged")
    said: tuple[str, ...] = ()
    code: int | None = None
    live: Live | None = None


class _Watcher:
    """
    Follows the newest run of this Locust, and remembers all runs whose files the page may offer.
    """

    def __init__(self) -> None:
        self.followers: dict[str, Follower] = {}

    def watch(self) -> None:
        """
        Follow, for as long as Locust runs.
        """
        while True:
            gevent.sleep(_EVERY)
            self.newest()

    def newest(self) -> Follower | None:
        """
        Return the follower of the newest run, once it has read what is new; None if there is no run so far.
        """
        companion = SESSION.companion
        if companion is None or companion.run is None:
            return None
        name = companion.run.name
        try:
            if name not in self.followers:
                self.followers[name] = Follower(companion.run)
            self.followers[name].poll()
        except HarnessError:  # not whole yet, or broken; the harness tells of it
            return self.followers.get(name)
        return self.followers[name]

    def shown(self, host: str) -> Shown:
        """
        Return what the tab shows now.
        """
        companion, follower = SESSION.companion, self.newest()
        if companion is None:
            return Shown(state="host" if host else "none")
        live = None if follower is None else follower.told(over=companion.code is not None)
        if companion.code is not None:
            state = "failed" if live is None or live.found is None else "judged"
        else:
            state = "judging" if companion.over else "starting" if live is None else "running"
        return Shown(state=state, said=tuple(companion.said), code=companion.code, live=live)


def extend(environment: Environment) -> None:
    """
    Extend the web page of this Locust, before it accepts requests.
    """
    app: Flask = environment.web_ui.app
    base: str = environment.parsed_options.web_base_path or ""
    watcher = _Watcher()
    blueprint = Blueprint(KEY, __name__, url_prefix=f"{base}/{KEY}", static_folder="static", static_url_path="/static")
    guarded = environment.web_ui.auth_required_if_enabled

    @blueprint.route("/state")
    @guarded
    def state() -> Response:
        shown = watcher.shown(environment.parsed_options.host or "")
        return Response(shown.model_dump_json(), mimetype="application/json")

    @blueprint.route("/runs/<run>/<name>")
    @guarded
    def file(run: str, name: str) -> Response:
        return _file(watcher, run, name)

    @guarded
    def index() -> str:
        page: str = render_template("index.html", template_args=_template_args(environment))
        script = f'<script type="module" src="{base}/{KEY}/static/{KEY}.js"></script>'
        return page.replace("</body>", f"{script}</body>")

    @app.before_request
    def check() -> Response | None:
        if (refused := _foreign(environment)) is not None:
            return refused
        if request.method == "POST" and request.path == f"{base}/swarm":
            why = _refusal(environment)
            return None if why is None else jsonify({"success": False, "message": why, "host": environment.host})
        return None

    # Unsorted, so that the form keeps our order: Flask's JSON and Jinja's filter both sort.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.policies["json.dumps_kwargs"] = {}
    app.register_blueprint(blueprint)
    app.view_functions["locust.index"] = index
    gevent.spawn(watcher.watch)


def _template_args(environment: Environment) -> dict[str, Any]:
    """
    Return what Locust's page is made of: its own, with our tab, with what the form offers for a scenario, and without
    the hint that a host is missing, as none is needed.
    """
    environment.web_ui.update_template_args()
    whole: dict[str, Any] = environment.web_ui.template_args
    fields = whole["extra_options"]
    offered = {**fields["scenario"], "choices": ours.scenarios(fields["scenario"]["default_value"])}
    return {
        **whole,
        "missing_host_warning": False,
        "extra_options": {**fields, "scenario": offered},
        "extended_tabs": [{"title": TITLE, "key": KEY}],
    }


def _foreign(environment: Environment) -> Response | None:
    """
    Refuse what another web site in the same browser asks for. Whoever may press Start may run a target's commands, and
    Locust lets any origin in (its `CORS(app)`). On loopback a request must also name loopback as its host, which
    defeats DNS rebinding.
    """
    host = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    if environment.parsed_options.web_host in _LOOPBACK and host not in _LOOPBACK:
        return Response("this is not the host that was asked for\n", 421, mimetype="text/plain")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return Response("another site asks\n", 403, mimetype="text/plain")
    return None


def _refusal(environment: Environment) -> str | None:
    """
    Return why a test cannot start as the form says; None if it can.
    """
    form, companion, runner = request.form, SESSION.companion, environment.runner
    if form.get("host", environment.parsed_options.host or "").strip():
        return _unusable(environment)
    if isinstance(runner, MasterRunner):
        return "A run in this page has its load from one process. With several, give the host of a system that is up."
    if runner.state in (STATE_SPAWNING, STATE_RUNNING):
        return "A run is under way, and its plan decides its load: there is nothing to edit. Stop it first."
    if companion is not None and companion.code is None:
        return "The last run is not judged yet. Another can start after that."
    if form.get("run_time", "").strip():
        return "Run time is not used here: Duration, below, says how long the load lasts."
    return _unusable(environment)


def _unusable(environment: Environment) -> str | None:
    try:
        if environment.web_ui.userclass_picker_is_active:
            available = environment.available_user_classes
            flags.refuse_several([available[name] for name in request.form.getlist("user_classes") or available])
        host = request.form.get("host", environment.parsed_options.host or "").strip()
        ours.wanted(environment.parsed_options, request.form).plan(judged=not host)
    except UsageError as error:
        return str(error)
    return None


def _file(watcher: _Watcher, run: str, name: str) -> Response:
    """
    Answer with a file that a run of this Locust left. A report runs in an origin of its own.
    """
    from harness_reports.shelf import FILES, opened  # noqa: PLC0415 - not in a container that only sends load

    from harness.serving import HEADERS, SANDBOX, TEXT, TYPES  # noqa: PLC0415 - as above

    follower = watcher.followers.get(run)
    found = None
    if follower is not None and name in FILES:
        found = opened(follower.run.path.resolve().parent, [run, name])
    if found is None:
        return Response("there is no such file of a run of this Locust\n", 404, mimetype="text/plain")
    with found:
        answer = Response(found.read(), content_type=TYPES.get(Path(name).suffix, TEXT))
    answer.headers.update({**HEADERS, "Content-Security-Policy": SANDBOX})
    return answer
