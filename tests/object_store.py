"""A real S3 interface on loopback, and a store that fails when a test says so."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from billing_pipeline.resources.object_store import ObjectStorage, object_storage

_WRITES = ("put_file", "pipe_file", "rm_file")


class Crash(BaseException):
    """The machine stops here, and does nothing more."""


class Failing:
    """A file system of fsspec whose writing request number `last` fails; after a Crash every later one does too."""

    def __init__(self, filesystem: Any, last: int | None = None, error: BaseException | None = None) -> None:
        self.filesystem, self.last, self.error = filesystem, last, error
        self.done: list[str] = []
        self._guard = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.filesystem, name)
        return self._counted(name, method) if name in _WRITES else method

    def _counted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            with self._guard:
                step = len(self.done)
                self.done.append(name)
            crashed = isinstance(self.error, Crash) and self.last is not None and step > self.last
            if self.error and (step == self.last or crashed):
                raise self.error
            return method(*arguments, **options)

        return called


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server of this process, which the vendor's own environment variables point to."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    credentials = {"AWS_ACCESS_KEY_ID": "loopback", "AWS_SECRET_ACCESS_KEY": "loopback"}
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        for name, value in {**credentials, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": address}.items():
            environment.setenv(name, value)
        yield address
    server.stop()


@pytest.fixture(scope="session")
def s3_bucket(s3_server: str) -> str:
    """The name of a bucket there."""
    import boto3

    client = boto3.client("s3")
    client.create_bucket(Bucket="billing")
    client.close()
    return "billing"


@pytest.fixture
def bucket(s3_bucket: str) -> str:
    """The URL of an empty prefix of the bucket."""
    return f"s3://{s3_bucket}/{uuid4().hex}"


@pytest.fixture
def object_store(bucket: str, tmp_path: Path) -> ObjectStorage:
    """The storage at a prefix of its own."""
    return object_storage(f"{bucket}/some/prefix", tmp_path / "copies")
