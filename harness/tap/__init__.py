"""
The tap: a witness between an application and its sidecar, which needs no help of the application (docs/tap.md).
"""
