"""
The harness inside Locust: `from harness.locust import ArrivalUser` in a locustfile is all that it takes
(docs/locust.md).

Importing this package imports Locust, which patches the process for gevent. So nothing else of the harness imports it.
"""

from harness.locust import listeners as listeners  # whoever imports the user gets the options, the run and the web page
from harness.locust.user import ArrivalUser

__all__ = ["ArrivalUser"]
