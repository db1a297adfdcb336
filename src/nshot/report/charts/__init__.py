"""Charts as SVG text, from plain values: no plotting package, the same drawing in page and docs."""

from nshot.report.charts.board import board
from nshot.report.charts.break_even import break_even
from nshot.report.charts.confusion import confusion
from nshot.report.charts.curves import curve_panel, curves
from nshot.report.charts.detection import precision_recall, roc
from nshot.report.charts.draw import Role, standalone
from nshot.report.charts.losses import learning, loss_panel
from nshot.report.charts.marks import Losses, Mark, Series, curves_axis, marks_axis
from nshot.report.charts.race import Lane, Work, race
from nshot.report.charts.reliability import Bin, reliability
from nshot.report.charts.rounds import rounds_panel
from nshot.report.charts.scales import Axis, axis
from nshot.report.charts.scatter import scatter
from nshot.report.charts.strip import strip
from nshot.report.charts.trials import trials
from nshot.report.charts.whisker import scale_strip, whisker

__all__ = [
    "Axis",
    "Bin",
    "Lane",
    "Losses",
    "Mark",
    "Role",
    "Series",
    "Work",
    "axis",
    "board",
    "break_even",
    "confusion",
    "curve_panel",
    "curves",
    "curves_axis",
    "learning",
    "loss_panel",
    "marks_axis",
    "precision_recall",
    "race",
    "reliability",
    "roc",
    "rounds_panel",
    "scale_strip",
    "scatter",
    "standalone",
    "strip",
    "trials",
    "whisker",
]
