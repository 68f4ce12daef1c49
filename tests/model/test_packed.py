"""A packed matrix multiplies as the plain one does, whatever the number of rows and wherever torch cannot pack."""

from __future__ import annotations

import pytest
import torch

from semreg.model.packed import product


@pytest.mark.parametrize("rows", [0, 1, 3, 96])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_product_is_the_plain_one(rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    matrix, x = torch.randn(70, 33).to(dtype), torch.randn(rows, 33).to(dtype)
    expected = x.double() @ matrix.double().T
    for pack in (True, False):
        tolerance = 1e-4 if dtype == torch.float32 else 0.2
        torch.testing.assert_close(product(matrix, pack)(x).double(), expected, rtol=1e-2, atol=tolerance)


def test_without_onednn_the_plain_product_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", missing, raising=False)
    matrix, x = torch.randn(5, 4), torch.randn(2, 4)
    torch.testing.assert_close(product(matrix, True)(x), x @ matrix.T)
