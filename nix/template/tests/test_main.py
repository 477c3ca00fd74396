"""The application, asked without a server."""

from fastapi.testclient import TestClient

from app.main import app

client = TestClient(app)


def test_root_greets() -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.json() == "Hello World!"


def test_texts_come_back() -> None:
    with client.websocket_connect("/echo") as connection:
        for text in ("one", "zwölf"):
            connection.send_text(text)
            assert connection.receive_text() == text
