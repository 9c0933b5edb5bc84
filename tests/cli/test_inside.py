"""`meshnode exec` where it cannot be: one sentence each."""

import pytest

from support.commands import Commands


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 1, "which program"),
        (("--", "no-such-program"), 1, "no program called no-such-program"),
        (("--", "true"), 3, ""),
    ],
    ids=["nothing", "no such program", "no node runs"],
)
def test_exec_that_cannot_be_says_why(meshnode: Commands, words, code, said) -> None:
    meshnode("init", "--name", "Ada")
    ran = meshnode("exec", *words)
    assert ran.code == code
    assert said in ran.err
    assert ran.err.count("\n") == 1
