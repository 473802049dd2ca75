"""
A chaos and load harness that proves what durable workflows promise.
"""
