"""The example application, asked without a server."""

import pytest
from fastapi.testclient import TestClient

from app.main import app

client = TestClient(app)


def test_root_greets() -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.json() == "Hello World!"


@pytest.mark.parametrize(
    "number, name", [(1, "sausage"), (2, "ham"), (3, "tofu")]
)
def test_items_have_names(number: int, name: str) -> None:
    response = client.get(f"/items/{number}")
    assert response.status_code == 200
    assert response.json() == name


def test_unknown_item_is_not_found() -> None:
    assert client.get("/items/4").status_code == 404


def test_item_numbers_are_integers() -> None:
    assert client.get("/items/ham").status_code == 422
