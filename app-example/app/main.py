"""The example application."""

from fastapi import FastAPI, HTTPException

app = FastAPI()

ITEMS = {1: "sausage", 2: "ham", 3: "tofu"}


@app.get("/")
def read_root() -> str:
    """Greet."""
    return "Hello World!"


@app.get("/items/{item_id}")
def read_item(item_id: int) -> str:
    """Name an item; 404 where there is none of that number."""
    if item_id not in ITEMS:
        raise HTTPException(status_code=404, detail="Item not found")
    return ITEMS[item_id]
