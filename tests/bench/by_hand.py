"""What somebody without Isoscope would do with a run: read the rows, take quantiles by variant, and draw a plot."""

import io
import json
import sys

import pandas as pd
from matplotlib.figure import Figure

with open(sys.argv[1]) as file:
    frame = pd.DataFrame([json.loads(line) for line in file])
medians = frame.groupby(["metric", "variant"])["value"].quantile([0.5, 0.9, 0.99]).unstack()
canvas = Figure()
axes = canvas.subplots()
for variant, rows in frame[frame["metric"] == "startup.ready"].groupby("variant"):
    axes.ecdf(rows["value"].dropna(), label=variant)
canvas.savefig(io.StringIO(), format="svg")
