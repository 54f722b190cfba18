"""The official metrics as `evaluate.Metric`s, one file each, that load by path and need no hub:

    evaluate.load("ptuning/metrics/loadable/squad_v2.py").compute(predictions=[...], references=[...])

What they compute stands in `ptuning.metrics`: training uses those functions, because importing `evaluate` takes
seconds.
"""
