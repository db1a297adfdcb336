"""Files of inputs answered row by row: larger than memory, killed and gone on with, never twice."""

from nshot.use.offline.answering import Answering, of_folder, of_folders
from nshot.use.offline.retry import retry_failures
from nshot.use.offline.run import Progress, Report, Run, about, answer_file, write_lines
from nshot.use.offline.state import Beside
from nshot.use.offline.workers import Work, Workers

__all__ = [
    "Answering",
    "Beside",
    "Progress",
    "Report",
    "Run",
    "Work",
    "Workers",
    "about",
    "answer_file",
    "of_folder",
    "of_folders",
    "retry_failures",
    "write_lines",
]
