"""From ``config.yaml`` and ``ivr_flows/`` to a :class:`~pbx.config.site.Site`, or to everything that
is wrong with them.

Theory of operation
-------------------
1. :mod:`~pbx.config.document` reads YAML 1.2 with places, and the environment's variables.
2. :mod:`~pbx.config.shape` builds the models; what is at fault is reported and left out.
3. :mod:`~pbx.config.flowfile` reads each flow step by step, through the ``STEPS`` table.
4. :mod:`~pbx.config.check` and :mod:`~pbx.config.flowcheck` follow every name, number and way.
5. Without an error, the numbers are rewritten as E.164 and the site is put together.

All five always run as far as there is something to run on: an admin sees every mistake at once.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pbx.config.check import check_config, country_of, known
from pbx.config.document import read
from pbx.config.flowcheck import check_flows
from pbx.config.flowfile import Draft, draft, flow_files
from pbx.config.geocheck import check_geo_steps
from pbx.config.languagecheck import check_languages
from pbx.config.models import Config
from pbx.config.problems import ConfigErrors, Problem, Severity, in_order
from pbx.config.queuecheck import check_queue_steps
from pbx.config.shape import build
from pbx.config.site import FLOWS_FOLDER, Site, database_url
from pbx.config.spend import read_spend
from pbx.config.usecheck import check_use, entry_flows, unused_prompts
from pbx.config.ways import ways
from pbx.config.wordcheck import check_words
from pbx.spend import Spent

__all__ = ["ConfigErrors", "Problem", "Severity", "Site", "examine", "load"]


def load(path: Path, env: Mapping[str, str] = os.environ, *, flows: Path | None = None) -> Site:
    """The site. Raises ConfigErrors with everything that is wrong.

    ``flows`` is another folder than the config's own to read the flows from.
    """
    site, problems = examine(path, env, flows=flows)
    if site is None:
        raise ConfigErrors(problems)
    return site


def examine(
    path: Path,
    env: Mapping[str, str] = os.environ,
    today: date | None = None,
    *,
    flows: Path | None = None,
) -> tuple[Site | None, list[Problem]]:
    """The site, None if there are errors; and every error and warning, in the files' order."""
    document = read(path, env)
    folder = path.parent
    if document.data is None and not document.problems:
        document.error((), "the file is empty")
    country = country_of(document)
    files = flow_files(flows or folder / FLOWS_FOLDER)
    drafts = [draft(read(file, env), country) for file in files]
    ids = [each.id for each in drafts]

    config = build(Config, document) if document.data is not None else None
    e164 = check_config(document, ids) if document.data is not None else {}
    entries = entry_flows(document)
    check_flows(drafts, known(document, ids), folder, today or date.today(), entries)
    if document.data is not None:
        check_queue_steps(document, drafts)
        check_geo_steps(country, drafts)
        check_words(document, drafts)
        check_languages(document, drafts, ways(drafts), folder)
        check_use(document, drafts, entries)
    unused_audio = unused_prompts(document, drafts, folder)

    problems = in_order(p for each in (document, *(d.document for d in drafts)) for p in each.problems)
    spend, faults = _spend(config, folder)
    problems = in_order([*problems, *unused_audio, *faults])
    if config is None or any(problem.is_error for problem in problems):
        return None, problems
    return _site(path, _with_e164(config, e164), drafts, spend), problems


def _spend(config: Config | None, folder: Path) -> tuple[tuple[Spent, ...], list[Problem]]:
    if config is None or config.reports.spend is None:
        return (), []
    return read_spend(folder / config.reports.spend, config.reports.currency, config.sources)


def _with_e164(config: Config, e164: Mapping[str, str]) -> Config:
    def pool_update(numbers: list[str], targets: list[str]) -> dict[str, Any]:
        return {"numbers": [e164[n] for n in numbers], "targets": [e164[n] for n in targets]}

    return config.model_copy(
        update={
            "numbers": {e164[number]: entry for number, entry in config.numbers.items()},
            "pools": {
                name: pool.model_copy(update=pool_update(pool.numbers, pool.targets))
                for name, pool in config.pools.items()
            },
        }
    )


def _site(path: Path, config: Config, drafts: list[Draft], spend: tuple[Spent, ...]) -> Site:
    path = path.absolute()
    return Site(
        config=config,
        flows={each.id: each.flow() for each in drafts},
        path=path,
        data_dir=(path.parent / config.server.data_dir).resolve(),
        database_url=database_url(config.server.database, path.parent),
        pool_of={number: name for name, pool in config.pools.items() for number in pool.numbers},
        spend=spend,
    )
