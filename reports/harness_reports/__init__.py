"""
Reports: they draw a verdict and its evidence, for people and for CI systems. They do not judge.
"""
