"""
The reference target: order processing as a durable workflow on Dapr.

It knows nothing of the harness that attacks it; what both must know is in docs/target-contract.md, and here in
`target.contract`.
"""
