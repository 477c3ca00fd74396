# The peer of app-example's production image that this project succeeds: Poetry stays in the image,
# which installs the project with it, in one stage. Poetry compiles no byte code by itself, and
# PYTHONDONTWRITEBYTECODE keeps Python from writing any.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/application_root POETRY_HOME=/opt/poetry \
    POETRY_VIRTUALENVS_IN_PROJECT=true
ENV PATH=$POETRY_HOME/bin:/application_root/.venv/bin:$PATH
ARG PIP_INDEX_URL
ARG POETRY_REQUIREMENTS
RUN python3 -m venv $POETRY_HOME && $POETRY_HOME/bin/pip install --no-cache-dir $POETRY_REQUIREMENTS
WORKDIR /application_root
COPY pyproject.toml poetry.lock ./
ARG POETRY_PYPI_MIRROR_URL
RUN poetry install --no-interaction --no-root --only main
COPY app app
EXPOSE 80
CMD ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-b", "0.0.0.0:80", "--worker-tmp-dir", "/dev/shm", "app.main:app"]
