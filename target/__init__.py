"""
The reference target: order processing as a durable workflow on Dapr.

The target knows nothing of the harness that attacks it. What both must know is described in docs/target-contract.md,
and implemented here in `target.contract`.
"""
