"""Readers of the formats that data lie in on disk, one format a file; `jaxnets.data` names them all."""
