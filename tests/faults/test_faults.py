"""Every case of the fault table, as a test."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults.registry import all_cases
from faults.runner import AT_ONCE, run_case

if os.name == "nt":
    pytest.skip("the cases use signals and fork", allow_module_level=True)


@pytest.fixture(scope="session")
def outcomes(request):
    """The outcomes of all chosen cases, as futures: they run some at once."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.originalname == "test_case"
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case.name: pool.submit(run_case, case) for case in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", all_cases().values(), ids=lambda case: case.name)
def test_case(outcomes, case):
    outcome = outcomes[case.name].result()
    assert outcome.ok, f"{outcome.summary}\n{outcome.output}"


def test_a_case_that_fails_is_seen():
    # The runner itself: what goes wrong in each way a process can.
    from faults.registry import Case

    def judge(returncode, stdout, stderr=""):
        from faults.runner import _judge

        return _judge(Case("x.y", "", None, None, 1, False, None), returncode, stdout, stderr)

    assert judge(0, "ok\n") == (True, "ok")
    assert judge(None, "ok\n")[0] is False
    assert judge(-11, "ok\n") == (False, "died: SIGSEGV")
    assert judge(1, "ok\n", "AssertionError: x\n") == (False, "failed: AssertionError: x")
    assert judge(0, "") == (False, "ended early")
    assert judge(0, "ok\n", "ERROR in finalizer") == (False, "printed: ERROR in finalizer")
