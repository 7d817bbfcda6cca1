"""Other libraries' weights under our models, and ours under theirs. PyTorch is not needed."""

from jaxnets.weights.file import load, save
from jaxnets.weights.report import Mismatch, Report
from jaxnets.weights.state_dict import from_state_dict, sources, to_state_dict

__all__ = ["Mismatch", "Report", "from_state_dict", "load", "save", "sources", "to_state_dict"]
