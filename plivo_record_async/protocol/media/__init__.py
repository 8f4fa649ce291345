"""PURE: recorded files: where they may be downloaded from, and when a download may be continued."""
