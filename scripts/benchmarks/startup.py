"""What a cold start costs: the import, and a first answer from the bundle or a warm cache.

python scripts/benchmarks/startup.py [runs]
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from measuring import (
    alternating,
    clean_environment,
    difference,
    fresh_process,
    output_of,
    peak_megabytes,
    print_table,
)

from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader, CacheMode, UnifiedCatalog
from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager

IMPORT = "import bestehorn_llmmanager"
ANSWER = """
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog
assert BedrockModelCatalog({options}).get_model_info("Claude Haiku 4.5", "us-east-1")
"""
PARSE = "import json; json.load(open({path!r}))"
COUNT = "\nimport sys; print(len(sys.modules), 'boto3' in sys.modules)"


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = clean_environment(HOME=folder, XDG_CACHE_HOME=folder)
        bundle = str(BundledDataLoader.get_bundled_data_path())
        cache = write_cache(Path(folder) / "cache")
        programs = {
            "pass": "pass",
            "import": IMPORT,
            "parse the bundle": PARSE.format(path=bundle),
            "bundle": ANSWER.format(options=""),
            "parse the cache": PARSE.format(path=str(cache)),
            "cache": ANSWER.format(options=f"cache_directory={str(cache.parent)!r}"),
        }
        tasks = {name: fresh_process(code, environment) for name, code in programs.items()}
        timings = alternating(runs, **tasks)
        bare = peak_megabytes("pass", environment)
        print_table(
            f"Fresh processes, median of {runs} rounds (quartiles)",
            [
                ["what", "time above the baseline", "peak memory above bare", "modules, boto3"],
                ["---"] * 4,
                [
                    "`import bestehorn_llmmanager` above `python -c pass`",
                    str(difference(timings, "import", "pass")),
                    f"{peak_megabytes(IMPORT, environment) - bare:.1f} MB",
                    modules(IMPORT, environment),
                ],
                *(
                    [
                        f"`get_model_info` from the {source} above `json.load` of that file",
                        str(difference(timings, source, f"parse the {source}")),
                        f"{peak_megabytes(programs[source], environment) - bare:.1f} MB",
                        modules(programs[source], environment),
                    ]
                    for source in ("bundle", "cache")
                ),
            ],
        )
        print("\nwhole processes: " + ", ".join(f"{name} {t}" for name, t in timings.items()))


def write_cache(folder: Path) -> Path:
    """A valid cache file of all regions, as a sweep leaves it."""
    manager = CacheManager(CacheMode.FILE, folder)
    data = json.loads(BundledDataLoader.get_bundled_data_path().read_bytes())
    now = datetime.now(timezone.utc).isoformat()
    regions = data["metadata"]["api_regions_queried"]
    data["metadata"] |= {
        "source": "api",
        "retrieval_timestamp": now,
        "all_regions": regions,
        "regions_metadata": {r: {"source": "api", "retrieval_timestamp": now} for r in regions},
    }
    path = manager.save_cache(UnifiedCatalog.from_dict(data))
    assert path is not None
    return path


def modules(code: str, environment: dict[str, str]) -> str:
    return output_of(code + COUNT, environment).replace(" ", ", ")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
