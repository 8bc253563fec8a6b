"""A pytest plugin that runs fakeredis's own tests without a Redis server beside it.

Its fixtures ask a server on this machine which version to imitate, and end the run without an
answer.  Here the environment variable FAKEREDIS_TEST_SERVER answers, with a name and a version.
"""

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    if fixturedef.argname != "real_server_details":
        return None
    from test.conftest import ServerDetails  # noqa: PLC0415  (fakeredis's, there by now)

    name, _, text = os.environ["FAKEREDIS_TEST_SERVER"].partition("-")
    version = tuple(map(int, text.split(".")))
    details = ServerDetails(
        server_type=name,
        redis_version=version,
        valkey_version=version if name == "valkey" else None,
        dragonfly_version=None,
        kividb_version=None,
    )
    fixturedef.cached_result = (details, fixturedef.cache_key(request), None)
    return details
