"""`harness init`: what can be changed is copied out, and nothing is overwritten."""

import json

import pytest

from harness import cli, names
from harness.errors import UsageError
from harness.planning import describing, target
from harness.planning.request import Request


def test_a_scenario_is_copied_out_with_the_target_it_is_for(tmp_path, capsys):
    folder = tmp_path / "mine"
    cli.app(["init", str(folder), "--scenario", "sidecar_kill"], standalone_mode=False)

    plan = Request(str(folder / "scenarios/sidecar_kill.yaml")).plan(1)

    assert plan.target.app.workdir == folder
    assert plan.target.compose == folder / "compose/compose.yaml"
    assert (folder / "scenarios/locustfile.py").is_file()
    assert not [path for name in ("__pycache__", ".venv", "node_modules") for path in folder.rglob(name)]
    assert f"harness run {folder}/scenarios/sidecar_kill.yaml" in capsys.readouterr().out
    assert target.load(folder / "target/target.yaml").name == "orders"


@pytest.mark.parametrize("inside", ["a file in it", None])
def test_what_is_there_is_left_alone(tmp_path, inside):
    folder = tmp_path / "mine"
    if inside is None:
        folder.write_text("a file in its place")
    else:
        folder.mkdir()
        (folder / "kept").write_text(inside)

    with pytest.raises(UsageError, match="is there and not empty"):
        cli.app(["init", str(folder)], standalone_mode=False)


def test_a_scenario_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match='no scenario "nope"'):
        cli.app(["init", str(tmp_path / "mine"), "--scenario", "nope"], standalone_mode=False)
    assert not (tmp_path / "mine").exists()


APP = """
import dapr.ext.workflow as wf
wfr = wf.WorkflowRuntime()

@wfr.workflow(name="order_v2")
def order(ctx, order):
    return True
"""
RUN_FILE = """
version: 1
common:
  env: {LOG: info}
apps:
  - appID: Orders App
    appDirPath: ./orders
    command: [python, app.py]
    resourcesPath: ./resources
  - appID: mailer
    command: [node, mailer.js]
"""


@pytest.fixture(name="theirs")
def _theirs(tmp_path, monkeypatch):
    """The folder of an application with a run file of Dapr; the current folder."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders/app.py").write_text(APP)
    (tmp_path / "dapr.yaml").write_text(RUN_FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_application_is_described_by_its_run_file_and_its_sources(theirs, capsys):
    cli.app(["init"], standalone_mode=False)

    plan = Request("first").plan(1)
    described = plan.target
    assert (described.name, described.app_id) == ("orders-app", "Orders App")
    assert described.app.command == ("python3", "app.py")
    assert (described.app.workdir, described.app.env) == (theirs / "orders", {"LOG": "info"})
    assert (described.app.health, described.components) == ("workers", theirs / "resources")
    assert plan.scenario.load.workflow == "order_v2"
    told = capsys.readouterr().out
    assert "mailer is not started" in told
    assert "what the output of the workflow means" in told
    assert "CHANGE_ME" not in (theirs / "target.yaml").read_text()


SHIPPING = """
@wfr.workflow(name="deliver")
def deliver(ctx, order):
    yield ctx.call_activity(ship, input=order)

@wfr.activity
def ship(ctx, order):
    pass
