"""The ASGI application."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def read_root() -> str:
    """Greet."""
    return "Hello World!"
