"""Every test sees the product's defaults: no settings and no Dagster instance of the machine it runs on."""

import os

for name in [name for name in os.environ if name.startswith("BILLING_") or name == "DAGSTER_HOME"]:
    del os.environ[name]  # here and not in a fixture: settings are read when modules are imported
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
