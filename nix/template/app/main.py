"""The ASGI application."""

from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.get("/")
def read_root() -> str:
    """Greet."""
    return "Hello World!"


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """Send every text back, until the client closes the connection."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
