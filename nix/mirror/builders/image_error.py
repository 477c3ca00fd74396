"""What is wrong with an image's parts."""


class ImageError(Exception):
    """The image cannot be written; the message is one line that says why."""
