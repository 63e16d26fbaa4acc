import pytest

pytest.register_assert_rewrite("tests.grounding.contract")  # so that its asserts say what they compared
