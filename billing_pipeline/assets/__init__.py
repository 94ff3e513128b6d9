"""What depends on what: one file per capability, each asset a short way from frames to one engine or report call."""
