"""The application, asked without a server."""

from fastapi.testclient import TestClient

from app.main import app

client = TestClient(app)


def test_root_greets() -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.json() == "Hello World!"
