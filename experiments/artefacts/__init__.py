"""What tables and figures of all papers share: records in; texts, drawings and sidecars out."""
