# A peer of app-example's production image, optimised by hand: the locked packages and what they need,
# byte-compiled, on Debian's own Python.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
ENV PYTHONUNBUFFERED=1 PATH=/application_root/.venv/bin:$PATH
WORKDIR /application_root
COPY requirements.txt .
ARG PIP_INDEX_URL
RUN python3 -m venv .venv && pip install --no-cache-dir --no-deps -r requirements.txt
COPY app app
EXPOSE 80
CMD ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-b", "0.0.0.0:80", "--worker-tmp-dir", "/dev/shm", "app.main:app"]
