"""Tests what importing the package costs, and that every documented import works."""

from __future__ import annotations

import importlib.metadata
import pkgutil
import random
import subprocess
import sys

import pytest

import bestehorn_llmmanager
import bestehorn_llmmanager.bedrock
import bestehorn_llmmanager.bedrock.catalog
import bestehorn_llmmanager.bedrock.exceptions
from bestehorn_llmmanager import testing


def run(code: str, *arguments: str) -> str:
    """What a fresh interpreter, in which every warning is an error, prints."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_importing_the_package_imports_next_to_nothing() -> None:
    code = """
import sys
before = set(sys.modules)
import bestehorn_llmmanager
after = set(sys.modules) - before
assert not {"boto3", "botocore", "filelock", "dataclasses", "json", "logging"} & after, after
print(len(after))
"""
    assert int(run(code)) < 100


def test_answering_from_the_bundle_imports_no_boto3() -> None:
    code = """
import sys
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
assert catalog.is_model_available("Nova Lite", "us-east-1")
assert not {"boto3", "botocore", "urllib3", "filelock"} & set(sys.modules)
"""
    run(code)


def test_one_line_imports_what_an_application_needs_and_no_boto3() -> None:
    code = """
import sys
from bestehorn_llmmanager import *
for name in sys.argv[1:]:
    assert globals()[name].__name__ == name, name
assert RequestValidationError.__mro__[1] is LLMManagerError
assert RetryExhaustedError.__module__ == RequestValidationError.__module__
assert not {"boto3", "botocore", "distributed", "filelock", "tqdm"} & set(sys.modules)
"""
    run(code, *NEEDED_BY_APPLICATIONS)


NEEDED_BY_APPLICATIONS = [
    "AuthConfig",
    "AuthenticationError",
    "AuthenticationType",
    "BatchError",
    "BatchInference",
    "BatchLimits",
    "BatchSubmissionError",
    "BedrockConverseRequest",
    "BedrockModelCatalog",
    "BedrockResponse",
    "Boto3Config",
    "CacheConfig",
    "CacheMode",
    "ConfigurationError",
    "FailureHandlingStrategy",
    "LLMManager",
    "LLMManagerError",
    "LoadBalancingStrategy",
    "ModelSpecificConfig",
    "ParallelConfigurationError",
    "ParallelExecutionError",
    "ParallelLLMManager",
    "ParallelProcessingConfig",
    "ParallelProcessingError",
    "ParallelResponse",
    "RegionDistributionError",
    "RequestIdCollisionError",
    "RequestValidationError",
    "ResponseValidationConfig",
    "RetryConfig",
    "RetryExhaustedError",
    "RetryStrategy",
    "RunProgress",
    "StreamingResponse",
    "ValidationResult",
    "create_user_message",
]


def test_the_names_of_the_previous_release_come_first_in_their_order() -> None:
    names = bestehorn_llmmanager.__all__
    assert names[:3] == ["LLMManager", "ParallelLLMManager", "Boto3Config"]
    assert names[21:24] == [
        "build_json_schema_output_config",
        "BedrockRegionDiscovery",
        "get_all_regions",
    ]
    assert names[26] == "ParameterCompatibilityTracker"
    assert names[27:] == sorted(names[27:])


PACKAGES = [
    bestehorn_llmmanager,
    bestehorn_llmmanager.bedrock,
    bestehorn_llmmanager.bedrock.catalog,
    bestehorn_llmmanager.bedrock.exceptions,
    bestehorn_llmmanager.util,
    bestehorn_llmmanager.util.file_type_detector,
    testing,
]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_listed_and_there(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]  # each of these packages has one
    assert set(names) <= set(dir(package))
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(package, name) is not None
    for name in dir(package):
        getattr(package, name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_name_that_does_not_exist_is_an_ordinary_error(package: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        package.no_such_name  # type: ignore[attr-defined]  # noqa: B018  # that is the point
    assert not hasattr(package, "__wrapped__")


def test_a_name_that_does_not_exist_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="no_such_name"):
        from bestehorn_llmmanager import no_such_name  # noqa: F401


@pytest.mark.parametrize(
    "path",
    ["bedrock", "util", "llm_manager", "bedrock.catalog", "bedrock.exceptions", "bedrock.models"],
)
def test_submodules_are_attributes_after_importing_the_package(path: str) -> None:
    code = f"import bestehorn_llmmanager as package; print(package.{path}.__name__)"
    assert run(code).strip() == f"bestehorn_llmmanager.{path}"


def test_a_name_is_looked_up_once() -> None:
    code = """
import bestehorn_llmmanager
assert "LLMManager" not in vars(bestehorn_llmmanager)
manager = bestehorn_llmmanager.LLMManager
assert vars(bestehorn_llmmanager)["LLMManager"] is manager
from bestehorn_llmmanager.llm_manager import LLMManager
assert LLMManager is manager
"""
    run(code)


def test_the_package_describes_itself() -> None:
    assert bestehorn_llmmanager.__version__
    assert bestehorn_llmmanager.__author__
    assert "AWS Bedrock" in bestehorn_llmmanager.__description__
    assert bestehorn_llmmanager.__license__ == "MIT"


def test_the_version_is_that_of_the_installed_package() -> None:
    try:
        installed = importlib.metadata.version("bestehorn-llmmanager")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed here")
    assert bestehorn_llmmanager.__version__ == installed


DOCUMENTED_IMPORTS = """
from bestehorn_llmmanager import LLMManager, Boto3Config
from bestehorn_llmmanager import AWSRegions, BedrockRegionDiscovery, get_all_regions
from bestehorn_llmmanager.llm_manager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode, CatalogSource
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.discovery.region_discovery import RegionDiscoveryError
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError, ConfigurationError
from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import CatalogUnavailableError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RetryExhaustedError
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelConfigurationError
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelExecutionError
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo, ModelAccessMethod
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import AuthConfig
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import AuthenticationType
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import ResponseValidationConfig
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig, RetryStrategy
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import ValidationResult
from bestehorn_llmmanager.bedrock import BedrockModelCatalog
from bestehorn_llmmanager.bedrock.exceptions import CatalogUnavailableError
""".strip().splitlines()


def test_documented_imports_work_each_as_the_first_one() -> None:
    # One interpreter for all: what a line imported is forgotten before the next.
    code = """
import sys
for line in sys.argv[1:]:
    for name in [name for name in sys.modules if name.startswith("bestehorn_llmmanager")]:
        del sys.modules[name]
    exec(line, {})
"""
    run(code, *DOCUMENTED_IMPORTS)


def test_every_module_can_be_imported_first_and_in_any_order() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(bestehorn_llmmanager.__path__, "bestehorn_llmmanager.")
        if not module.name.endswith("__main__")
    ]
    assert len(names) > 40
    random.shuffle(names)
    code = """
import importlib, sys
for name in sys.argv[1:]:
    for loaded in [name for name in sys.modules if name.startswith("bestehorn_llmmanager")]:
        del sys.modules[loaded]
    importlib.import_module(name)
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
    run(code, *names)
