"""Doors to the outside, one file each: input files, frames between assets, outputs."""
