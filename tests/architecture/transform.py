"""Prints a template, with parameters, as CloudFormation gets it in JSON. Runs in .venv-tools, where SAM's translator lives."""

import json
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found]  # .venv-tools is not type-checked
from samtranslator.translator.transform import transform  # type: ignore[import-not-found]  # as above

# The translator takes no folders: `sam deploy` would have replaced them by what it uploaded.
UPLOADED = "s3://artefacts/object"
LAYERS = sys.argv[3] if sys.argv[3:] else UPLOADED


class NoManagedPolicies:
    """The translator asks AWS for policies' ARNs by name. We name none."""

    def load(self) -> dict[str, str]:
        """Return no policy at all."""
        return {}


template = yaml_parse(Path(sys.argv[1]).read_text(encoding="utf-8"))
template["Globals"]["Function"]["CodeUri"] = UPLOADED
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::LayerVersion":
        resource["Properties"]["ContentUri"] = LAYERS
json.dump(transform(template, json.loads(sys.argv[2]), NoManagedPolicies()), sys.stdout)
