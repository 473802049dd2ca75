"""
Reports: a verdict and its evidence, drawn for people and for CI systems. Nothing here judges.
"""
