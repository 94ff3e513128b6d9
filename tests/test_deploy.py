"""deploy/: what can be said of it without an engine: files parse; settings, commands and paths in them exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing_pipeline.instance import dagster_yaml
from billing_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
KNOWN = {f"BILLING_{name.upper()}" for name in Settings.model_fields}
SERVICE_KEYS = {
    "image", "build", "command", "env_file", "environment", "volumes", "ports", "restart", "mem_limit",
    "stop_grace_period", "healthcheck", "depends_on",
}  # fmt: skip
"""Of the compose specification, those in use."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8")))


@pytest.fixture(scope="module")
def helm() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "helm-values.yaml").read_text("utf-8")))


@pytest.mark.parametrize("name", ["compose.yaml", "helm-values.yaml", "env.example", "README.md", "Dockerfile"])
def test_every_setting_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"\bBILLING_[A-Z_]*[A-Z]\b", (DEPLOY / name).read_text("utf-8")))
    assert named - KNOWN - {"BILLING_SLACK"} == set()


def test_services_use_known_keys_and_volumes_that_exist(compose: dict[str, Any]) -> None:
    assert set(compose) == {"name", "x-billing", "services", "volumes"}
    for service in compose["services"].values():
        assert set(service) <= SERVICE_KEYS
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source == "${USAGE_FOLDER" or (DEPLOY / source).is_file(), volume


def test_every_service_but_the_one_that_ends_is_supervised_and_has_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services.pop("prepare")["restart"] == "no"
    assert set(services) == {"postgres", "code", "webserver", "daemon"}
    assert {service["restart"] for service in services.values()} == {"unless-stopped"}
    assert all(service["healthcheck"]["test"] for service in services.values())


@pytest.mark.parametrize("name", ["prepare", "code", "webserver", "daemon"])
def test_the_commands_of_the_services_and_their_options_exist(name: str) -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    check = services[name].get("healthcheck", {}).get("test", ["CMD"])[1:]
    for command in (services[name]["command"], check):
        if command and command[0] != "python":
            program, *arguments = command
            words = [word for word in arguments if re.fullmatch(r"[a-z][a-z-]+", word)]
            commands = words[: 2 if program == "dagster" else 1] if program != "dagster-webserver" else []
            shown = subprocess.run([BIN / program, *commands, "--help"], capture_output=True, text=True, check=True)
            for option in (word for word in arguments if word.startswith("--")):
                assert option in shown.stdout, f"{command}: {option}"


def test_the_parts_agree_on_the_code_locations_address_and_name(compose: dict[str, Any]) -> None:
    (entry,) = yaml.safe_load((DEPLOY / "workspace.yaml").read_text("utf-8"))["load_from"]
    code = compose["services"]["code"]["command"]
    assert entry["grpc_server"] == {"host": "code", "port": 4000, "location_name": "billing_pipeline"}
    assert code[code.index("--port") + 1] == "4000"
    assert code[code.index("--location-name") + 1] == "billing_pipeline"


def test_images_are_pinned_by_version(compose: dict[str, Any], helm: dict[str, Any]) -> None:
    text = "".join((DEPLOY / name).read_text("utf-8") for name in ("compose.yaml", "Dockerfile"))
    tags = re.findall(r"(?:image: |FROM )\S+?:(\S+)", text)
    tags += [helm[part]["image"]["tag"] for part in ("dagsterWebserver", "dagsterDaemon")]
    assert len(tags) == 6
    assert all(re.match(r"\d+\.\d+", tag) for tag in tags)


def test_no_secret_is_in_the_files() -> None:
    example = (DEPLOY / "env.example").read_text("utf-8")
    for name in ("POSTGRES_PASSWORD", "BILLING_SLACK_WEBHOOK", "BILLING_SLACK_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        assert re.search(rf"^#?{name}=$", example, re.MULTILINE)
    for line in re.findall(r".*://\S+@.*", (DEPLOY / "compose.yaml").read_text("utf-8")):
        assert "${POSTGRES_PASSWORD:?" in line


def test_the_image_is_built_from_what_is_there_and_from_hashes_alone() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    copied = re.findall(r"^COPY (?!--from)(\S+)", dockerfile, re.MULTILINE)
    allowed = re.findall(r"^!(\S+)", (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / path).exists() for path in copied)
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER billing$", dockerfile, re.MULTILINE)
    assert shutil.which("billing-pipeline", path=BIN)


def test_the_image_holds_dagsters_siblings_of_the_release_that_is_tested() -> None:
    def pinned(name: str, lock: str) -> str:
        (found,) = re.findall(rf"^{name}==(\S+)", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE)
        return str(found)

    assert pinned("dagster", "image") == pinned("dagster", "dev")
    assert pinned("dagster-k8s", "image") == pinned("dagster-postgres", "dev")
    assert pinned("polars", "image") == pinned("polars", "dev")


def test_kubernetes_keeps_what_our_own_dagster_yaml_keeps(helm: dict[str, Any]) -> None:
    ours = yaml.safe_load(dagster_yaml(Settings()))
    queue = helm["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"] == ours["concurrency"]["runs"]["tag_concurrency_limits"]
    assert helm["telemetry"] == ours["telemetry"]
    for kind in ("sensor", "schedule"):
        assert helm["retention"][kind]["purgeAfterDays"] == ours["retention"][kind]["purge_after_days"]
    assert helm["dagsterWebserver"]["image"]["tag"] == helm["dagsterDaemon"]["image"]["tag"]
    (code,) = helm["dagster-user-deployments"]["deployments"]
    assert code["dagsterApiGrpcArgs"] == ["--module-name", "billing_pipeline.definitions"]
    assert {entry["name"] for entry in code["env"]} >= {"BILLING_STORAGE_URL", "BILLING_USAGE_DIR"}
