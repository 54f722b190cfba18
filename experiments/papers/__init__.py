"""The tables and figures of papers, a folder a paper."""
