"""
`locust -f scenarios`: the one Python file that Locust loads. Scenarios are the YAML files beside it.

    locust -f scenarios --headless --scenario sidecar_kill -t 40s
"""

from harness.locust import ArrivalUser


class Starts(ArrivalUser):
    """
    Starts workflow instances as the scenario says, whoever answers.
    """
