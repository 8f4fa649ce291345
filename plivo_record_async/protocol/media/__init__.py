"""The rules of downloads: which URLs are allowed, which files are audio, and when a download may be resumed."""
