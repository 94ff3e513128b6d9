"""The sample book: invented usage, rules, clients and audited sheets, to see and try the product with."""

from billing_pipeline.sample.audit import write_audit
from billing_pipeline.sample.clients import write_clients
from billing_pipeline.sample.writing import SampleBook, write_sample

__all__ = ["SampleBook", "write_audit", "write_clients", "write_sample"]
