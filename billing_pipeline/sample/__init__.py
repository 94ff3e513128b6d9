"""The sample book: half a year of invented usage and a rules workbook, to see and try the product with."""

from billing_pipeline.sample.writing import SampleBook, write_sample

__all__ = ["SampleBook", "write_sample"]