"""


@pytest.mark.parametrize("folders", [("./orders", "./shipping", "./mail"), (".", ".", ".")])
def test_several_applications_are_described_each_with_its_name_and_app_id(tmp_path, monkeypatch, capsys, folders):
    files = ("orders.py", "shipping.py", "mail.py")
    texts = ("import sys", SHIPPING, APP)
    for folder, file, text in zip(folders, files, texts, strict=True):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / file).write_text(text)
    (tmp_path / "dapr.yaml").write_text(
        f"""
        apps:
          - {{appID: web, appDirPath: {folders[0]}, command: [python, orders.py]}}
          - {{appID: Shipping_2, appDirPath: {folders[1]}, command: [python, shipping.py], env: {{LOG: debug}}}}
          - {{appID: mail, appDirPath: {folders[2]}, command: [python, mail.py], resourcesPath: ./more}}
        """
    )
    monkeypatch.chdir(tmp_path)

    cli.app(["init"], standalone_mode=False)

    plan = Request("first").plan(1)
    assert plan.target.app_ids == {None: "Shipping_2", "mail": "mail"}
    assert plan.target.program("mail").command == ("python3", "mail.py")
    assert plan.target.program(None).env == {"LOG": "debug"}
    assert plan.scenario.load.workflow == "deliver"
    assert {"app-0", "sidecar-0", "app-mail-0", "sidecar-mail-0"} <= set(plan.nodes)
    told = " ".join(capsys.readouterr().out.split())
    assert "whether it is Shipping_2 whose workflow clients start" in told
    assert "mail has a `components` of its own, ./more: all applications share one" in told
    assert "web is not started: no workflow and no activity was found in its sources" in told


COMPOSE = """
services:
  placement: {image: daprio/placement}
  redis: {image: redis:7}
  orders:
    build: ./orders
    environment: [LOG=info, "DAPR_HTTP_PORT=3500", "TOKEN=${TOKEN}", EMPTY]
    depends_on: [redis]
  orders-dapr:
    image: daprio/daprd:1.18.2
    command: ["./daprd", "--app-id", "orders", "--app-port", "8001", "--resources-path", "./components/local",
              "--config=/conf/config.yaml"]
    volumes: ["./components/:/components", {type: bind, source: ./dapr, target: /conf, read_only: true}]
    depends_on: [orders]
    network_mode: "service:orders"
  shipper:
    build: {context: shipping, dockerfile: Dockerfile.dev}
  daprd-for-shipping:
    image: daprio/daprd:1.18.2
    entrypoint: /daprd
    command: -app-id shipping
    depends_on: {shipper: {condition: service_started}, placement: {condition: service_started}}
  shipping-again:
    image: daprio/daprd:1.18.2
    command: ./daprd --app-id shipping
  lonely-dapr:
    image: daprio/daprd:1.18.2
    command: ./daprd --app-id lonely
"""


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.yml"])
def test_an_application_is_described_by_its_compose_file(tmp_path, monkeypatch, capsys, name):
    for folder, file, text in (("orders", "app.py", APP), ("shipping", "ship.py", SHIPPING)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
    (tmp_path / "orders/Dockerfile").write_text('FROM python:3\nENTRYPOINT ["python"]\nCMD ["app.py", \\\n  "-v"]\n')
    (tmp_path / "shipping/Dockerfile.dev").write_text("FROM python:3\ncmd python ship.py\n")
    (tmp_path / name).write_text(COMPOSE)
    (tmp_path / "components/local").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    cli.app(["init"], standalone_mode=False)

    described = Request("first").plan(1).target
    assert described.app_ids == {None: "orders", "shipping": "shipping"}
    assert described.app.command == ("python3", "app.py", "-v")
    assert (described.app.workdir, described.app.env) == (tmp_path / "orders", {"LOG": "info"})
    assert described.components == tmp_path / "components/local"
    assert described.configuration == tmp_path / "dapr/config.yaml"
    assert described.program("shipping").command == ("python3", "ship.py")
    assert list(described.workflows) == ["order_v2"]
    told = " ".join(capsys.readouterr().out.split())
    assert "orders: its command, python app.py -v, is that of a container; it must also run in ./orders" in told
    assert "orders: left out of its environment: DAPR_HTTP_PORT, TOKEN" in told
    assert "lonely is not started" in told


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {image: nginx, command: nginx}}",
        "services: [1]",
        "services: {dapr: {command: [./daprd]}, x: {command: './daprd --app-id'}, y: 5}",
        "- 1",
        "",
    ],
)
def test_a_compose_file_without_sidecars_tells_nothing(tmp_path, monkeypatch, text):
    (tmp_path / "compose.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    cli.app(["init"], standalone_mode=False)

    assert target.load(tmp_path / "target.yaml").app.command == ("CHANGE_ME",)


@pytest.mark.parametrize(
    "service",
    [
        {"command": "./daprd --app-id a 'b"},
        {"command": {"a": 1}},
        {"command": ["./daprd", "--app-id", "a"], "volumes": [None, 1, {}], "depends_on": 7, "network_mode": 3},
        {"command": ["./daprd", "--app-id", "a", "--config", "c"], "volumes": "x", "depends_on": [["x"]]},
        {"command": ["./daprd", "--app-id", "a"], "network_mode": "service:nobody"},
        {"command": ["./daprd", "--app-id", "a"], "network_mode": "service:sidecar"},
    ],
)
def test_a_compose_file_that_no_team_would_write_is_read_all_the_same(tmp_path, service):
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"sidecar": service}}))

    describing.target(describing.facts(tmp_path))


def test_names_of_applications_can_be_names_of_nodes():
    apps = [describing.App(app_id=app_id) for app_id in ("Ship_It", "ship.it", "2nd", "été", "x" * 60, "app-7", None)]

    named = describing._named(apps)

    assert list(named.values()) == apps
    assert all(map(names.is_application, named)), list(named)


def test_what_nothing_tells_is_said_and_stands_in_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    cli.app(["init"], standalone_mode=False)

    told = capsys.readouterr().out
    assert "how one replica of the application is started" in told
    assert "the name under which its workflow is registered" in told
    assert target.load(tmp_path / "target.yaml").app.command == ("CHANGE_ME",)


@pytest.mark.parametrize("name", ["target.yaml", "first.yaml"])
def test_a_description_that_is_there_is_left_alone(theirs, name):
    (theirs / name).write_text("mine")

    with pytest.raises(UsageError, match=f"{name} is there already"):
        cli.app(["init"], standalone_mode=False)

    assert sorted(file.name for file in theirs.glob("*.yaml")) == sorted({"dapr.yaml", name})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("apps: [", "dapr.yaml: cannot be read"),
        ("- 1", "no app has a `command`"),
        ("apps: [{appID: x}]", "no app has a"),
    ],
)
def test_a_run_file_that_cannot_be_used_is_refused(theirs, text, told):
    (theirs / "dapr.yaml").write_text(text)

    with pytest.raises(UsageError, match=told):
        cli.app(["init"], standalone_mode=False)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", "@wfr.workflow\ndef order(ctx, x):\n"),
        ("a.py", '@runtime.workflow(name="order")\ndef order_v1(ctx, x):\n'),
        ("a.js", "runtime.registerWorkflow(order).registerActivity(take)"),
        ("a.js", "runtime.registerWorkflowWithName('order', (ctx) => other)"),
        ("a.go", "w.RegisterWorkflow(nothing)\nr.AddWorkflow(order)"),
        ("a.go", 'r.AddWorkflowN("order", func)'),
        ("A.java", "builder.registerWorkflow(made(1)).registerWorkflow(order.class)"),
        ("A.java", "builder.registerWorkflow(new order(mark))"),
        ("A.java", 'package shop;\nbuilder.registerWorkflow("order", Order.class)'),
    ],
)
def test_a_workflow_is_found_where_it_is_registered_in_each_language(tmp_path, file, text):
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/a.js").write_text("x.registerWorkflow(foreign)")
    (tmp_path / file).write_text(text)

    assert describing.facts(tmp_path).workflow == "order"


@pytest.mark.parametrize(
    ("imports", "name"), [("", "shop.app.Order"), ("import shop.flows.Order;", "shop.flows.Order")]
)
def test_a_workflow_in_java_is_called_as_its_class_with_the_package(tmp_path, imports, name):
    (tmp_path / "App.java").write_text(f"package shop.app;\n{imports}\nbuilder.registerWorkflow(Order.class)")

    assert describing.facts(tmp_path).workflow == name
